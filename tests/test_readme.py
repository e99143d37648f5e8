"""The commands of the README are installed, run and checked."""

import os
import re
import runpy
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return [
        block.strip() for block in re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)
    ]


INSTALL, *HOW_TO, TEST = blocks("bash")


def test_the_first_command_installs_the_package_and_runs_its_console_script() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert INSTALL.startswith("python3 -m venv .venv && .venv/bin/pip install . && ")
    assert re.search(r"\.venv/bin/(\S+) search$", INSTALL)
    assert "relativenas" in scripts["scripts"]


def test_ci_runs_the_last_command_whole_and_nothing_else() -> None:
    pattern = re.search(r"grep --max-count=1 '(.+?)' README\.md", (ROOT / ".ci/run").read_text())
    assert pattern is not None
    assert re.findall(pattern[1], README, re.M) == [TEST]


@pytest.mark.slow_except("lambda trial", "small =")
@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.splitlines()[-1])
def test_python_runs_as_it_stands(block: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block, encoding="utf-8")
    runpy.run_path(str(script))


@pytest.mark.slow
def test_every_command_runs_as_it_stands(tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    stripes = runpy.run_path(str(ROOT / "examples/own_images.py"), run_name="own_images")
    for part in ("train", "test"):
        stripes["make_stripes"](tmp_path / "my-images" / part)
    assert HOW_TO
    for line in "\n".join(HOW_TO).splitlines():
        if line.startswith("relativenas dashboard"):
            look_at(line, tmp_path, environment)
        else:
            subprocess.run(line, shell=True, cwd=tmp_path, env=environment, check=True)
    out = tmp_path / "relativenas-out"
    for made in (
        "mine/best-3.png",
        "mine-trained/network.onnx",
        "mine-trained/network.pt2",
        "mine/report.html",
        "mine/compare/compare.md",
    ):
        assert (out / made).stat().st_size > 0


def look_at(command: str, folder: Path, environment: dict[str, str]) -> None:
    """Start a dashboard, read the studies that it lists, end it."""
    port = 18080
    with subprocess.Popen(
        f"exec {command} --port {port}", shell=True, cwd=folder, env=environment
    ) as server:
        try:
            for _ in range(60):
                time.sleep(0.5)
                try:
                    url = f"http://127.0.0.1:{port}/api/studies"
                    with urllib.request.urlopen(url, timeout=5) as answer:
                        assert '"mine"' in answer.read().decode()
                    return
                except OSError:
                    assert server.poll() is None, "the dashboard ended by itself"
            pytest.fail("the dashboard does not answer")
        finally:
            server.terminate()
