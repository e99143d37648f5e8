from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FixedTrial

from relativenas_optuna.spaces import NASBENCH201_OPERATIONS, NASBench201, NASBench201Cell, suggest

SPACE = NASBench201()
cells = st.lists(st.sampled_from(NASBENCH201_OPERATIONS), min_size=6, max_size=6).map(
    lambda operations: NASBench201Cell(tuple(operations))
)


@given(cells)
def test_parameters_and_text_lead_back_to_the_architecture(cell: NASBench201Cell) -> None:
    assert SPACE.genotype(SPACE.params(cell)) == cell
    assert SPACE.parse(SPACE.text(cell)) == cell
    assert suggest(SPACE, FixedTrial(SPACE.params(cell))) == cell


def test_the_text_is_the_published_one() -> None:
    text = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|none~2|"
    cell = SPACE.parse(text)
    assert SPACE.params(cell) == {
        "edge1_0": "avg_pool_3x3",
        "edge2_0": "nor_conv_1x1",
        "edge2_1": "skip_connect",
        "edge3_0": "nor_conv_1x1",
        "edge3_1": "skip_connect",
        "edge3_2": "none",
    }
    assert str(cell) == text


def test_all_architectures_differ_in_text() -> None:
    small = NASBench201(operations=("none", "nor_conv_3x3"))
    texts = {
        NASBench201Cell(operations).to_text()
        for operations in itertools.product(small.operations, repeat=6)
    }
    assert len(texts) == small.size == 64
    assert SPACE.size == 15_625


def test_random_architectures_are_uniform_and_follow_from_the_generator() -> None:
    rng = np.random.default_rng(0)
    drawn = [SPACE.random(rng) for _ in range(2000)]
    counts = np.array(
        [
            [cell.operations[edge] == name for name in SPACE.operations]
            for cell in drawn
            for edge in range(6)
        ]
    ).sum(0)
    assert np.abs(counts / 12000 - 0.2).max() < 0.02
    assert SPACE.random(np.random.default_rng(0)) == drawn[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "|none~0|+|none~0|none~1|",
        "|none~0|+|none~0|none~1|+|none~0|none~2|none~1|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|none~2|",
        "|none~0||+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|+|none~0|",
    ],
)
def test_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an architecture of NAS-Bench-201 is written"):
        SPACE.parse(text)


def test_unknown_operations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"operations must be among none, .*got 'conv'"):
        SPACE.parse("|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    with pytest.raises(ValueError, match="operations must be among"):
        NASBench201(operations=("sep_conv_3x3",))
    for wrong in ((), ("none", "none")):
        with pytest.raises(ValueError, match="at least one name and none twice"):
            NASBench201(operations=wrong)
    with pytest.raises(ValueError, match="must be a tuple of names, got 'none'"):
        NASBench201(operations="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be a tuple of 6"):
        NASBench201Cell(("none",))


def test_architectures_of_another_space_are_refused() -> None:
    small = NASBench201(operations=("none", "nor_conv_3x3"))
    cell = NASBench201Cell(("skip_connect",) * 6)
    with pytest.raises(ValueError, match="not in this space: it uses skip_connect"):
        small.params(cell)
    with pytest.raises(ValueError, match="not in this space"):
        small.parse(cell.to_text())
    with pytest.raises(TypeError, match="genotype must be a NASBench201Cell"):
        SPACE.params("none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"edge1_0 must be one of none, .*got 'x'"):
        SPACE.genotype({"edge1_0": "x"})
    with pytest.raises(ValueError, match="params must hold edge1_0"):
        SPACE.genotype({})
