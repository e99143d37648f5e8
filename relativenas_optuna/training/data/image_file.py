"""Read one image file as an RGB image, and tell image files from others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from relativenas_optuna.exceptions import DataError

IMAGE_ENDINGS = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".png", ".apng", ".gif", ".webp", ".avif", ".bmp",
    ".dib", ".tif", ".tiff", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".tga",
})  # fmt: skip
"""Endings of image files, in lower case."""
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's modes with more than 8 bits per channel; Pillow would clip them when it makes RGB."""
# EPS is missing on purpose: Pillow runs it in an external interpreter.
_FORMATS = frozenset(
    {"AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP"}
)
_STARTS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
)
_NAMED = 10
"""Number of images that one message names."""
_NEARLY_WHITE = 250
_TURNED = (5, 6, 7, 8)
"""EXIF's orientations of images whose rows are shown as columns."""


def has_image_content(path: str) -> bool:
    """Return True if the first bytes of a file are those of an image format that is read.

    Raises:
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as file:
        start = file.read(32)
    if start.startswith(_STARTS):
        return True
    if start[:2] == b"BM":  # a text can begin like this, so the size of the header is checked too
        return start[6:10] == bytes(4) and start[14:18] in (
            b"\x28\0\0\0",
            b"\x6c\0\0\0",
            b"\x7c\0\0\0",
        )
    if start[:4] == b"RIFF":
        return start[8:12] == b"WEBP"
    return start[4:12] in (b"ftypavif", b"ftypavis")


def open_image(path: str, size: int | None = None, content: bytes | None = None) -> Image.Image:
    """Read one image as RGB; rotate it as its EXIF data says, and fill transparent parts.

    Args:
        path: Path of the file, or its name for messages if `content` is given.
        size: Side in pixels that the image will be resized to. A JPEG may then be read smaller
            than it is, with at least twice that side.
        content: Content of the file; None reads it from `path`.

    Raises:
        DataError: The file is damaged, is no image, or has more than 8 bits a channel.
    """
    with _readable(path, content) as file:
        if size is not None:
            # A JPEG decoder can skip detail; twice the side keeps the resizing's quality.
            file.draft("RGB", (2 * size, 2 * size))
        if file.mode in DEEP_MODES:
            raise DataError("it has more than 8 bits a channel, convert it to 8 bits")
        return opaque(ImageOps.exif_transpose(file)).convert("RGB")


def image_size(path: str, content: bytes | None = None) -> tuple[int, int]:
    """Return width and height in pixels of the image that `open_image` reads, without reading it.

    Args:
        path: Path of the file, or its name for messages if `content` is given.
        content: Content of the file; None reads it from `path`.

    Raises:
        DataError: The file is missing or is no image.
    """
    with _readable(path, content) as file:
        width, height = file.size
        turned = file.getexif().get(ExifTags.Base.Orientation) in _TURNED
        return (height, width) if turned else (width, height)


@contextmanager
def _readable(path: str, content: bytes | None) -> Iterator[Image.Image]:
    """Open an image file; whatever is raised while it is open becomes `UnreadableImages`."""
    try:
        with Image.open(path if content is None else BytesIO(content)) as file:
            if file.format not in _FORMATS:
                raise DataError(f"its format is {file.format}, convert it to PNG or JPEG")
            yield file
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes Pillow's plug-ins raise nearly anything
        raise UnreadableImages([(path, _reason(path, content, error))]) from error


class UnreadableImages(DataError):
    """Image files that cannot be read.

    Args:
        images: Path and reason of each.
    """

    def __init__(self, images: Sequence[tuple[str, str]]) -> None:
        self.images = images
        if len(images) == 1:
            path, reason = images[0]
            super().__init__(f"image {path!r} cannot be read: {reason}")
            return
        named = ", ".join(f"{path!r} ({reason})" for path, reason in images[:_NAMED])
        more = f" and {len(images) - _NAMED} more" if len(images) > _NAMED else ""
        super().__init__(
            f"{len(images)} images cannot be read; replace or remove them: {named}{more}"
        )

    def __reduce__(self) -> tuple[type[UnreadableImages], tuple[Sequence[tuple[str, str]]]]:
        return UnreadableImages, (self.images,)


def opaque(image: Image.Image) -> Image.Image:
    """Fill transparent parts with white, or with black if the result would be white everywhere.

    Returns:
        An image without transparency; of mode "L" or "RGB" if it had any. The transparency of an
        image that is transparent everywhere is ignored.
    """
    if not image.has_transparency_data:
        return image
    grey = image.mode in ("1", "L", "LA", "La")
    layered = image.convert("LA" if grey else "RGBA")
    colours, alpha = layered.convert("L" if grey else "RGB"), layered.getchannel("A")
    if alpha.getextrema() in ((0, 0), (255, 255)):
        return colours
    for level in (255, 0):
        ground = Image.new(colours.mode, colours.size, (level,) * len(colours.getbands()))
        ground.paste(colours, mask=alpha)
        if np.asarray(ground).min() < _NEARLY_WHITE:
            break
    return ground


def _reason(path: str, content: bytes | None, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        if content is None:
            with Path(path).open("rb") as file:
                content = file.read(12)
        if not content:
            return "the file is empty"
        if content[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
            return "it is a HEIC image, convert it to JPEG"
        return "it is no image of a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
