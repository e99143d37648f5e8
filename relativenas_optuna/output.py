"""What a command leaves behind: files, and the commands that go on from here."""

from __future__ import annotations

import shlex
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from relativenas_optuna._files import write_whole

if TYPE_CHECKING:
    from relativenas_optuna.spaces.genotype import Genotype

_UNITS = {"days": 24 * 3600, "hours": 3600, "minutes": 60}


def write_genotype(genotype: Genotype, folder: Path, stem: str, title: str) -> None:
    """Write an architecture as text, JSON and pictures into a folder."""
    from relativenas_optuna.drawing import save_drawing

    write_whole(folder / f"{stem}.txt", f"{genotype.to_text()}\n".encode())
    write_whole(folder / f"{stem}.json", f"{genotype.to_json()}\n".encode())
    for suffix in ("png", "svg"):
        save_drawing(genotype, folder / f"{stem}.{suffix}", title=title)


def shown_path(path: Path) -> str:
    """A path as a person would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def shown_name(name: str) -> str:
    """A study's name in a line: as it is, or in quotes where it could break the line."""
    return name if name.isprintable() and name == name.strip() else repr(name)


def shown_place(place: str) -> str:
    """A place of weights, as a person would type it here."""
    return place if "://" in place else shown_path(Path(place))


def file_names(stem: str) -> list[str]:
    """What `write_genotype` writes."""
    return [f"{stem}.{suffix}" for suffix in ("txt", "json", "png", "svg")]


def command(*words: str, storage: str, study: str | None = None) -> str:
    """A command of ours, of a study if it is named, as a person would type it here."""
    # Here, for `program` is also called when Ctrl-C has interrupted the import of Optuna.
    from relativenas_optuna.plan import DEFAULT_STORAGE, DEFAULT_STUDY

    options = []
    if storage != DEFAULT_STORAGE:
        options += ["--storage", storage]
    if study not in (None, DEFAULT_STUDY):
        options += ["--study", str(study)]
    return f"{program('relativenas')} {shlex.join([*words, *options])}"


def program(name: str) -> str:
    """How a program of this environment is called from here."""
    beside = Path(sys.executable).parent / name
    on_path = shutil.which(name)
    if on_path is None or Path(on_path).resolve() != beside.resolve():
        return shlex.quote(shown_path(beside)) if beside.exists() else name
    return name


def node_lines(text: str) -> str:
    """The text of a genotype with a line for each node."""
    return text.replace(" | ", " |\n        ")


def duration(seconds: float) -> str:
    """A time span as people say it."""
    for unit, length in _UNITS.items():
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"


def ago(time: datetime) -> str:
    """Return how long ago a time without a zone was, by this machine's clock."""
    return f"{duration(seconds_between(time, datetime.now()))} ago"


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Return the seconds between two times of this machine, also where summer time begins or ends.

    0 where the clock of another machine, or one that was set, says that `later` was before.
    """
    return max(0.0, later.timestamp() - earlier.timestamp())
