"""Named points of the writing of weights, at which a process can die or find its disk full."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relativenas_optuna.objective.checkpoints import artifact_files
from relativenas_optuna.objective.checkpoints.ledger import Ledger

POINTS = ("half", "rename", "pointer", "pointed", "remove")
"""Half of a file is written; all of it, under another name; it is complete, and the pointer does
not name it yet; the pointer names it, and nothing else was done; old files are to be removed."""

# Weights, the pointer to them, the state of a stand-alone training, and weights of finals.
_UNFINISHED = re.compile(r"\.(weights|state|final)[.-].*\.tmp")


def arm(fault: str, patch: pytest.MonkeyPatch | None = None) -> None:
    """Let something happen at a point, in this process from now on.

    Args:
        fault: The point and the number of the time that it is passed, from 1: with `half:3` the
            process kills itself when it has written half of a file for the third time; with
            `half:3:full` the disk is full then. Nothing happens at a point of another name.
        patch: Takes the changes to the package back; without it they last.
    """
    patch = patch or pytest.MonkeyPatch()
    point, number, *how = fault.split(":")
    left = int(number)

    def pass_point(name: str) -> None:
        nonlocal left
        left -= name == point
        if name == point and left == 0:
            if how == ["full"]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.kill(os.getpid(), signal.SIGKILL)

    _patch_files(patch, pass_point)
    _patch_ledger(patch, pass_point)


def _patch_files(patch: pytest.MonkeyPatch, pass_point: Callable[[str], None]) -> None:
    class File(io.BufferedWriter):
        def write(self, content: Any, /) -> int:
            half = len(content) // 2
            super().write(content[:half])
            pass_point("half")
            return half + super().write(content[half:])

    class Body(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            half, before = len(self.getbuffer()) // 2, self.tell()
            part = super().read(size)
            if before <= half < self.tell():
                pass_point("half")
            return part

    open_file, replace = Path.open, Path.replace

    def opened(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode == "wb" and _UNFINISHED.fullmatch(path.name):
            return File(io.FileIO(path, "w"))
        return open_file(path, mode, *arguments, **options)

    def replaced(path: Path, target: Path) -> Path:
        if _UNFINISHED.fullmatch(path.name):
            pass_point("rename")
        return replace(path, target)

    patch.setattr(Path, "open", opened)
    patch.setattr(Path, "replace", replaced)
    patch.setattr(artifact_files, "BytesIO", Body)


def _patch_ledger(patch: pytest.MonkeyPatch, pass_point: Callable[[str], None]) -> None:
    advance, remove = Ledger.advance, Ledger.remove

    def advanced(ledger: Ledger, *arguments: Any) -> bool:
        pass_point("pointer")
        done = advance(ledger, *arguments)
        if done:
            pass_point("pointed")
        return done

    def removed(ledger: Ledger, *arguments: Any) -> None:
        pass_point("remove")
        remove(ledger, *arguments)

    patch.setattr(Ledger, "advance", advanced)
    patch.setattr(Ledger, "remove", removed)
