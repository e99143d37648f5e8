from collections import Counter
from itertools import combinations, pairwise

from hypothesis import given, settings

from relativenas_optuna.spaces.genotype import Cell, Edge
from relativenas_optuna.spaces.published_cells import published
from relativenas_optuna.visualization.drawing._layout import Box, Layout, Point, Wire, lay_out
from tests.helpers.genotypes import cells

WIDTH = 0.9
Piece = tuple[Point, Point]


def vertices(layout: Layout) -> tuple[Box, ...]:
    return layout.inputs + layout.nodes


def boxes(layout: Layout) -> list[Box]:
    return [*vertices(layout), *(box for _, box in layout.operations), layout.output]


def touches(box: Box, point: Point) -> bool:
    x, y = point
    slack = 1e-9
    across = box.left - slack <= x <= box.right + slack
    return across and box.top - slack <= y <= box.bottom + slack


def at(found: tuple[Box, ...], point: Point) -> int:
    (index,) = [index for index, box in enumerate(found) if touches(box, point)]
    return index


def parts(layout: Layout) -> tuple[list[Wire], list[Wire], list[Wire]]:
    """Return the wires to operations, from operations to their nodes, and to the output."""
    ways = [wire for wire in layout.wires if wire.operation and wire.arrow]
    links = [wire for wire in layout.wires if wire.operation and not wire.arrow]
    exits = [wire for wire in layout.wires if wire.operation is None]
    return ways, links, exits


def pieces(wire: Wire) -> list[Piece]:
    return list(pairwise(wire.points))


def share_a_stretch(first: Piece, second: Piece) -> bool:
    """Return True if two horizontal or vertical pieces share more than a point."""
    for axis in (0, 1):
        lines = [{point[axis] for point in piece} for piece in (first, second)]
        if len(lines[0]) == 1 and lines[0] == lines[1]:
            (a, b), (c, d) = (sorted(point[1 - axis] for point in p) for p in (first, second))
            return min(b, d) - max(a, c) > 1e-9
    return False


@settings(max_examples=25)
@given(cells())
def test_the_cell_can_be_read_back_from_its_drawing(cell: Cell) -> None:
    layout = lay_out(cell, WIDTH)
    ways, links, exits = parts(layout)
    operations = tuple(box for _, box in layout.operations)
    sources = {at(operations, way.points[-1]): way for way in ways}
    read: dict[int, list[Edge]] = {}
    for link in links:
        index = at(operations, link.points[0])
        name, source = layout.operations[index][0], at(vertices(layout), sources[index].points[0])
        assert name == sources[index].operation == link.operation
        read.setdefault(at(vertices(layout), link.points[-1]), []).append(Edge(name, source))
    for number, node in enumerate(cell.nodes, start=2):
        assert Counter(read.pop(number)) == Counter(node)
    assert not read
    assert sorted(at(vertices(layout), way.points[0]) for way in exits) == list(cell.concat)
    assert all(touches(layout.output, way.points[-1]) for way in exits)


@settings(max_examples=25)
@given(cells())
def test_boxes_lie_apart_and_inside_the_drawing(cell: Cell) -> None:
    layout = lay_out(cell, WIDTH)
    for first, second in combinations(boxes(layout), 2):
        beside = first.right < second.left or second.right < first.left
        assert beside or first.bottom < second.top or second.bottom < first.top
    for box in boxes(layout):
        assert min(box.left, box.top) >= -1e-9
        assert box.right <= layout.width
        assert box.bottom <= layout.height + 1e-9


@settings(max_examples=25)
@given(cells())
def test_no_wire_passes_under_a_box_that_is_not_its_own(cell: Cell) -> None:
    layout = lay_out(cell, WIDTH)
    ways, _, exits = parts(layout)
    for wire in ways + exits:
        for box in boxes(layout):
            if touches(box, wire.points[0]) or touches(box, wire.points[-1]):
                continue
            for (x0, y0), (x1, y1) in pieces(wire):
                beside = max(x0, x1) < box.left or min(x0, x1) > box.right
                assert beside or max(y0, y1) < box.top or min(y0, y1) > box.bottom


@settings(max_examples=25)
@given(cells())
def test_no_two_wires_lie_on_each_other(cell: Cell) -> None:
    ways, _, exits = parts(lay_out(cell, WIDTH))
    for first, second in combinations(ways + exits, 2):
        for piece in pieces(first):
            assert not any(share_a_stretch(piece, other) for other in pieces(second))


@settings(max_examples=25)
@given(cells())
def test_the_older_input_is_above_the_newer_one(cell: Cell) -> None:
    older, newer = lay_out(cell, WIDTH).inputs
    assert older.y < newer.y


def test_a_chain_is_drawn_without_a_crossing() -> None:
    chain = Cell(tuple((Edge("skip_connect", i),) for i in range(1, 6)))
    ways, _, exits = parts(lay_out(chain, WIDTH))
    assert crossings(ways + exits) == 0


def test_the_published_normal_cell_is_drawn_without_a_crossing() -> None:
    ways, _, exits = parts(lay_out(published("RelativeNAS").normal, WIDTH))
    assert crossings(ways + exits) == 0


def crossings(wires: list[Wire]) -> int:
    found = 0
    for first, second in combinations(wires, 2):
        for one in pieces(first):
            for other in pieces(second):
                for (a, b), (c, d) in ((one, other), (other, one)):
                    level, upright = a[1] == b[1], c[0] == d[0]
                    if level and upright:
                        inside = min(a[0], b[0]) < c[0] < max(a[0], b[0])
                        found += inside and min(c[1], d[1]) < a[1] < max(c[1], d[1])
    return found
