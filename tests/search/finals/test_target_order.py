from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from relativenas_optuna.search.finals.target_order import for_target
from tests.helpers.tiny_search import SPACE, objective


def test_the_target_full_adds_the_rank_by_parameters_twice() -> None:
    scoring, rng = objective(), np.random.default_rng(0)
    given = list(dict.fromkeys(SPACE.random(rng) for _ in range(40)))
    assert for_target(scoring, given, target="small") == given
    sizes = [scoring.costs["parameters"].of(SPACE.params(one)) for one in given]
    sums = np.arange(len(given)) + 2 * rankdata([-size for size in sizes], method="min")
    order = for_target(scoring, given, target="full")
    assert order == [given[n] for n in np.argsort(sums, kind="stable")]
    assert order != given
    assert for_target(scoring, [], target="full") == []
