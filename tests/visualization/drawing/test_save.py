import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from PIL import Image

from relativenas_optuna.spaces.published_cells import published
from relativenas_optuna.visualization.drawing import save_drawing
from relativenas_optuna.visualization.drawing._kinds import label_of

GENOTYPE = published("RelativeNAS")


def test_an_svg_holds_every_edge_as_text(tmp_path: Path) -> None:
    path = save_drawing(GENOTYPE, tmp_path / "cells.svg", title="RelativeNAS <&>")
    texts = [
        element.text for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    ]
    edges = Counter(label_of(e.operation) for e in GENOTYPE.normal.edges + GENOTYPE.reduce.edges)
    assert edges.items() <= Counter(texts).items()
    assert "RelativeNAS <&>" in texts


def test_a_png_opens_and_is_sharp_at_readme_width(tmp_path: Path) -> None:
    path = save_drawing(GENOTYPE, tmp_path / "cells.PNG")
    with Image.open(path) as drawing:
        drawing.load()
        assert drawing.format == "PNG"
        assert drawing.width > 1200
        assert drawing.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_architecture_gives_the_same_bytes_under_any_style(
    tmp_path: Path, suffix: str
) -> None:
    first = save_drawing(GENOTYPE, tmp_path / f"first{suffix}").read_bytes()
    with mpl.rc_context({"font.size": 20, "savefig.bbox": "tight", "patch.antialiased": False}):
        second = save_drawing(GENOTYPE, tmp_path / f"second{suffix}").read_bytes()
    assert first == second


@pytest.mark.parametrize("name", ["cells.jpg", "cells", "svg", "cells.svg.gz"])
def test_another_suffix_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    expected = re.escape(f"path must end in .png or .svg, got {str(path)!r}")
    with pytest.raises(ValueError, match=f"^{expected}$"):
        save_drawing(GENOTYPE, path)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save_drawing(GENOTYPE, tmp_path / "missing" / "cells.svg")


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "cells.svg"
    path.write_text("old")
    save_drawing(GENOTYPE, str(path))
    assert path.read_bytes().startswith(b"<?xml")
    assert list(tmp_path.iterdir()) == [path]
