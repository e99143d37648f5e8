"""Write drawings to files."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.style import context

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.visualization.drawing._figure import draw_genotype

# The date and the version of Matplotlib would make two files of one architecture differ.
_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
}
_DOTS_PER_INCH = 200


def save_drawing(
    genotype: Genotype, path: str | os.PathLike[str], *, title: str | None = None
) -> Path:
    """Draw an architecture into a PNG or SVG file.

    The same architecture and title give the same bytes. The file is written as a whole or not at
    all.

    Args:
        genotype: The architecture.
        path: Path that ends in `.png` or `.svg`; an existing file is replaced.
        title: Line above the drawing.

    Returns:
        The path.

    Raises:
        ValueError: The path has another ending.
        OSError: The file cannot be written.
    """
    return save_figure(lambda: draw_genotype(genotype, title=title), path)


def save_figure(
    draw: Callable[[], Figure],
    path: str | os.PathLike[str],
    *,
    dots_per_inch: int = _DOTS_PER_INCH,
) -> Path:
    """Write a figure into a PNG or SVG file, as `save_drawing` does.

    Args:
        draw: Function that returns the figure; it is called with Matplotlib's default style.
        path: Path that ends in `.png` or `.svg`; an existing file is replaced.
        dots_per_inch: Resolution of a PNG.

    Returns:
        The path.

    Raises:
        ValueError: The path has another ending.
        OSError: The file cannot be written.
    """
    path = Path(path)
    form = path.suffix.lower().removeprefix(".")
    if form not in _METADATA:
        raise ValueError(f"path must end in .png or .svg, got {str(path)!r}")
    write_whole(path, figure_bytes(draw, form, dots_per_inch=dots_per_inch))
    return path


def figure_bytes(
    draw: Callable[[], Figure], form: str, *, dots_per_inch: int = _DOTS_PER_INCH
) -> bytes:
    """Return the bytes of a figure as `save_figure` writes them; `form` is "png" or "svg"."""
    content = io.BytesIO()
    # Matplotlib reads these from its global settings only: texts stay texts in an SVG, and its ids
    # are not random. The user's own style does not change the drawing.
    style = {"svg.fonttype": "none", "svg.hashsalt": "relativenas-optuna"}
    with context(["default", style]), warnings.catch_warnings():
        # A letter that is missing in the font is drawn as a box, which the reader sees.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        draw().savefig(content, format=form, dpi=dots_per_inch, metadata=_METADATA[form])
    return content.getvalue()
