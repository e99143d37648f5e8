"""Run the notebooks of examples/notebooks from top to bottom, each in an empty folder.

`python tools/run_notebooks.py --write` also stores what the cells print and draw.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

_REDRAWN = "\x1b[2K"  # the escape sequence by which a progress bar replaces itself
NOTEBOOKS = Path(__file__).parents[1] / "examples/notebooks"


def run(path: Path, *, write: bool) -> None:
    """Run a notebook; with `write`, replace its stored outputs.

    Raises:
        CellExecutionError: A cell raised; the message has its traceback.
    """
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=1200,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        client.execute()
    if write:
        for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
            cell.outputs = [o for o in cell.outputs if _REDRAWN not in o.get("text", "")]
            for output in cell.outputs:
                if "text/html" in output.get("data", {}):
                    output.data.pop("text/plain", None)  # the repr of a view has 45,000 characters
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="names without suffix; by default all")
    parser.add_argument("--write", action="store_true", help="store the outputs")
    arguments = parser.parse_args()
    # The commands of the environment that runs this script, also where it is not active.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Optuna imports tqdm, which warns if a notebook cannot show its progress bars.
    os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"
    for file in sorted(NOTEBOOKS.glob("*.ipynb")):
        if file.stem in (arguments.names or [file.stem]):
            print(file.stem, flush=True)
            run(file, write=arguments.write)
