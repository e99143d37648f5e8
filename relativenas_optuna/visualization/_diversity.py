"""How far apart the members are, against the curve that random winners would give."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.relative_nas.slow_fast import learn
from relativenas_optuna.visualization._generations import MOST_GENERATIONS
from relativenas_optuna.visualization._seen import NO_SEATS, Seen
from relativenas_optuna.visualization._style import (
    CHANCE,
    FAST,
    band,
    explained,
    figure,
    line,
    number_axis,
    thinned,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from relativenas_optuna.samplers.search_view import SearchView
    from relativenas_optuna.samplers.view_records import GenerationView

_TITLE = "Diversity"
_RUNS = 16  # searches with random winners
_STREAM = 0x0D17  # of their random numbers, beside the search's own


def plot_diversity(study: optuna.Study) -> go.Figure:
    """Mean distance of the members to their mean, by generation, and what chance alone gives.

    Diversity falls even when winners are drawn at random, so that a falling curve alone is no sign
    of learning. The grey band holds 16 searches that begin with the same members and pairs, and in
    which a coin says who of a pair is fast. Where the parameters that all trials share become
    fewer, these begin anew.

    Args:
        study: The study; without seats the figure says why it is empty.
    """
    return diversity_figure(Seen.of(study))


def diversity_figure(seen: Seen) -> go.Figure:
    """See `plot_diversity`."""
    if seen.view is None:
        return explained(_TITLE, NO_SEATS)
    whole = [g for g in seen.view.generations if g.diversity is not None]
    if not whole:
        why = "The positions of no generation are known yet; without a search space that was given "
        return explained(_TITLE, f"{why}beforehand they are once the first one is complete.")
    drawn = thinned(len(whole), MOST_GENERATIONS)
    x = [whole[i].index for i in drawn]
    traces = []
    if seen.view.preset in ("plain", "paper"):  # others have no winners
        low, middle, high = (curve[drawn].tolist() for curve in _chance(seen.view, whole))
        traces = [
            band(x, low, high, CHANCE),
            line(x, middle, name="random winners", colour=CHANCE, dash="dash"),
        ]
    own = [diversity for g in whole if (diversity := g.diversity) is not None]
    traces.append(line(x, [own[i] for i in drawn], name="this search", colour=FAST))
    return figure(
        traces,
        title=_TITLE,
        note="mean distance of the members to their mean",
        x="generation (the first is 0)",
        y="distance (units of the variables)",
        hovermode="x unified",
        xaxis=number_axis(x[-1]),
        yaxis_rangemode="tozero",
    )


def _chance(
    view: SearchView, whole: Sequence[GenerationView]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The least, the mean and the greatest diversity of random winners, by generation."""
    rng = np.random.default_rng([view.seed, _STREAM])
    runs = np.concatenate(
        [_random_winners(list(part), rng) for _, part in groupby(whole, lambda g: g.variables)]
    )
    return runs.min(axis=1), runs.mean(axis=1), runs.max(axis=1)


def _random_winners(
    part: Sequence[GenerationView], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Diversities `[generations, runs]` of searches that begin with the first of these."""
    shape = (_RUNS, *part[0].positions.shape)
    x = np.broadcast_to(part[0].positions, shape).copy()
    v = np.broadcast_to(part[0].velocities, shape).copy()
    low, high = part[0].bounds
    each = np.arange(_RUNS)[:, None]
    diversities = []
    for generation in part:
        distances = np.linalg.norm(x - x.mean(axis=1, keepdims=True), axis=2)
        diversities.append(distances.mean(axis=1))
        pairs = np.array([pair.members for pair in generation.pairs])
        coin = rng.integers(2, size=(_RUNS, len(pairs)))
        row = np.arange(len(pairs))
        slow, fast = pairs[row, coin], pairs[row, 1 - coin]
        l1, l2 = rng.random((2, _RUNS, len(pairs), shape[2]))
        x[each, slow], v[each, slow] = learn(
            x[each, slow], v[each, slow], x[each, fast], l1=l1, l2=l2, low=low, high=high
        )
    return np.array(diversities)
