"""Walk the class folders of an image folder, by the rules of docs/image_folders.md.

Only names are read, and the first bytes of files without the ending of an image.
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
"""Endings of files that are often next to images; they are left out without a note."""
# Unfinished downloads, backups, previews and raw images, whose content can look like an image.
_OTHER_ENDINGS = frozenset({
    ".bak", ".tmp", ".part", ".partial", ".crdownload", ".download", ".thm", ".dng", ".nef",
    ".nrw", ".cr2", ".arw", ".srw", ".orf", ".rw2", ".pef", ".3fr", ".erf", ".kdc", ".dcr", ".mrw",
})  # fmt: skip
_NAMED = 5
"""Number of names in one message."""


@dataclass(frozen=True)
class _Folder:
    """The images of one folder in a class folder: names of files, and of links to files."""

    path: str
    real: str
    label: int
    files: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


class ImageTree:
    """The class folders of an image folder and all folders below them; each is read once.

    Args:
        top: The image folder.
        names: Names of the class folders, in the order of their labels.
    """

    def __init__(self, top: Path, names: list[str]) -> None:
        self._top = top
        self._real_top = os.path.realpath(top)
        self._folders: dict[str, _Folder] = {}  # by their real paths
        self._repeated: list[str] = []
        self._left_out: Counter[str] = Counter()
        self._first_left_out = ""
        self._repeated += [str(top / name) for name in links_up(top)]
        # Folders are read before links, so that a link to one of them is known as a repetition.
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
        """Yield the path and the label of every image, in order.

        Raises:
            DataError: An image is in two classes.
        """
        folders = sorted(self._folders.values(), key=lambda folder: (folder.label, folder.path))
        self._resolve_links(folders)
        for folder in folders:
            for name in sorted(folder.files):
                yield os.path.join(folder.path, name), folder.label  # noqa: PTH118

    def notes(self) -> Iterator[str]:
        """Yield sentences on files and links that were left out, for a warning."""
        if self._left_out:
            kinds = ", ".join(f"{n} {ending}" for ending, n in self._left_out.most_common(_NAMED))
            yield (
                f"files that are no images of a known format are left out: "
                f"{self._left_out.total()} ({kinds}), such as {self._first_left_out!r}"
            )
        if self._repeated:
            repeated = shown(self._repeated)
            yield f"links to folders and files that are read already are left out: {repeated}"
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
        # A broken link counts as an image that cannot be read, so that it is named.
        if ending in IMAGE_ENDINGS and (_is_file(entry) or not Path(entry.path).exists()):
            return True
        if ending not in _OTHER_ENDINGS and not entry.name.endswith("~") and _is_file(entry):
            try:
                if has_image_content(entry.path):
                    return True
            except OSError:
                return True  # the image cannot be read, and is named when all are read
        self._left_out[ending or "without an ending"] += 1
        self._first_left_out = self._first_left_out or entry.path
        return False

    def _resolve_links(self, folders: list[_Folder]) -> None:
        """Turn links to files into files of their folders, each file once."""
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
    """Return the entries of a folder without hidden files and files of operating systems.

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
    """Return True if `outer` is `inner`, or a folder that holds it; both are real paths."""
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
    """Return True if a name is that of a hidden file, or of a file of an operating system."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def ending_of(name: str) -> str:
    """Return the ending of a name in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def shown(names: list[str]) -> str:
    """Return the first few names and the number of the others, for a message."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more
