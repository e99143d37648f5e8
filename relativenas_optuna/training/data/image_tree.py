"""Walk the class folders of an image folder; docs/image_folders.md has the rules.

Only names are read, and the first bytes of files whose name does not tell what they are.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_file import IMAGE_ENDINGS, has_image_content

_SYSTEM_NAMES = frozenset({
    "__macosx", "@eadir", "#recycle", "@recycle", "$recycle.bin", "system volume information",
    "lost+found", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r",
})  # fmt: skip
_TEXT_ENDINGS = frozenset({
    ".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".md", ".rst", ".html", ".htm", ".log", ".py", ".ipynb", ".db", ".sha256", ".md5",
})  # fmt: skip
"""Endings of files that lie beside images; these are left out without a word."""
# Their content can look like an image, but they are unfinished, backups, previews or raw.
_OTHER_ENDINGS = frozenset({
    ".bak", ".tmp", ".part", ".partial", ".crdownload", ".download", ".thm", ".dng", ".nef",
    ".nrw", ".cr2", ".arw", ".srw", ".orf", ".rw2", ".pef", ".3fr", ".erf", ".kdc", ".dcr", ".mrw",
})  # fmt: skip
_NAMED = 5
"""Names that one message names."""


@dataclass(frozen=True)
class _Folder:
    """The images of one folder in a class folder: names of files, and of links to files."""

    path: str
    real: str
    label: int
    files: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


class ImageTree:
    """The class folders with all folders in them, each of which is read once."""

    def __init__(self, top: Path, names: list[str]) -> None:
        self._top = top
        self._real_top = os.path.realpath(top)
        self._folders: dict[str, _Folder] = {}  # by their real paths
        self._repeated: list[str] = []
        self._left_out: Counter[str] = Counter()
        self._first_left_out = ""
        self._repeated += [str(top / name) for name in links_up(top)]
        # What is in the folder itself comes first: a link to it is then known to repeat it.
        classes = [(str(top / name), label) for label, name in enumerate(names)]
        links = [(path, label) for path, label in classes if Path(path).is_symlink()]
        for path, label in classes:
            if not Path(path).is_symlink():
                links += self._read(path, label)
        links.sort()
        for path, label in links:
            links += self._read(path, label)

    @property
    def real_folders(self) -> frozenset[str]:
        """The real paths of all folders."""
        return frozenset(self._folders)

    def images(self) -> Iterator[tuple[str, int]]:
        """Path and label of every image, in order.

        Raises:
            DataError: An image is in two classes.
        """
        folders = sorted(self._folders.values(), key=lambda folder: (folder.label, folder.path))
        self._resolve_links(folders)
        for folder in folders:
            for name in sorted(folder.files):
                yield os.path.join(folder.path, name), folder.label  # noqa: PTH118

    def notes(self) -> Iterator[str]:
        """Return sentences on what was left out, for a warning."""
        if self._left_out:
            kinds = ", ".join(f"{n} {ending}" for ending, n in self._left_out.most_common(_NAMED))
            yield (
                f"files that are no images of a known format are left out: "
                f"{self._left_out.total()} ({kinds}), such as {self._first_left_out!r}"
            )
        if self._repeated:
            yield (f"links to what is read already are left out: {shown(self._repeated)}")
        below: dict[int, set[str]] = {}
        for folder in self._folders.values():
            if folder.files:
                parts = Path(folder.path).relative_to(self._top).parts
                below.setdefault(folder.label, set()).add(parts[1] if len(parts) > 1 else "")
        same = below.get(0, set())
        if len(same) > 1 and "" not in same and all(names == same for names in below.values()):
            yield (
                f"every class folder has the same sub-folders, {shown(sorted(same))}, which are "
                f"not taken for classes"
            )

    def _read(self, path: str, label: int) -> list[tuple[str, int]]:
        """Read a folder and the folders in it; return the links to folders in them."""
        links, pending = [], [path]
        while pending:
            here = pending.pop()
            real = os.path.realpath(here)
            if _holds(real, self._real_top) or real in self._folders:
                self._repeated.append(here)
                continue
            folder = self._folders[real] = _Folder(here, real, label)
            for entry in entries_of(here):
                if is_directory(entry):
                    if entry.is_symlink():
                        links.append((entry.path, label))
                    else:
                        pending.append(entry.path)
                elif self._is_image(entry):
                    (folder.links if entry.is_symlink() else folder.files).append(entry.name)
        return links

    def _is_image(self, entry: os.DirEntry[str]) -> bool:
        ending = ending_of(entry.name)
        if ending in _TEXT_ENDINGS:
            return False
        # A link to nothing is an image that cannot be read.
        if ending in IMAGE_ENDINGS and (_is_file(entry) or not Path(entry.path).exists()):
            return True
        if ending not in _OTHER_ENDINGS and not entry.name.endswith("~") and _is_file(entry):
            try:
                if has_image_content(entry.path):
                    return True
            except OSError:
                return True  # and one that cannot be read
        self._left_out[ending or "without an ending"] += 1
        self._first_left_out = self._first_left_out or entry.path
        return False

    def _resolve_links(self, folders: list[_Folder]) -> None:
        """Make files of the links to files, each file once."""
        if not any(folder.links for folder in folders):
            return
        first = {
            os.path.join(folder.real, name): (folder, name)  # noqa: PTH118
            for folder in folders
            for name in folder.files
        }
        for folder in folders:
            for name in sorted(folder.links):
                path = os.path.join(folder.path, name)  # noqa: PTH118
                other, other_name = first.setdefault(os.path.realpath(path), (folder, name))
                if other.label != folder.label:
                    raise DataError(
                        f"{path!r} and {os.path.join(other.path, other_name)!r} are one image in "  # noqa: PTH118
                        f"two classes; remove one of the links"
                    )
                if (other, other_name) == (folder, name):
                    folder.files.append(name)
                else:
                    self._repeated.append(path)


def entries_of(folder: str) -> list[os.DirEntry[str]]:
    """Return what is in a folder, without hidden files and those of operating systems.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_system(entry.name)]
    except OSError as error:
        raise DataError(f"folder {folder!r} cannot be read: {error.strerror}") from error


def links_up(folder: Path) -> list[str]:
    """Return the names of the links in a folder that lead to it, or to a folder that holds it.

    Raises:
        DataError: The folder cannot be read.
    """
    top = os.path.realpath(folder)
    return [
        entry.name
        for entry in entries_of(str(folder))
        if entry.is_symlink() and is_directory(entry) and _holds(os.path.realpath(entry.path), top)
    ]


def _holds(outer: str, inner: str) -> bool:
    """Return True if a real path is that of a folder, or of a folder that holds it."""
    return f"{inner}{os.sep}".startswith(f"{outer.rstrip(os.sep)}{os.sep}")


def is_directory(entry: os.DirEntry[str]) -> bool:
    """Return True if an entry is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def is_system(name: str) -> bool:
    """Return True if a name is that of a hidden file or folder, or one of operating systems."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def ending_of(name: str) -> str:
    """Return the ending of a name in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def shown(names: list[str]) -> str:
    """The first of many names, for a message."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more
