"""A sampler of Optuna that proposes the parameters of seats."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.samplers import GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler, SearchView
from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.seated_sampler import SeatedSampler
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.search.seat_loop import score_seats
from relativenas_optuna.search.status import status_of
from tests.helpers.samplers.searches import OBJECTIVE, SPACE

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.samplers import BaseSampler

SIZE, GENERATIONS = 4, 3
ALL = [Seat(generation, seat) for generation in range(GENERATIONS) for seat in range(SIZE)]
MAKERS: dict[str, Callable[[int], BaseSampler]] = {
    "TPESampler": lambda seed: TPESampler(seed=seed, n_startup_trials=3),
    "GroupTPESampler": lambda seed: TPESampler(
        seed=seed, n_startup_trials=3, multivariate=True, group=True
    ),
    "NSGAIISampler": lambda seed: NSGAIISampler(seed=seed, population_size=SIZE),
    "RandomSampler": lambda seed: RandomSampler(seed=seed),
    "GPSampler": lambda seed: GPSampler(seed=seed, n_startup_trials=10),
}
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
each_maker = pytest.mark.parametrize("name", MAKERS)


def seated(name: str = "TPESampler", *, seed: int = 5) -> SeatedSampler:
    return SeatedSampler(MAKERS[name], SPACE, population_size=SIZE, seed=seed, proposer=name)


def run(study: optuna.Study, name: str = "TPESampler", **options: Any) -> optuna.Study:
    """Score with a sampler that knows nothing, as a new process does."""
    study.sampler = sampler = seated(name)
    objective = options.pop("objective", OBJECTIVE)
    score_seats(study, sampler, objective, **{"generations": GENERATIONS} | options)
    return study


def by_seat(study: optuna.Study) -> dict[Seat | None, Any]:
    complete = study.get_trials(states=[TrialState.COMPLETE])
    return {seat_of(trial): (trial.params, trial.values) for trial in complete}


@each_maker
def test_every_seat_is_scored_once_and_a_restart_continues_exactly(name: str) -> None:
    whole = run(optuna.create_study(), name)
    assert list(map(seat_of, whole.trials)) == ALL
    parts = optuna.create_study()
    for generations in (1, 2, 2, GENERATIONS):
        run(parts, name, generations=generations)
    assert by_seat(parts) == by_seat(whole)


# Not NSGA-II: it stores the parents of a generation at their first use, and reads them in another
# order afterwards.
@pytest.mark.slow_except("TPE")
@pytest.mark.parametrize("name", [name for name in MAKERS if name != "NSGAIISampler"])
def test_a_lost_trial_is_proposed_again(name: str) -> None:
    whole, study = run(optuna.create_study(), name), optuna.create_study()
    lost = 0

    def mortal(trial: optuna.Trial) -> float:
        nonlocal lost
        lost += 1
        if lost % 3 == 0:
            OBJECTIVE(trial)
            raise KeyboardInterrupt
        return OBJECTIVE(trial)

    for _ in range(20):
        try:
            run(study, name, objective=mortal)
        except KeyboardInterrupt:
            continue
        break
    assert len(study.trials) > len(ALL)
    assert by_seat(study) == by_seat(whole)


def test_each_seat_has_its_own_random_numbers() -> None:
    study = run(optuna.create_study(), "RandomSampler")
    values = [trial.params["x"] for trial in study.trials]
    assert len(set(values)) == len(ALL)
    other = optuna.create_study(sampler=seated("RandomSampler", seed=6))
    other.optimize(OBJECTIVE, n_trials=len(ALL))
    assert not set(values) & {trial.params["x"] for trial in other.trials}


def test_the_proposing_sampler_learns() -> None:
    def far(trial: optuna.Trial) -> float:
        return abs(trial.suggest_float("x", 0, 1) - 0.75)

    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    last = {}
    for name in ("TPESampler", "RandomSampler"):
        sampler = SeatedSampler(MAKERS[name], space, population_size=10, seed=0, proposer=name)
        study = optuna.create_study(sampler=sampler)
        study.optimize(far, n_trials=60)
        last[name] = np.mean([trial.value for trial in study.trials[-20:]])
    assert last["TPESampler"] < last["RandomSampler"] / 2


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_share_the_seats_and_do_not_wait_for_a_generation(workers: int) -> None:
    study = optuna.create_study()
    threads = [
        threading.Thread(
            target=lambda: score_seats(study, seated(), OBJECTIVE, generations=GENERATIONS)
        )
        for _ in range(workers)
    ]
    study.sampler = seated()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = study.get_trials(states=[TrialState.COMPLETE])
    assert sorted(filter(None, map(seat_of, ended))) == ALL
    assert not study.get_trials(states=[TrialState.RUNNING])


def test_a_generation_opens_when_the_one_before_has_a_score() -> None:
    study, sampler = optuna.create_study(sampler=seated()), seated()
    study.sampler = sampler
    taken = [trial for _ in range(SIZE) for trial in sampler.ask_seats(study)]
    assert sampler.ask_seats(study) == []
    study.tell(taken[2], 1.0)
    assert [seat_of(t) for _ in range(SIZE) for t in sampler.ask_seats(study)] == ALL[4:8]
    assert sampler.ask_seats(study) == []


def test_a_seat_that_fails_three_times_is_given_up() -> None:
    study = optuna.create_study()
    run(
        study,
        objective=lambda t: math.nan if seat_of(t) == Seat(1, 2) else OBJECTIVE(t),
    )
    assert set(by_seat(study)) == set(ALL) - {Seat(1, 2)}
    assert len(study.trials) == len(ALL) + 2


def test_views_name_the_proposing_sampler_and_show_the_scored_positions() -> None:
    study = run(optuna.create_study(), generations=2)
    trial = study.ask()
    view = SearchView.of(study)
    assert view is not None
    assert (view.sampler, view.preset, view.population_size) == ("TPESampler", None, SIZE)
    assert [generation.complete for generation in view.generations] == [True, True, False]
    assert not np.isnan(view.generations[1].positions).any()
    assert np.isnan(view.generations[2].positions).all()
    assert status_of(study).sampler == "TPESampler"
    study.tell(trial, state=TrialState.FAIL)


def test_another_sampler_does_not_continue_the_study() -> None:
    study = run(optuna.create_study(study_name="s"), generations=1)
    study.sampler = seated("RandomSampler")
    with pytest.raises(SettingsError, match="proposer='RandomSampler' does not fit study 's'"):
        study.ask()
    study.sampler = RelativeNASSampler()
    with pytest.raises(SettingsError, match="was started by SeatedSampler"):
        study.ask()
