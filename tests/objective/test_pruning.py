"""Pruning inside the epoch, by the pruners of Optuna."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.pruners import BasePruner, MedianPruner, NopPruner, ThresholdPruner
from optuna.trial import FrozenTrial, TrialState

from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.training.loop import REPORTS
from tests.helpers.pairwise_searches import accuracy, aiming, assert_is_by_hand, by_seat
from tests.helpers.tiny_search import SEATS, SETTINGS, Scoring, same_bits, scores, searched, study

BATCHES = 4  # of at most nine images; so few there are in an epoch here
ALWAYS = ThresholdPruner(lower=1e9)


class From(BasePruner):
    """Ends every epoch of some seats at its last report."""

    def __init__(self, *seats: Seat) -> None:
        self.numbers = {seat.generation * SETTINGS.population + seat.number for seat in seats}

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        return trial.number in self.numbers and trial.last_step == REPORTS


def run(pruner: BasePruner, trials: int = SEATS, **options: Any) -> tuple[Scoring, optuna.Study]:
    direction = options.pop("direction", "minimize")
    scoring = aiming(**{"pruning": True} | options)
    found = study(pruner=pruner, direction=direction)
    found.optimize(scoring, n_trials=trials)
    return scoring, found


def test_pruned_at_once_a_candidate_leaves_all_weights_as_they_were() -> None:
    scoring = aiming(pruning=True)
    found, before = study(pruner=ALWAYS), scoring.weights.snapshot()
    for _ in range(6):
        found.optimize(scoring, n_trials=1)
        assert same_bits(scoring.weights.snapshot(), before)
    trials = by_seat(found)  # each is scored, and none is given out again
    assert sorted(trials) == [Seat(*divmod(n, SETTINGS.population)) for n in range(6)]
    for trial in trials.values():
        assert trial.state == TrialState.PRUNED
        assert list(trial.intermediate_values) == [REPORTS // BATCHES]
        assert "parameters" in trial.user_attrs
    scoring.settle(found)
    assert scoring.weights.version == 0


@pytest.mark.parametrize("pruner", [NopPruner(), ThresholdPruner(upper=1e9)], ids=["nop", "upper"])
def test_a_search_of_which_nothing_is_pruned_is_that_without_pruning(pruner: BasePruner) -> None:
    scoring, found = run(pruner)
    undisturbed, other = searched()
    assert scores(found) == scores(other)
    assert same_bits(scoring.weights.snapshot(), undisturbed.weights.snapshot())
    for trial in found.trials:
        assert len(trial.intermediate_values) == BATCHES
        assert max(trial.intermediate_values) == REPORTS
        assert trial.intermediate_values[REPORTS] == trial.user_attrs["train_loss"]


def test_nothing_is_pruned_unless_asked_for() -> None:
    scoring, found = run(ALWAYS, 2, pruning=False)
    assert isinstance(study().pruner, MedianPruner)
    for trial in found.trials:
        assert trial.state == TrialState.COMPLETE
        assert not trial.intermediate_values
    assert scoring.weights.version == 1


@pytest.mark.parametrize("number", [0, 1, 6])
def test_the_partner_of_one_that_was_pruned_is_committed_alone(number: int) -> None:
    seat = Seat(*divmod(number, SETTINGS.population))
    scoring, found = run(From(seat))
    trials = by_seat(found)
    assert len(trials) == SEATS
    assert [s for s, trial in trials.items() if trial.state == TrialState.PRUNED] == [seat]
    assert list(trials[seat].intermediate_values)[-1] == REPORTS
    population = RelativeNASSampler(population_size=SETTINGS.population).population(found)
    assert population is not None
    generation = population.generations[seat.generation]
    assert generation.first_fast[seat.pair] == (seat.number % 2 == 1)
    assert_is_by_hand(scoring, found)
    assert scoring.weights.version == SEATS // 2


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_median_pruner_ends_those_that_learn_slowly(direction: str) -> None:
    options: dict[str, Any] = {"metric": accuracy} if direction == "maximize" else {}
    pruner = MedianPruner(n_startup_trials=3, n_warmup_steps=0)
    scoring, found = run(pruner, direction=direction, **options)
    sign = -1 if direction == "maximize" else 1
    complete: list[dict[int, float]] = []
    for trial in found.trials:
        reported = {step: sign * value for step, value in trial.intermediate_values.items()}
        assert all(value > 0 for value in reported.values())  # a running loss, whatever is scored
        if trial.state == TrialState.COMPLETE:
            complete.append(reported)
            continue
        step = max(reported)
        there = sorted(other[step] for other in complete)
        assert min(reported.values()) > there[(len(there) - 1) // 2]
    assert {trial.state for trial in found.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert_is_by_hand(scoring, found, sign=sign, **options)


def test_a_sampler_without_pairs_goes_on_after_one_that_was_pruned() -> None:
    scoring = aiming(pruning=True)
    found = study(sampler=optuna.samplers.TPESampler(seed=1), pruner=From(Seat(0, 1), Seat(0, 3)))
    found.optimize(scoring, n_trials=5)
    pruned = [trial.number for trial in found.trials if trial.state == TrialState.PRUNED]
    assert pruned == [1, 3]
    assert scoring.weights.version == 3
