"""Plot how undecided the distribution of a sampler is, over the generations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.visualization._generations import MOST_GENERATIONS
from relativenas_optuna.visualization._snapshot import NO_DISTRIBUTION, StudySnapshot
from relativenas_optuna.visualization._style import (
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

_TITLE = "Entropy"


def plot_entropy(study: optuna.Study) -> go.Figure:
    """Plot the entropy of the distribution from which each generation was drawn.

    The line is the mean over the variables of `relative_entropy`, in percent. The band reaches from
    the variable with the lowest entropy to that with the highest. Variables with one value are left
    out.

    Args:
        study: The study; if its sampler has no distribution, the figure is empty and says why.
    """
    return entropy_figure(StudySnapshot.of(study))


def entropy_figure(snapshot: StudySnapshot) -> go.Figure:
    """Return the figure of `plot_entropy` for a snapshot."""
    entropies = {
        generation.index: [
            100 * relative_entropy(marginal.probabilities)
            for marginal in generation.marginals
            if len(marginal.probabilities) > 1
        ]
        for generation in snapshot.generations
    }
    known = [index for index, of in entropies.items() if of]
    if not known:
        return empty_figure(_TITLE, NO_DISTRIBUTION)
    x = [known[i] for i in evenly_spaced(len(known), MOST_GENERATIONS)]
    return styled_figure(
        [
            band(x, [min(entropies[i]) for i in x], [max(entropies[i]) for i in x], FAST),
            line(
                x,
                [float(np.mean(entropies[i])) for i in x],
                name="mean of the variables",
                colour=FAST,
            ),
        ],
        title=_TITLE,
        note="band from the most to the least decided variable; 100 % is uniform",
        x="generation (the first is 0)",
        y="entropy (% of the largest possible)",
        hovermode="x unified",
        showlegend=True,
        xaxis=number_axis(x[-1]),
        yaxis={"range": [0, 104], "dtick": 20},
    )


def relative_entropy(probabilities: Sequence[float]) -> float:
    """Return the entropy of a distribution as a share of the largest possible one, 0 to 1.

    The largest possible one is that of the uniform distribution, the logarithm of the number of
    values. A distribution of one value has the entropy 0.

    Args:
        probabilities: Probability of each value; they sum to 1.
    """
    p = np.array([probability for probability in probabilities if probability > 0])
    if len(probabilities) < 2:
        return 0.0
    return max(0.0, float(-(p * np.log(p)).sum() / np.log(len(probabilities))))
