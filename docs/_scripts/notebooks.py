"""Turn the notebooks in examples/ into pages, with the outputs that they hold."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import plotly.io
from plotly.offline import get_plotlyjs

if TYPE_CHECKING:
    from pathlib import Path

PLOTLY = "assets/plotly.min.js"
_FIGURE = "application/vnd.plotly.v1+json"
_ERASED = re.compile(r"\r|\x1b\[2?K")  # what stood in the line before is written over
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def notebook_pages(root: Path) -> dict[str, str]:
    """Return a page for each notebook by path, and the script that their figures need."""
    pages = {}
    for file in sorted(root.glob("examples/notebooks/*.ipynb")):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        path = file.relative_to(root).with_suffix(".md").as_posix()
        pages[path] = "\n\n".join(_cell(cell) for cell in cells) + "\n"
    return {**pages, PLOTLY: get_plotlyjs()} if pages else {}


def _cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] != "code":
        return source
    parts = [f"```python\n{source}\n```"]
    printed = ""
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            printed += "".join(output["text"])
        else:
            parts.append(_shown(output["data"]))
    if printed:
        parts.insert(1, f"```text\n{_terminal_text(printed)}\n```")
    return "\n\n".join(parts)


def _terminal_text(printed: str) -> str:
    """Return the text that a terminal shows at the end, without colours and progress bars."""
    lines = (_ERASED.split(line.rstrip("\r"))[-1] for line in printed.split("\n"))
    return _CONTROL.sub("", "\n".join(lines)).strip()


def _shown(data: dict[str, Any]) -> str:
    """Return the richest form of an output that needs no other host."""
    if _FIGURE in data:
        figure = plotly.io.from_json(json.dumps(data[_FIGURE]), skip_invalid=True)
        # A page of the site is a folder, below examples/notebooks/.
        shown = plotly.io.to_html(
            figure, full_html=False, include_plotlyjs=f"../../../{PLOTLY}", default_height=420
        )
    elif "text/html" in data:
        shown = "".join(data["text/html"])
    else:
        return f"```text\n{''.join(data['text/plain'])}\n```"
    return f'<div class="notebook-output">\n{shown}\n</div>'
