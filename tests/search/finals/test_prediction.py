from __future__ import annotations

import numpy as np

from relativenas_optuna.search.finals.prediction import by_prediction
from tests.helpers.tiny_search import SPACE, objective


def test_architectures_like_the_best_come_first() -> None:
    scoring = objective()
    rng = np.random.default_rng(0)
    known, others = ([SPACE.random(rng) for _ in range(count)] for count in (40, 60))
    sizes = {one: scoring.costs["parameters"].of(SPACE.params(one)) for one in [*known, *others]}
    losses = {one: -sizes[one] for one in known}
    order = by_prediction(scoring, losses, others, target="small")
    assert sorted(map(str, order)) == sorted(map(str, others))
    found = [sizes[one] for one in order]
    assert np.corrcoef(found, range(len(found)))[0, 1] < -0.8
    assert by_prediction(scoring, losses, others, target="small") == order
    small = {one: sizes[one] for one in known}
    orders = [by_prediction(scoring, small, others, target=target) for target in ("small", "full")]
    by_size = [
        np.corrcoef([sizes[one] for one in ordered], range(len(ordered)))[0, 1]
        for ordered in orders
    ]
    assert by_size[0] > 0.8
    assert by_size[1] < by_size[0]
