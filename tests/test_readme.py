"""The README's two commands are the ones that are installed and checked."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def commands() -> list[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return [block.strip() for block in re.findall(r"^```\w*\n(.*?)^```", readme, re.M | re.S)][:2]


def test_the_first_command_installs_the_package_and_runs_its_console_script() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install, _ = commands()
    assert install.startswith("python3 -m venv .venv && .venv/bin/pip install . && ")
    assert re.search(r"\.venv/bin/(\S+) search$", install)
    assert "relativenas" in scripts["scripts"]


def test_ci_runs_the_second_command_whole_and_nothing_else() -> None:
    pattern = re.search(r"grep --max-count=1 '(.+?)' README\.md", (ROOT / ".ci/run").read_text())
    assert pattern is not None
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(pattern[1], readme, re.M) == [commands()[1]]
