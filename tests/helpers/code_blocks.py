"""The code blocks of a Markdown page, and how a reader would run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

_BLOCK = re.compile(r"^( *)```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^\1```$", re.M | re.S)
# These programs run until Ctrl-C.
_SERVERS = ("relativenas dashboard", "optuna-dashboard", "tensorboard", "mlflow server")
_PORT = 18081
_PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": lambda text: [*yaml.safe_load_all(text)],
}


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        language: Language after the fence; empty if there is none.
        title: Name of the file that the reader saves it to; empty for code to run at once.
        code: Content of the block.
    """

    language: str
    title: str
    code: str

    @property
    def runs(self) -> bool:
        """True for code that is run, at once or by a later command."""
        return self.language == "python" or self.is_command

    @property
    def is_command(self) -> bool:
        """True for commands of the shell that are run at once."""
        return self.language == "bash" and not self.title


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [
        Block(language, title, re.sub(f"^{indent}", "", code, flags=re.M))
        for indent, language, title, code in found
    ]


def run_blocks(blocks: list[Block], folder: Path, urls: dict[str, str]) -> None:
    """Do what a page says, in its order: save files, run commands and Python code.

    Args:
        blocks: Blocks of one page. All Python blocks share their variables.
        folder: Current folder of this process.
        urls: Addresses to use in place of those of the page.
    """
    variables: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        code = block.code
        for written, real in urls.items():
            code = code.replace(written, real)
        if block.title:
            (folder / block.title).write_text(code, encoding="utf-8")
        if block.language in _PARSERS:
            _PARSERS[block.language](code)
        elif block.title and block.language == "bash":
            # A script for another machine, such as a job of Slurm.
            subprocess.run(["bash", "-n", block.title], cwd=folder, check=True)
        elif block.is_command:
            _run_commands(code, folder)
        elif block.language == "python" and not block.title:
            exec(compile(code, "page", "exec"), variables)


def _run_commands(code: str, folder: Path) -> None:
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    served = [line for line in code.splitlines() if line.startswith(_SERVERS)]
    others = [line for line in code.splitlines() if line not in served]
    script = "\n".join(("set -euo pipefail", *others))
    subprocess.run(["bash", "-c", script], cwd=folder, env=environment, check=True)
    for command in served:
        _see_answer(f"{command} --port {_PORT}", folder, environment)


def _see_answer(command: str, folder: Path, environment: dict[str, str]) -> None:
    """Start a server, wait until it answers, and end it."""
    with subprocess.Popen(f"exec {command}", shell=True, cwd=folder, env=environment) as server:
        try:
            for _ in range(120):
                time.sleep(0.5)
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{_PORT}", timeout=5) as answer:
                        assert answer.status == 200
                    return
                except OSError:
                    assert server.poll() is None, f"{command} ended by itself"
            pytest.fail(f"{command} does not answer")
        finally:
            server.terminate()
