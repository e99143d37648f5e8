import subprocess
import sys
from collections import Counter
from itertools import combinations

import matplotlib as mpl
import pytest
from hypothesis import given, settings
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.transforms import Bbox

from relativenas_optuna.spaces.cell_space import PAPER_OPERATIONS
from relativenas_optuna.spaces.genotype import Edge, Genotype
from relativenas_optuna.spaces.published_cells import PUBLISHED, published
from relativenas_optuna.visualization.drawing import draw_genotype, origins_of
from relativenas_optuna.visualization.drawing._kinds import KINDS, ORIGINS, kind_of, label_of
from tests.helpers.genotypes import genotypes


def labels(figure: Figure) -> list[tuple[str, Bbox]]:
    """Return the texts of a drawing and the room that they take, in pixels."""
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
def test_labels_never_overlap_nor_leave_the_drawing(genotype: Genotype) -> None:
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


def test_operations_have_readable_names() -> None:
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
        "from relativenas_optuna.visualization.drawing import draw_genotype\n"
        "from relativenas_optuna.spaces.published_cells import published\n"
        "draw_genotype(published('RelativeNAS'))\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@settings(max_examples=10)
@given(genotypes(), genotypes())
def test_taken_edges_equal_those_of_the_fast_learner(now: Genotype, other: Genotype) -> None:
    assert origins_of(now, now, other) in (None, ("kept",) * len(edges_of(now)))
    assert set(origins_of(now, other, now) or ()) <= {"kept", "taken"}
    shapes = {tuple(map(len, cell.nodes)) for cell in (now.normal, other.normal)}
    if len(shapes) > 1:
        assert origins_of(now, other, other) is None


def edges_of(genotype: Genotype) -> tuple[Edge, ...]:
    return (*genotype.normal.edges, *genotype.reduce.edges)


def test_colours_of_origins_stand_at_their_own_edges() -> None:
    own = Genotype.from_text(
        "normal: node2 sep_conv_3x3(0) skip_connect(1) | node3 max_pool_3x3(2) avg_pool_3x3(0)\n"
        "reduce: node2 sep_conv_5x5(0) dil_conv_3x3(1) | node3 dil_conv_5x5(1) skip_connect(1)"
    )
    text = own.to_text().replace("max_pool_3x3(2)", "none(2)").replace("5x5(1)", "3x3(0)")
    fast = Genotype.from_text(own.to_text().replace("max_pool_3x3(2)", "none(2)"))
    now = Genotype.from_text(text)
    origins = origins_of(now, own, fast)
    assert origins is not None
    assert " ".join(origins) == "kept kept taken kept kept kept moved kept"
    figure = draw_genotype(now, origins=origins)
    boxes = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    beside = {
        label_of(edge.operation): to_rgba(ORIGINS[origin].fill)
        for edge, origin in zip(edges_of(now), origins, strict=True)
        if edge.operation in ("none", "avg_pool_3x3", "sep_conv_5x5")
    }
    for text_of in figure.axes[0].texts:
        if (fill := beside.get(text_of.get_text())) is not None:
            x, y = text_of.get_position()
            (box,) = [b for b in boxes if b.get_bbox().contains(x, y)]
            assert to_rgba(box.get_facecolor()) == fill
    shown = {text for text, _ in labels(figure)}
    assert {kind.label for kind in ORIGINS.values()} <= shown
    assert not shown & {kind.label for kind in KINDS}
    check_labels(figure)
    with pytest.raises(ValueError, match="origins must be 8, one for each edge; got 1"):
        draw_genotype(now, origins=["kept"])
