import subprocess
import sys
from collections import Counter
from itertools import combinations

import matplotlib as mpl
import pytest
from hypothesis import given, settings
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from relativenas_optuna.drawing import draw_genotype
from relativenas_optuna.drawing._kinds import KINDS, kind_of, label_of
from relativenas_optuna.spaces.cell_space import PAPER_OPERATIONS
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.spaces.published import PUBLISHED, published
from tests.drawing.genotypes import genotypes


def labels(figure: Figure) -> list[tuple[str, Bbox]]:
    """The words of a picture and the room that they take, in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in texts]


def check_labels(figure: Figure) -> None:
    found = labels(figure)
    for (_, first), (_, second) in combinations(found, 2):
        assert not first.overlaps(second)
    width, height = figure.get_size_inches() * figure.dpi
    for _, room in found:
        assert 0 <= room.x0 < room.x1 <= width
        assert 0 <= room.y0 < room.y1 <= height


@settings(max_examples=15)
@given(genotypes())
def test_labels_never_overlap_nor_leave_the_picture(genotype: Genotype) -> None:
    check_labels(draw_genotype(genotype, title="A title"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_labels_of_published_cells_never_overlap(name: str) -> None:
    check_labels(draw_genotype(published(name)))


@settings(max_examples=5)
@given(genotypes())
def test_every_edge_is_labelled_twins_included(genotype: Genotype) -> None:
    found = Counter(text for text, _ in labels(draw_genotype(genotype)))
    edges = Counter(label_of(e.operation) for e in genotype.normal.edges + genotype.reduce.edges)
    assert edges.items() <= found.items()


def test_the_legend_names_the_kinds_that_occur_and_no_other() -> None:
    genotype = published("NASNet_A")
    found = {text for text, _ in labels(draw_genotype(genotype))}
    used = {kind_of(operation).label for operation in genotype.operations}
    assert found & {kind.label for kind in KINDS} == used


def test_operations_are_named_as_a_person_would() -> None:
    assert [label_of(operation) for operation in PAPER_OPERATIONS] == [
        "max pool 3×3",
        "avg pool 3×3",
        "skip",
        "sep conv 3×3",
        "sep conv 5×5",
        "dil conv 3×3",
        "dil conv 5×5",
    ]
    assert label_of("conv_7x1_1x7") == "conv 7×1 1×7"


def test_kinds_differ_in_colour() -> None:
    assert len({kind.colour for kind in KINDS}) == len({kind.fill for kind in KINDS}) == len(KINDS)


def test_a_title_is_taken_literally() -> None:
    title = r"best of $5 and \alpha_{1$"
    assert title in dict(labels(draw_genotype(published("RelativeNAS"), title=title)))


def test_drawing_leaves_global_settings_alone() -> None:
    before = dict(mpl.rcParams)
    draw_genotype(published("RelativeNAS"))
    assert dict(mpl.rcParams) == before


def test_drawing_loads_no_pyplot() -> None:
    code = (
        "import sys\n"
        "from relativenas_optuna.drawing import draw_genotype\n"
        "from relativenas_optuna.spaces.published import published\n"
        "draw_genotype(published('RelativeNAS'))\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
