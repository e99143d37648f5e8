"""The objective under samplers of Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from tests.helpers import supernet_reference as reference
from tests.helpers.samplers.random_members import RandomMembersSampler
from tests.helpers.tiny_search import (
    SEED,
    SETTINGS,
    SPACE,
    objective,
    same_bits,
    sampler,
    scored_seats,
    study,
)

SAMPLERS: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
    "random": lambda: optuna.samplers.RandomSampler(seed=1),
    "tpe": lambda: optuna.samplers.TPESampler(seed=1, n_startup_trials=3),
    "nsgaii": lambda: optuna.samplers.NSGAIISampler(seed=1, population_size=3),
}
MEMBERS: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
    f"{size} random members": partial(RandomMembersSampler, {**SPACE.distributions}, size, seed=1)
    for size in (3, 4)
}


@pytest.mark.parametrize("name", SAMPLERS | MEMBERS)
def test_under_a_sampler_without_pairs_each_trial_commits_its_own_weights(name: str) -> None:
    scoring, found = objective(), study(sampler=(SAMPLERS | MEMBERS)[name]())
    supernet = reference.initial_supernet(SPACE, scoring.training, SETTINGS, SEED)
    for number in range(7):
        found.optimize(scoring, n_trials=1)
        assert scoring.weights.version == number + 1
        assert scoring.waiting == []
        genotype = SPACE.genotype(found.trials[-1].params)
        place = seat_of(found.trials[-1]) or Seat(*divmod(number, SETTINGS.population))
        network = reference.trained(
            supernet,
            genotype,
            scoring.training,
            SETTINGS,
            seed=SEED,
            generation=place.generation,
            seat=place.number,
        )
        learner = genotype, network
        loss = reference.loss_of(network, genotype, scoring.validation, SETTINGS)
        assert found.trials[-1].value == loss
        supernet = reference.committed(supernet, learner, learner)
    assert same_bits(scoring.supernet.state_dict(), supernet.state_dict())


@pytest.mark.parametrize("name", ["relative", *SAMPLERS])
def test_threads_take_turns(name: str) -> None:
    scoring = objective()
    found = study(sampler=sampler() if name == "relative" else SAMPLERS[name]())
    found.optimize(scoring, n_trials=10, n_jobs=2)
    assert [t.state for t in found.trials] == [TrialState.COMPLETE] * 10
    if name == "relative":
        assert scored_seats(found, generations=2) == 8
    else:
        assert scoring.weights.version == 10


def test_a_trial_of_another_sampler_does_not_end_the_wait_of_a_pair() -> None:
    scoring, found = objective(), study()
    found.optimize(scoring, n_trials=1)
    found.sampler = SAMPLERS["random"]()
    found.optimize(scoring, n_trials=4)
    assert scoring.waiting == [Seat(0, 0)]
    assert scoring.weights.version == 4
    found.sampler = sampler()
    found.optimize(scoring, n_trials=1)
    assert not scoring.waiting
    assert scoring.weights.version == 5


@pytest.mark.parametrize("directions", [["maximize"], ["minimize", "minimize"]])
def test_other_directions_are_refused_in_one_line(directions: list[str]) -> None:
    found = study(directions=directions, sampler=optuna.samplers.RandomSampler(), study_name="s")
    with pytest.raises(ValueError, match="one direction 'minimize'; 's' has ") as caught:
        found.optimize(objective(), n_trials=1)
    assert "\n" not in str(caught.value)
    assert ", ".join(directions) in str(caught.value)


def test_a_sampler_that_keeps_scores_is_warned_of_once_a_study() -> None:
    scoring = objective()
    keeping = RelativeNASSampler(SPACE.distributions, population_size=4, seed=SEED)
    found = study(sampler=keeping)
    with pytest.warns(UserWarning, match=r"keeps the scores of fast learners.*preset=\"paper\""):
        found.optimize(scoring, n_trials=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.optimize(scoring, n_trials=8)
        study().optimize(objective(), n_trials=1)
    assert [t.state for t in found.trials] == [TrialState.COMPLETE] * 9
