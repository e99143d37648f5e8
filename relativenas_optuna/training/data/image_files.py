"""Image files that are opened by their number, and those of a folder."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol

import PIL
from PIL import Image
from torch import Tensor

from relativenas_optuna._utils.files import file_name
from relativenas_optuna.training.data.image_file import image_size, open_image


class ImageFiles(Protocol):
    """Image files in a folder, in archives or in a data set of a library."""

    @property
    def title(self) -> str:
        """Path of the data set, or text that names it."""

    @property
    def part(self) -> str:
        """Name of the part of the data set, which tells it from the other parts."""

    def __len__(self) -> int:
        """Return the number of files."""

    def open(self, index: int, size: int | None) -> Image.Image:
        """Return an image in RGB; for `size` and the errors see `open_image`."""

    def dimensions(self, index: int) -> tuple[int, int]:
        """Return width and height of an image without reading all of it; see `image_size`."""

    def name(self, index: int) -> str:
        """Return the name of a file, for messages."""

    def state(self) -> Iterable[str]:
        """Yield texts that differ if the files, or their content, do."""


class LabelledFiles(NamedTuple):
    """Image files and their labels.

    Attributes:
        files: The files.
        labels: Labels, int64, `[n]`, each the index of one of `classes`.
        classes: Names of the classes.
    """

    files: ImageFiles
    labels: Tensor
    classes: tuple[str, ...]


class EncodedFiles(ABC):
    """Image files whose bytes are parts of other files."""

    def open(self, index: int, size: int | None) -> Image.Image:
        """Return an image in RGB; see `open_image`."""
        return open_image(self.name(index), size, self._content(index))

    def dimensions(self, index: int) -> tuple[int, int]:
        """Return width and height of an image; see `image_size`."""
        return image_size(self.name(index), self._content(index))

    @abstractmethod
    def name(self, index: int) -> str:
        """Return the name of a file, for messages."""

    @abstractmethod
    def _content(self, index: int) -> bytes:
        """Return the bytes of a file."""


class FolderFiles:
    """Image files in folders.

    Args:
        title: Absolute path of the data set.
        paths: Paths of the files.
        part: Name of the part of the data set, which tells it from the other parts.
    """

    def __init__(self, title: str, paths: Sequence[str], *, part: str) -> None:
        self.title, self.part, self._paths = title, part, paths

    def __len__(self) -> int:
        return len(self._paths)

    def open(self, index: int, size: int | None) -> Image.Image:
        """Return an image in RGB; see `open_image`."""
        return open_image(self._paths[index], size)

    def dimensions(self, index: int) -> tuple[int, int]:
        """Return width and height of an image; see `image_size`."""
        return image_size(self._paths[index])

    def name(self, index: int) -> str:
        """Return the path of a file."""
        return self._paths[index]

    def state(self) -> Iterable[str]:
        """Yield the path, the size and the time of the last change of each file."""
        for path in self._paths:
            try:
                yield file_state(path)
            except OSError as error:  # the error of reading it names the file
                yield f"{path} {error.strerror}"


def file_state(path: str) -> str:
    """Return the path, the size and the time of the last change of a file.

    Raises:
        OSError: The file is not there.
    """
    found = os.stat(path)  # noqa: PTH116 - of a million files
    return f"{path} {found.st_size} {found.st_mtime_ns}"


def cache_name(files: ImageFiles, size: int | None) -> tuple[str, str]:
    """Return the name of the file of the cache for images, and the key of their content.

    Args:
        files: Image files.
        size: Side in pixels that they are resized to; None for their own size.
    """
    of = f"{files.title} {files.part} {size}"
    # Another version of Pillow may resize in another way.
    key = sha256(PIL.__version__.encode())
    for text in files.state():
        key.update(f"\n{text}".encode(errors="surrogateescape"))
    short = sha256(of.encode(errors="surrogateescape")).hexdigest()[:16]
    return f"{file_name(Path(files.title).name)[:60]}-{files.part}-{short}", key.hexdigest()
