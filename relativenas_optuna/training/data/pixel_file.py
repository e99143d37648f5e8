"""Write the pixels of images to one file, and read those of some images from it.

The file has the safetensors format, with one tensor "images", `[n, c, h, w]`. It is read by
position rather than mapped into memory, because a limit of the address space (`ulimit -v`) counts
a mapping whole.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from relativenas_optuna.exceptions import DataError

_HEADER = 4096  # bytes before the pixels, so that these begin at a page of the disk
_TYPES: dict[str, np.dtype[Any]] = {"U8": np.dtype(np.uint8), "F32": np.dtype(np.float32)}
_NAMES = {kind: name for name, kind in _TYPES.items()}

Array = npt.NDArray[Any]


class PixelFile:
    """The pixels of images in an open file, which any number of threads may read.

    Args:
        file: File, open for reading and without a buffer; it is closed with this object.
        shape: Shape of all images, (n, c, h, w).
        dtype: uint8 or float32.
        notes: Texts that were written with the images.
    """

    def __init__(
        self,
        file: FileIO,
        shape: tuple[int, int, int, int],
        dtype: np.dtype[Any],
        notes: Mapping[str, str],
    ) -> None:
        self.file, self.shape, self.dtype, self.notes = file, shape, dtype, notes
        self._lock = threading.Lock()
        weakref.finalize(self, file.close)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def image_bytes(self) -> int:
        """Number of bytes of an image."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def read(self, rows: npt.NDArray[np.int64], out: Array | None = None) -> Array:
        """Return the images at `rows`, `[len(rows), c, h, w]`.

        Args:
            rows: Numbers of images, 0 to n - 1.
            out: Contiguous array that is filled and returned; None makes one.

        Raises:
            DataError: The file has become shorter.
            OSError: The file cannot be read.
        """
        if out is None:
            out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        one = self.image_bytes
        view = out.reshape(-1).view(np.uint8).data
        # Neighbours in the file are read at once.
        bounds = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        for start, stop in pairwise(bounds):
            if start < stop:
                self._read_at(_HEADER + int(rows[start]) * one, view[start * one : stop * one])
        return out

    def _read_at(self, position: int, view: memoryview) -> None:
        while view:
            if sys.platform != "win32":
                count = os.preadv(self.file.fileno(), [view], position)
            else:
                with self._lock:
                    self.file.seek(position)
                    count = self.file.readinto(view)
            if not count:
                raise DataError(f"the file of images {self.file.name!r} was cut: start again")
            position, view = position + count, view[count:]


class PixelWriter:
    """A writer of images to a file, one after another.

    Args:
        file: Empty file, open for reading and writing, without a buffer.
        shape: Shape of an image, (c, h, w).
        dtype: uint8 or float32.
    """

    def __init__(self, file: FileIO, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        self.file, self._shape, self._dtype, self._count = file, shape, dtype, 0
        self._write(bytes(_HEADER))

    def append(self, images: Array) -> None:
        """Write images `[b, c, h, w]`.

        Raises:
            OSError: The disk is full, or fails.
        """
        self._write(np.ascontiguousarray(images, self._dtype).reshape(-1).view(np.uint8).data)
        self._count += len(images)

    def finish(self, notes: Mapping[str, str]) -> None:
        """Write the header, without which the file cannot be read, and flush all to the disk.

        Args:
            notes: Texts to keep with the images, of less than 3,000 bytes.

        Raises:
            OSError: The disk is full, or fails.
        """
        shape = [self._count, *self._shape]
        entry = {
            "dtype": _NAMES[self._dtype],
            "shape": shape,
            "data_offsets": [0, math.prod(shape) * self._dtype.itemsize],
        }
        header = json.dumps({"__metadata__": dict(notes), "images": entry}).encode()
        assert len(header) <= _HEADER - 8
        self.file.seek(0)
        # The format pads its header with spaces.
        self._write((_HEADER - 8).to_bytes(8, "little") + header.ljust(_HEADER - 8))
        os.fsync(self.file.fileno())

    def _write(self, content: bytes | memoryview) -> None:
        view = memoryview(content)
        while view:  # a file without a buffer may take less than it is given
            view = view[self.file.write(view) :]


def open_pixels(file: FileIO) -> PixelFile:
    """Return the pixels of a file that `PixelWriter` has written.

    Args:
        file: File, open for reading.

    Raises:
        ValueError: The file is not a whole one of this kind.
    """
    file.seek(0)
    start = file.read(_HEADER)
    if len(start) < _HEADER or int.from_bytes(start[:8], "little") != _HEADER - 8:
        raise ValueError("it has another header")
    dtype: np.dtype[Any]
    try:
        header = json.loads(start[8:])
        entry, notes = header["images"], header["__metadata__"]
        shape, dtype = tuple(entry["shape"]), _TYPES[entry["dtype"]]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError("its header cannot be read") from error
    numbers = len(shape) == 4 and all(type(side) is int and side > 0 for side in shape)
    texts = isinstance(notes, dict) and all(isinstance(text, str) for text in notes.values())
    if not numbers or not texts:
        raise ValueError("its header cannot be read")
    if file.seek(0, os.SEEK_END) != _HEADER + math.prod(shape) * dtype.itemsize:
        raise ValueError("it has another length than its header says")
    return PixelFile(file, shape, dtype, notes)


def open_pixels_at(path: Path) -> PixelFile:
    """Return the pixels of the file at `path`.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not a whole one of this kind.
    """
    file = path.open("rb", buffering=0)
    try:
        return open_pixels(file)
    except BaseException:
        file.close()
        raise
