"""Sweeps and distributions of studies under MIGOSampler."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna import MIGOSampler
from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.seats.claims import seat_of
from tests.helpers.samplers.searches import replayed, search, suggest

if TYPE_CHECKING:
    from tests.helpers.samplers.searches import Space

FINITE: Space = {
    "op": CategoricalDistribution(["a", "b", "c", "d"]),
    "depth": IntDistribution(1, 4),
    "skip": CategoricalDistribution([True, False]),
}


def population(study: optuna.Study) -> DistributionPopulation:
    found = replayed(study)
    assert isinstance(found, DistributionPopulation)
    return found


def score(params: dict[str, Any]) -> float:
    return float("abcd".index(params["op"]) + params["depth"] + 2 * params["skip"])


def objective(trial: optuna.Trial) -> float:
    return score(suggest(trial, FINITE))


def searched(
    trials: int,
    space: Space | None = FINITE,
    direction: StudyDirection = StudyDirection.MINIMIZE,
    **arguments: Any,
) -> optuna.Study:
    study = optuna.create_study(
        sampler=MIGOSampler(space, seed=1, **arguments), direction=direction
    )
    study.optimize(objective, n_trials=trials)
    return study


def probabilities(study: optuna.Study, generation: int = -1) -> dict[str, dict[Any, float]]:
    return {
        marginal.name: dict(zip(marginal.values, marginal.probabilities, strict=True))
        for marginal in population(study).marginals(generation)
    }


def test_every_sweep_uses_each_value_equally_often_and_the_next_one_is_drawn_anew() -> None:
    study = searched(24, population_size=8, pruning_interval=0)
    sweeps = [study.trials[at : at + 8] for at in (0, 8, 16)]
    for sweep in sweeps:
        for name, times in (("op", 2), ("depth", 2), ("skip", 4)):
            assert set(Counter(trial.params[name] for trial in sweep).values()) == {times}
    assert len({str([trial.params for trial in sweep]) for sweep in sweeps}) == 3
    assert [seat_of(trial) for trial in study.trials[8:10]] == [
        seat_of(trial) for trial in searched(10, population_size=8).trials[8:]
    ]


def test_a_sweep_after_a_pruning_does_not_use_a_dropped_value() -> None:
    study = searched(40, population_size=8, pruning_interval=1)
    for generation in range(1, 5):
        known = probabilities(study, generation)
        assert min(known["op"].values()) == min(known["skip"].values()) == 0
        for trial in study.trials[8 * generation : 8 * generation + 8]:
            assert all(known[name][trial.params[name]] > 0 for name in FINITE)


@pytest.mark.parametrize("fair", [True, False])
def test_the_most_likely_values_become_the_best_ones(fair: bool) -> None:
    study = searched(160, fair_sampling=fair)
    best = {"op": "a", "depth": 1, "skip": False}
    assert population(study).most_likely() == best
    assert all(probabilities(study)[name][value] > 0.5 for name, value in best.items())
    worst = searched(160, direction=StudyDirection.MAXIMIZE, fair_sampling=fair)
    assert population(worst).most_likely() == {"op": "d", "depth": 4, "skip": True}


def test_the_first_distribution_is_uniform_over_values_and_bins() -> None:
    space = {**FINITE, "rate": FloatDistribution(0, 1), "one": IntDistribution(3, 3)}
    study = optuna.create_study(sampler=MIGOSampler(space, bins=2, population_size=4))
    study.ask()
    known = probabilities(study, 0)
    assert known["op"] == dict.fromkeys("abcd", 0.25)
    assert known["depth"] == {(1, 2): 0.5, (3, 4): 0.5}
    assert known["rate"] == {(0.0, 0.5): 0.5, (0.5, 1.0): 0.5}
    assert "one" not in known
    likely = population(study).most_likely()
    assert list(likely) == list(space)
    assert (likely["rate"], likely["one"]) == (0.25, 3)


def test_without_fair_sampling_the_likely_values_are_drawn_more_often() -> None:
    study = searched(400, fair_sampling=False)
    late = Counter(trial.params["op"] for trial in study.trials[200:])
    assert late["a"] > 110
    assert min(late["b"], late["c"], late["d"]) >= 1  # the lower bound of probabilities


def test_the_parameters_that_were_scored_move_the_distribution() -> None:
    studies = [optuna.create_study(sampler=MIGOSampler(FINITE, seed=1)) for _ in range(2)]
    for study, depth in zip(studies, (1, 4), strict=True):
        for number in range(8):
            if number == 0:
                study.enqueue_trial({"op": "d", "depth": depth, "skip": True})
            trial = study.ask(FINITE)
            study.tell(trial, -1.0 if number == 0 else 0.0)
        moved = probabilities(study, 1)
        assert moved["op"]["d"] > 0.25
        assert moved["skip"][True] > 0.5
        assert moved["depth"][depth] == max(moved["depth"].values())
    assert probabilities(studies[0], 1) != probabilities(studies[1], 1)


def test_a_value_that_failed_three_times_becomes_less_likely() -> None:
    def failing(trial: optuna.Trial) -> float:
        if suggest(trial, FINITE)["op"] == "b":
            raise RuntimeError
        return 1.0

    study = optuna.create_study(sampler=MIGOSampler(FINITE, seed=1, pruning_interval=0))
    study.optimize(failing, n_trials=8 + 2 * 2, catch=(RuntimeError,))
    assert [generation.complete for generation in population(study).generations] == [True, False]
    known = probabilities(study)
    assert known["op"]["b"] == min(known["op"].values()) < 0.25 < known["op"]["a"]


def test_equal_scores_leave_the_distribution_as_it_was() -> None:
    study = optuna.create_study(sampler=MIGOSampler(FINITE, seed=1, pruning_interval=1))
    study.optimize(lambda trial: 0.0 * objective(trial), n_trials=24)
    assert probabilities(study, 3) == probabilities(study, 0)


def test_a_search_goes_on_when_one_value_of_each_parameter_is_left() -> None:
    study = searched(200, population_size=8, pruning_interval=1)
    likely = population(study).most_likely()
    assert all(trial.params == likely for trial in study.trials[40:])
    assert [max(known.values()) for known in probabilities(study).values()] == [1.0] * 3


def test_a_parameter_that_comes_late_joins_the_distribution_and_the_others_keep_theirs() -> None:
    study = optuna.create_study(sampler=MIGOSampler(population_size=4, seed=0, bins=4))
    for number in range(16):
        trial = study.ask()
        value = float(trial.suggest_int("depth", 1, 4))
        if number >= 8:
            value += trial.suggest_float("rate", 0, 1)
        study.tell(trial, value)
    assert [list(probabilities(study, g)) for g in range(5)] == [
        [],
        ["depth"],
        ["depth"],
        ["depth", "rate"],
        ["depth", "rate"],
    ]
    low = [probabilities(study, generation)["depth"][1] for generation in range(1, 5)]
    assert low == sorted(low)
    assert low[-1] > 0.4
    # One trial in each bin.
    assert {int(4 * trial.params["rate"]) for trial in study.trials[12:]} == {0, 1, 2, 3}


def test_sweeps_without_a_complete_trial_are_followed_by_random_ones() -> None:
    study = optuna.create_study(sampler=MIGOSampler(population_size=2, seed=0))
    for _ in range(4):
        trial = study.ask()
        trial.suggest_int("depth", 1, 4)
        study.tell(trial, state=TrialState.PRUNED)
    assert probabilities(study) == {}
    assert population(study).most_likely() == {}
    assert len(population(study).generations) == 3


def test_a_restart_draws_the_open_sweep_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    study = searched(161, population_size=8)
    drawn: list[int] = []
    positions = DistributionPopulation.positions

    def counted(self: DistributionPopulation, index: int) -> Any:
        drawn.append(index)
        return positions(self, index)

    monkeypatch.setattr(DistributionPopulation, "positions", counted)
    study.sampler = MIGOSampler()
    study.optimize(objective, n_trials=6)
    assert set(drawn) == {20}


def test_several_objectives_move_toward_the_trials_that_dominate() -> None:
    directions = [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE]
    study = optuna.create_study(
        directions=directions, sampler=MIGOSampler(FINITE, seed=1, pruning_interval=0)
    )
    for _ in range(120):
        trial = study.ask(FINITE)
        study.tell(trial, [score(trial.params), -score(trial.params)])
    assert population(study).most_likely() == {"op": "a", "depth": 1, "skip": False}


def test_learned_and_given_spaces_find_the_same_values() -> None:
    given, learned = searched(160), searched(160, space=None, population_size=8)
    assert population(given).most_likely() == population(learned).most_likely()


def test_the_same_seed_gives_the_same_search_and_another_one_another() -> None:
    studies = [search(preset="migo", space=None, trials=20, seed=seed) for seed in (3, 3, 4)]
    same, again, other = ([trial.params for trial in study.trials] for study in studies)
    assert same == again != other
