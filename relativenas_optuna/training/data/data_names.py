"""Tell the kinds of data sets apart by the text that names them.

It is a name ("digits"), "hf:NAME" for the library `datasets` of Hugging Face, a pattern of tar
files ("shards-{000..003}.tar"), or the path of a folder.
"""

from __future__ import annotations

import re
from glob import glob
from pathlib import Path

from relativenas_optuna.exceptions import DataError

DATA_NAMES = ("digits", "cifar10", "cifar100")
"""Data sets that have a name of their own."""
HUB = "hf:"
"""Start of the text of a data set of the library `datasets`."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_LIST = re.compile(r"\{([^{}]*,[^{}]*)\}")
_MOST_SHARDS = 100_000


def absolute_source(source: str) -> str:
    """Return the text of a data set with an absolute path, if it has a path."""
    if source in DATA_NAMES:
        return source
    if not source.startswith(HUB):
        return str(Path(source).absolute())
    name, comma, options = source.removeprefix(HUB).partition(",")
    return f"{HUB}{Path(name).absolute() if Path(name).is_dir() else name}{comma}{options}"


def has_path(source: str) -> bool:
    """Return True if a data set, as `absolute_source` returns it, is one of files at a path."""
    return source not in DATA_NAMES and Path(source.removeprefix(HUB)).is_absolute()


def is_missing(source: str) -> bool:
    """Return True if files of a data set, as `absolute_source` returns it, are not at its path."""
    if not has_path(source):
        return False
    if is_shards(source):
        paths = shard_paths(source)
        return not paths or not all(Path(path).exists() for path in paths)
    return not Path(source.removeprefix(HUB).partition(",")[0]).exists()


def is_folder(source: str) -> bool:
    """Return True if a text names a folder of images."""
    return not (source in DATA_NAMES or source.startswith(HUB) or is_shards(source))


def is_shards(source: str) -> bool:
    """Return True if a text names tar files."""
    return not source.startswith(HUB) and source.endswith(".tar")


def shard_paths(pattern: str) -> list[str]:
    """Return the paths of tar files in order, whether or not they exist.

    Args:
        pattern: Path with any number of ranges `{000..003}` and lists `{a,b}`, or with the signs
            `*`, `?` and `[...]` of a shell.

    Raises:
        DataError: They are more than 100,000.
    """
    paths = [pattern]
    if not Path(pattern).exists():
        paths = _expanded(pattern)
        if paths == [pattern]:
            paths = sorted(glob(pattern)) or paths  # noqa: PTH207 - the pattern may be absolute
    return paths


def _expanded(pattern: str) -> list[str]:
    """Return the texts of a pattern in braces, as a shell expands it."""
    texts = [pattern]
    while match := _RANGE.search(texts[0]) or _LIST.search(texts[0]):
        if match.lastindex == 2:
            first, last = int(match[1]), int(match[2])
            width = len(match[1]) if match[1].startswith("0") else 0
            numbers = range(first, max(first, last) + 1)
            parts = [f"{number:0{width}}" for number in numbers[: _MOST_SHARDS + 1]]
        else:
            parts = match[1].split(",")
        if len(texts) * len(parts) > _MOST_SHARDS:
            raise DataError(f"data {pattern!r} must be at most {_MOST_SHARDS:,} files")
        texts = [text.replace(match[0], part, 1) for text in texts for part in parts]
    return texts
