"""Plot the diversity of the members, with that of searches whose fast learners are random."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.relative_nas.slow_fast import learn
from relativenas_optuna.visualization._generations import MOST_GENERATIONS
from relativenas_optuna.visualization._snapshot import NO_SEATS, StudySnapshot
from relativenas_optuna.visualization._style import (
    CHANCE,
    FAST,
    band,
    empty_figure,
    evenly_spaced,
    line,
    number_axis,
    styled_figure,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from relativenas_optuna.samplers.search_view import SearchView
    from relativenas_optuna.samplers.view_records import GenerationView

_TITLE = "Diversity"
_RUNS = 16  # searches with random fast learners
_STREAM = 0x0D17  # makes their random numbers differ from those of the search


def plot_diversity(study: optuna.Study) -> go.Figure:
    """Plot the mean distance of the members to their mean over the generations.

    Diversity falls even if the fast learners are chosen at random, so a falling curve alone is no
    sign of learning. The grey band shows 16 simulated searches that start with the same members
    and pairs; in them a coin decides which member of a pair is the fast learner. They start again
    whenever fewer parameters are common to all trials.

    Args:
        study: The study; if no trial has a seat, the figure is empty and says why.
    """
    return diversity_figure(StudySnapshot.of(study))


def diversity_figure(snapshot: StudySnapshot) -> go.Figure:
    """Return the figure of `plot_diversity` for a snapshot."""
    if snapshot.view is None:
        return empty_figure(_TITLE, NO_SEATS)
    whole = [g for g in snapshot.view.generations if g.diversity is not None]
    if not whole:
        why = (
            "The positions of the members are not known yet. A study whose search space was not "
            "given knows them once its first generation is complete."
        )
        return empty_figure(_TITLE, why)
    drawn = evenly_spaced(len(whole), MOST_GENERATIONS)
    x = [whole[i].index for i in drawn]
    traces = []
    if snapshot.view.preset in ("plain", "paper"):  # others have no winners
        low, middle, high = (curve[drawn].tolist() for curve in _chance(snapshot.view, whole))
        traces = [
            band(x, low, high, CHANCE),
            line(x, middle, name="random fast learners", colour=CHANCE, dash="dash"),
        ]
    own = [diversity for g in whole if (diversity := g.diversity) is not None]
    traces.append(line(x, [own[i] for i in drawn], name="this search", colour=FAST))
    return styled_figure(
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
    """Return the least, mean and greatest diversity of the simulated searches, by generation."""
    rng = np.random.default_rng([view.seed, _STREAM])
    runs = np.concatenate(
        [_random_winners(list(part), rng) for _, part in groupby(whole, lambda g: g.variables)]
    )
    return runs.min(axis=1), runs.mean(axis=1), runs.max(axis=1)


def _random_winners(
    part: Sequence[GenerationView], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Simulate searches from the first generation; return diversities `[generations, runs]`."""
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
