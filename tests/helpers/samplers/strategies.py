"""Hypothesis strategies: distributions of every kind, and search spaces of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TINIEST = 5e-324

# 1 == True and 0 == False are one choice to Optuna, so that a list holds only one of each.
choices: SearchStrategy[list[Any]] = st.lists(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31)
    | st.floats(allow_infinity=True, allow_nan=True)
    | st.text(max_size=4),
    min_size=1,
    max_size=7,
    unique_by=lambda choice: "nan" if isinstance(choice, float) and math.isnan(choice) else choice,
)


def categoricals() -> SearchStrategy[CategoricalDistribution]:
    return st.builds(CategoricalDistribution, choices)


@st.composite
def integers(draw: st.DrawFn) -> IntDistribution:
    """Draw integers with steps; both ends differ from their neighbours as doubles."""
    low = draw(st.integers(-(2**50), 2**50) | st.integers(-9, 9))
    step = draw(st.integers(1, 2**40) | st.integers(1, 4))
    count = draw(st.integers(1, 9) | st.integers(1, 2**51 // step + 1))
    return IntDistribution(low, low + (count - 1) * step, step=step)


@st.composite
def log_integers(draw: st.DrawFn) -> IntDistribution:
    low = draw(st.integers(1, 2**40) | st.integers(1, 9))
    return IntDistribution(low, low + draw(st.integers(0, 2**40) | st.integers(0, 9)), log=True)


@st.composite
def floats(draw: st.DrawFn) -> FloatDistribution:
    """Draw ranges, from one point and denormals to the widest that a float can hold."""
    bound = st.floats(-8e307, 8e307) | st.floats(-2, 2) | st.sampled_from([-1e300, 0.0, TINIEST])
    low, high = sorted([draw(bound), draw(bound)])
    return FloatDistribution(low, high)


@st.composite
def log_floats(draw: st.DrawFn) -> FloatDistribution:
    bound = st.floats(TINIEST, 1.7e308) | st.floats(1e-5, 1.0) | st.sampled_from([TINIEST, 1e300])
    low, high = sorted([draw(bound), draw(bound)])
    return FloatDistribution(low, high, log=True)


@st.composite
def stepped_floats(draw: st.DrawFn) -> FloatDistribution:
    """Draw grids on which Optuna itself can tell a point from its neighbours.

    It wants (value - low) / step within 1e-8 of a whole number, which ends at about 2**26 points,
    and where the ends are large against the step.
    """
    step = draw(st.sampled_from([0.1, 0.25, 1e-9, 1e-3, 3.0, 1e5]))
    first = draw(st.integers(-1000, 1000))
    count = draw(st.integers(1, 9) | st.integers(1, 2**20))
    low, high = round(first * step, 9), round((first + count - 1) * step, 9)
    return FloatDistribution(low, high, step=step)


def distributions() -> SearchStrategy[BaseDistribution]:
    """Draw a distribution of any kind."""
    return st.one_of(
        categoricals(), integers(), log_integers(), floats(), log_floats(), stepped_floats()
    )


@st.composite
def ordinary(draw: st.DrawFn) -> BaseDistribution:
    """Draw a distribution of any kind, of a size that people use."""
    low = draw(st.integers(-5, 5))
    width = draw(st.integers(1, 9))
    return draw(
        st.sampled_from(
            [
                FloatDistribution(low, low + width),
                FloatDistribution(10.0**-width, 1.0, log=True),
                FloatDistribution(low, low + width, step=0.5),
                IntDistribution(low, low + width),
                IntDistribution(low, low + 2 * width, step=2),
                IntDistribution(1, 1 + width**2, log=True),
                CategoricalDistribution([None, "a", *range(width)]),
            ]
        )
    )


@st.composite
def spaces(draw: st.DrawFn, *, min_size: int = 1, max_size: int = 5) -> dict[str, BaseDistribution]:
    """Search spaces of parameters that are not single-valued, in any order of names."""
    names = draw(
        st.lists(st.sampled_from("kdbjacfe"), min_size=min_size, max_size=max_size, unique=True)
    )
    return {name: draw(ordinary()) for name in names}


@st.composite
def points(draw: st.DrawFn, low: float, high: float) -> float:
    """Draw a point of an interval: inside, at its ends, or at or beside whole numbers."""
    inside = st.floats(low, high)
    if high - low > 2.0**53:
        return draw(inside)
    offset = st.sampled_from([0.0, 1e-9, -1e-9])
    near = st.builds(
        lambda k, o: min(max(k + o, low), high),
        st.integers(int(low), max(int(high), int(low))),
        offset,
    )
    return draw(inside | near | st.sampled_from([low, high]))
