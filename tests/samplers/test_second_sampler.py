"""A second population sampler gets everything but its proposals from `seats` and the views."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from relativenas_optuna import RelativeNASSampler, SearchView
from relativenas_optuna.dashboard.html_report.page import page_of
from relativenas_optuna.dashboard.reporter import DashboardReporter
from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.populations import population_in
from relativenas_optuna.samplers.seats.claims import Claim, Seat, seat_of
from relativenas_optuna.search.seat_loop import score_seats
from relativenas_optuna.search.status import status_of
from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.visualization import plot_all
from tests.helpers.command import ENVIRONMENT
from tests.helpers.samplers.random_members import RandomMembers, RandomMembersSampler
from tests.helpers.samplers.searches import OBJECTIVE, SPACE, bits, loss, loss_of, replayed, suggest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.seats.population import Population
    from tests.helpers.samplers.searches import Space

UNKNOWN = """
import sys, optuna
from relativenas_optuna import RelativeNASSampler, SearchView
study = optuna.load_study(study_name="s", storage=sys.argv[1], sampler=RelativeNASSampler())
assert SearchView.of(study) is None
study.ask()
"""


def searched(
    trials: int, space: Space | None = SPACE, storage: optuna.storages.BaseStorage | None = None
) -> optuna.Study:
    study = optuna.create_study(
        storage=storage, study_name="s", sampler=RandomMembersSampler(space, 4, seed=3)
    )
    study.optimize(OBJECTIVE, n_trials=trials)
    return study


def population(study: optuna.Study) -> Population:
    found = replayed(study)
    assert found is not None
    return found


def by_seat(study: optuna.Study) -> dict[Seat | None, dict[str, Any]]:
    return {seat_of(trial): trial.params for trial in study.trials}


def test_seats_are_given_out_generation_by_generation() -> None:
    study = searched(10)
    seats = [Seat(g, n) for g in range(3) for n in range(4)]
    assert list(map(seat_of, study.trials)) == seats[:10]
    assert list(population(study).open_seats()) == seats[10:]
    claims = [Claim.read(trial.system_attrs) for trial in study.trials]
    assert {claim and claim.sampler for claim in claims} == {"RandomMembersSampler"}
    assert [n for n, claim in enumerate(claims) if claim and claim.settings] == [0]


@pytest.mark.parametrize("space", [SPACE, None], ids=["known", "unknown"])
@pytest.mark.parametrize("trials", [1, 4, 7])
def test_a_sampler_without_arguments_continues_the_search(space: Space | None, trials: int) -> None:
    study = searched(trials, space)
    study.sampler = RandomMembersSampler()
    study.optimize(OBJECTIVE, n_trials=10 - trials)
    assert [trial.params for trial in study.trials] == [
        t.params for t in searched(10, space).trials
    ]


def test_generations_are_asked_for_and_enqueued_as_a_whole() -> None:
    study, sampler = searched(3), RandomMembersSampler()
    for size in (1, 4):
        trials = sampler.ask_generation(study)
        assert len(trials) == size
        assert sampler.ask_generation(study) == []
        for trial in reversed(trials):
            study.tell(trial, loss(trial.params, SPACE))
    assert sampler.enqueue_generation(study) == [8, 9, 10, 11]
    study.sampler = optuna.samplers.RandomSampler()
    study.optimize(OBJECTIVE, n_trials=4)
    alone = searched(12)
    assert by_seat(study) == by_seat(alone)
    assert bits(population(study)) == bits(population(alone))


def test_a_failed_trial_frees_its_seat_and_the_longest_running_seat_is_given_out_again() -> None:
    study = searched(0)
    running = [study.ask() for _ in range(4)]
    study.tell(running[2], state=TrialState.FAIL)
    assert seat_of(study.ask()) == Seat(0, 2)
    assert [seat_of(study.ask()) for _ in range(2)] == [Seat(0, 0), Seat(0, 1)]


def test_workers_of_a_sampler_without_pairs_take_one_seat_each() -> None:
    study = searched(0)
    workers = [RandomMembersSampler(SPACE, 4, seed=3) for _ in range(2)]
    taken = [trial for _ in range(2) for w in workers for trial in w.ask_seats(study)]
    assert list(map(seat_of, taken)) == [Seat(0, number) for number in range(4)]
    assert workers[0].ask_seats(study) == []  # no seat is given out twice
    for trial in reversed(taken):
        study.tell(trial, loss(trial.params, SPACE))
    assert workers[0].ask_seats(study, generations=1) == []
    assert list(map(seat_of, workers[1].ask_seats(study))) == [Seat(1, 0)]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_loop_of_workers_scores_every_seat_once(workers: int) -> None:
    study = searched(0)
    heard: list[Seat | None] = []

    def work() -> None:
        sampler = RandomMembersSampler(SPACE, 4, seed=3)
        score_seats(
            study, sampler, OBJECTIVE, generations=3, on_trial=lambda t: heard.append(seat_of(t))
        )

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(filter(None, heard)) == [Seat(g, n) for g in range(3) for n in range(4)]
    assert bits(population(study)) == bits(population(searched(12)))


def test_the_views_of_a_search_show_generations_and_best_values(tmp_path: Path) -> None:
    with storage_at(f"sqlite:///{tmp_path / 'study.db'}") as storage:
        study = searched(10, storage=storage)
        view = SearchView.of(study)
        assert view is not None
        assert (view.sampler, view.preset, view.seed) == ("RandomMembersSampler", None, 3)
        assert [generation.complete for generation in view.generations] == [True, True, False]
        first = view.generations[0]
        assert first.pairs == ()
        assert first.diversity
        assert first.best == int(np.argmin([trial.values[0] for trial in study.trials[:4]]))
        assert [dict(params or {}) for params in first.params] == [
            trial.params for trial in study.trials[:4]
        ]
        status = status_of(study)
        assert (status.sampler, status.population) == ("RandomMembersSampler", 4)
        assert population_in(study) is not None
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            assert plot_all(study)
            DashboardReporter(tmp_path, warn=pytest.fail).write(study)
            page = page_of(study, storage="", made_by="", top=3)
        assert "RandomMembersSampler" in page
        notes = study._storage.get_study_system_attrs(study._study_id)
        assert any(key.startswith("dashboard:note") for key in notes)


class LedByTheBest(RandomMembers):
    """Each generation starts with the best member of the one before."""

    sampler = "LedByTheBest"

    def positions(self, index: int) -> NDArray[np.float64]:
        drawn = super().positions(index)
        if index:
            last = self.generations[index - 1]
            values = [score.counted.value for score in last.seat_scores if score.counted]
            drawn[0] = last.positions[int(np.argmin(np.array(values, dtype=float)))]
        return drawn


class LedByTheBestSampler(RandomMembersSampler):
    population_class = LedByTheBest


def test_a_score_that_finished_first_and_is_read_late_draws_the_next_generation_anew() -> None:
    study = optuna.create_study(sampler=LedByTheBestSampler(SPACE, 4, seed=3))
    study.optimize(loss_of(SPACE), n_trials=9)
    before = bits(population(study))
    worst = max(study.trials[:4], key=lambda trial: trial.values[0])
    assert worst.datetime_complete is not None
    first = create_trial(
        value=-1e3,
        params=worst.params,
        distributions=worst.distributions,
        system_attrs={k: v for k, v in worst.system_attrs.items() if k.startswith("population:")},
    )
    first.datetime_start = first.datetime_complete = worst.datetime_start
    study.add_trial(first)
    sampler = study.sampler
    assert isinstance(sampler, LedByTheBestSampler)
    followed = sampler.population(study)
    assert followed is not None
    assert bits(followed) == bits(population(study))
    assert bits(followed)[1] != before[1]
    led = followed.proposal(Seat(1, 0))
    assert led is not None
    assert led.encoding.decode(led.position) == worst.params


def test_each_sampler_refuses_the_study_of_another_one() -> None:
    study = searched(5)
    study.sampler = RelativeNASSampler()
    with pytest.raises(SettingsError, match="started by RandomMembersSampler, not by RelativeNAS"):
        study.ask()
    with pytest.raises(SettingsError, match="started by RandomMembersSampler"):
        RelativeNASSampler().population(study)
    own = optuna.create_study(sampler=RelativeNASSampler(SPACE))
    own.ask()
    own.sampler = RandomMembersSampler()
    with pytest.raises(SettingsError, match="started by RelativeNASSampler, not by RandomMembers"):
        own.ask()
    assert [trial.state for trial in own.trials] == [TrialState.RUNNING, TrialState.FAIL]


def test_a_process_that_does_not_know_the_sampler_refuses_its_study(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with storage_at(url) as storage:
        searched(5, storage=storage)
    done = subprocess.run(
        [sys.executable, "-c", UNKNOWN, url],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "was started by RandomMembersSampler, which this process does not know" in done.stderr


def test_arguments_that_differ_from_the_study_are_refused() -> None:
    study = searched(2)
    for sampler, message in (
        (RandomMembersSampler(population_size=5), "population_size=5 does not fit study 's'"),
        (RandomMembersSampler(seed=4), "seed=4 does not fit study 's'"),
        (RandomMembersSampler({"x": SPACE["x"]}), "search_space does not fit study 's'"),
    ):
        study.sampler = sampler
        with pytest.raises(SettingsError, match=message):
            study.ask()
    with pytest.raises(SettingsError, match="population_size must be a whole number from 1"):
        RandomMembersSampler(population_size=0)


def test_a_fixed_architecture_takes_the_next_seat() -> None:
    study = searched(0)
    study.enqueue_trial({"x": 0.25})
    trial = study.ask()
    assert suggest(trial, SPACE)["x"] == 0.25
    assert seat_of(trial) == Seat(0, 0)
