"""Single steps of a candidate, which measure the time of a search before it begins."""

from __future__ import annotations

import numpy as np
import torch

from relativenas_optuna.training import choose_threads
from tests.helpers.tiny_search import SPACE, Scoring, objective, same_bits, scores, study


def timed(scoring: Scoring) -> None:
    """Time steps of training and scoring, which choose the present number of threads."""
    with scoring.steps() as steps:
        assert (steps.training, steps.scoring) == (9, 18)
        choose_threads(steps.train, steps.training, most=torch.get_num_threads())
        steps.train(steps.training)
        steps.score(steps.scoring)


def test_timed_steps_leave_weights_and_random_state_as_they_are() -> None:
    scoring = objective()
    before = {name: tensor.clone() for name, tensor in scoring.supernet.state_dict().items()}
    state, modes = torch.get_rng_state(), [m.training for m in scoring.supernet.modules()]
    timed(scoring)
    assert same_bits(scoring.supernet.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in scoring.supernet.modules()] == modes
    assert all(p.grad is None for p in scoring.supernet.parameters())
    assert scoring.weights.version == 0


def test_a_search_after_timed_steps_equals_one_without() -> None:
    found = []
    for measures in (False, True):
        searched, scoring = study(), objective()
        if measures:
            timed(scoring)
        searched.optimize(scoring, n_trials=4)
        found.append((scores(searched), scoring.supernet.state_dict()))
    assert found[0][0] == found[1][0]
    assert same_bits(found[0][1], found[1][1])


def test_a_step_trains_and_scores_the_given_architecture_on_some_images() -> None:
    scoring = objective()
    genotype = SPACE.random(np.random.default_rng(3))
    used = set(scoring.supernet.tensors(genotype))
    with scoring.steps(genotype) as steps:
        before = {name: t.clone() for name, t in scoring.supernet.state_dict().items()}
        steps.train(5)
        after = scoring.supernet.state_dict()
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed
        assert changed <= used
