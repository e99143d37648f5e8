"""Images in tar files by the conventions of webdataset: members KEY.jpg and KEY.cls.

Nothing is unpacked, and no member but images and labels is read.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.data_names import shard_paths
from relativenas_optuna.training.data.image_file import IMAGE_ENDINGS
from relativenas_optuna.training.data.image_files import EncodedFiles, LabelledFiles, file_state
from relativenas_optuna.training.data.image_set import require_classes

_LARGEST_IMAGE = 1 << 28  # bytes
_LARGEST_LABEL = 32  # bytes
_MOST_CLASSES = 1_000_000


class _Member(NamedTuple):
    """An image in a tar file: its place, and its label as a number."""

    path: str
    name: str
    start: int
    size: int
    label: int


class ShardFiles(EncodedFiles):
    """Image files in tar files.

    Args:
        title: Absolute pattern of the tar files.
        paths: Paths of the tar files.
        members: Images in them.
    """

    part = "train"

    def __init__(self, title: str, paths: list[str], members: list[_Member]) -> None:
        self.title, self._paths, self._members = title, paths, members

    def __len__(self) -> int:
        return len(self._members)

    def name(self, index: int) -> str:
        """Return the path of the tar file and the name of the member."""
        member = self._members[index]
        return f"{member.path}/{member.name}"

    def state(self) -> Iterable[str]:
        """Yield the path, the size and the time of the last change of each tar file."""
        yield from map(file_state, self._paths)

    def _content(self, index: int) -> bytes:
        member = self._members[index]
        with Path(member.path).open("rb", buffering=0) as file:
            file.seek(member.start)
            return file.read(member.size)


def list_shards(pattern: str) -> LabelledFiles:
    """List the images in tar files, without reading them; the classes are named by their numbers.

    Args:
        pattern: Pattern of the tar files; see `shard_paths`.

    Raises:
        DataError: A tar file is missing, compressed, damaged or unsafe; an image has no label or
            a label no image; or there are fewer than two classes.
    """
    paths = shard_paths(pattern)
    members = [member for path in paths for member in _members(path)]
    if not members:
        raise DataError(f"data {pattern!r} has no images: members must be KEY.jpg and KEY.cls")
    labels = [member.label for member in members]
    require_classes(labels)
    highest, different = max(labels), len(set(labels))
    if highest >= 2 * different:
        raise DataError(
            f"labels of {pattern!r} must be 0 to n - 1 for n classes, got {different} different "
            f"labels up to {highest}: number the classes from 0"
        )
    return LabelledFiles(
        files=ShardFiles(str(Path(pattern).absolute()), paths, members),
        labels=torch.tensor(labels, dtype=torch.int64),
        classes=tuple(map(str, range(highest + 1))),
    )


def _members(path: str) -> Iterator[_Member]:
    """Yield the images of one tar file in order."""
    try:
        length = Path(path).stat().st_size
        with tarfile.open(path, "r:") as archive:
            yield from _paired(path, archive, length)
    except OSError as error:
        raise DataError(f"tar file {path!r} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, ValueError, RecursionError) as error:
        raise DataError(
            f"tar file {path!r} cannot be read: {' '.join(str(error).split())}; it must be a whole "
            f"tar file without compression"
        ) from error


def _paired(path: str, archive: tarfile.TarFile, length: int) -> Iterator[_Member]:
    """Yield the images with the labels of the members of the same key, which are neighbours."""
    key, image, label = None, None, None
    for member in archive:
        folder, base = os.path.split(member.name)
        stem, _, ending = base.partition(".")
        ending = f".{ending.lower()}"
        if not (ending == ".cls" or ending in IMAGE_ENDINGS):
            continue
        if (folder, stem) != key:
            if key is not None:
                yield _checked(path, key, image, label)
            key, image, label = (folder, stem), None, None
        if not member.isreg() or member.issparse():
            raise DataError(f"member {member.name!r} of {path!r} must be a plain file")
        if member.offset_data + member.size > length:
            raise DataError(f"tar file {path!r} is cut in its member {member.name!r}")
        if ending == ".cls":
            label = _label(path, archive, member)
        elif image is None:
            image = member
        else:
            raise DataError(f"tar file {path!r} has two images of the key {stem!r}")
    if key is not None:
        yield _checked(path, key, image, label)


def _checked(
    path: str, key: tuple[str, str], image: tarfile.TarInfo | None, label: int | None
) -> _Member:
    if image is None or label is None:
        lacks = "image" if image is None else "label (.cls)"
        raise DataError(
            f"tar file {path!r} has no {lacks} of the key {'/'.join(filter(None, key))!r}"
        )
    if image.size > _LARGEST_IMAGE:
        raise DataError(
            f"member {image.name!r} of {path!r} must have at most {_LARGEST_IMAGE:,} bytes; got "
            f"{image.size:,}"
        )
    return _Member(path, image.name, image.offset_data, image.size, label)


def _label(path: str, archive: tarfile.TarFile, member: tarfile.TarInfo) -> int:
    file = archive.extractfile(member)
    content = b"" if file is None else file.read(_LARGEST_LABEL + 1)
    text = content.strip()
    if not text.isdigit() or len(content) > _LARGEST_LABEL or int(text) >= _MOST_CLASSES:
        raise DataError(
            f"member {member.name!r} of {path!r} must be a whole number from 0, got {content!r}"
        )
    return int(text)
