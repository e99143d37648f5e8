"""A study that is deleted while it is used: commands end with one line."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.cli.commands.ask_tell.samplers import asked_sampler
from relativenas_optuna.cli.commands.ask_tell.trials import Asker, Result, tell_trial
from relativenas_optuna.dashboard import DashboardReporter
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.architectures import scored_architectures
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.seat_loop import score_seats
from relativenas_optuna.search.status import status_of
from relativenas_optuna.search.studies import study_to_search
from relativenas_optuna.search.study_access import study_at
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import call, write_study_file
from tests.helpers.databases import KINDS, empty_database
from tests.samplers.conftest import DATABASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GONE = "study 's' was deleted while this command ran, and its trials are gone: create a new study"
# On a server each use takes seconds.
SLOW_SERVERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in DATABASES]
LONG = 500  # generations, more than any search here gets to
SPACE = {"x": optuna.distributions.FloatDistribution(-1, 1)}


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_database(request.param, tmp_path) as made:
        yield made


def delete(url: str) -> None:
    """Delete the study "s" with the storage of this package.

    A plain connection of psycopg2 may fail while another thread ends a call of ours, see
    `storages.psycopg2_waiting`.
    """
    with storage_at(url) as storage:
        # Optuna fails where another process adds a trial meanwhile.
        for _ in range(20):
            with suppress(Exception):
                optuna.delete_study(study_name="s", storage=storage)
            if not optuna.get_all_study_names(storage):
                break
        assert not optuna.get_all_study_names(storage)


@contextmanager
def deleted_meanwhile(url: str, *, trials: int) -> Iterator[None]:
    """Delete the study from another thread as soon as it has so many trials."""
    ended = threading.Event()

    def wait_and_delete() -> None:
        with storage_at(url) as storage:
            while not ended.wait(0.05):
                with suppress(KeyError):
                    study = optuna.load_study(study_name="s", storage=storage)
                    if len(study.get_trials(deepcopy=False)) >= trials:
                        break
        delete(url)

    thread = threading.Thread(target=wait_and_delete)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def make_study(url: str, *, trials: int = 0) -> None:
    with storage_at(url, heartbeat_interval=None) as storage:
        study = optuna.create_study(
            study_name="s", storage=storage, sampler=RelativeNASSampler(SPACE, seed=0)
        )
        study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=trials)


@pytest.mark.slow
def test_a_search_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    file = write_study_file(tmp_path, "s", generations=LONG)
    with deleted_meanwhile(url, trials=3):
        outcome = call(capfd, "run", file, "--device", "cpu", "--storage", url)
    assert GONE in outcome.line


@pytest.mark.slow
def test_a_worker_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    write_study_file(tmp_path, "s")
    settings = {"nodes": 1, "channels": 2, "cells": 3, "population": 2, "generations": LONG}
    settings["uniform_epochs"] = 0
    with storage_at(url) as storage:
        study = optuna.create_study(study_name="s", storage=storage)
        request = SearchRequest(data="images", preset="digits", settings=settings, finals=0)
        plan = SearchPlan.of(study, request)
        plan.store(study)
        Path(plan.place).mkdir(parents=True)
    with deleted_meanwhile(url, trials=3):
        outcome = call(capfd, "worker", "--study", "s", "--device", "cpu", "--storage", url)
    assert GONE in outcome.line


def test_watching_ends_with_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    make_study(url)
    words = ("status", "--study", "s", "--watch", "--every", "0.1", "--storage", url)
    with deleted_meanwhile(url, trials=0):
        assert GONE in call(capfd, *words).line


def optimize(study: optuna.Study) -> None:
    study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=1)


def tell(study: optuna.Study) -> None:
    tell_trial(study, 0, Result(values=[0.0]))


def ask(study: optuna.Study) -> None:
    Asker(study, asked_sampler(study, space=SPACE)).one()


def ask_generation(study: optuna.Study) -> None:
    Asker(study, asked_sampler(study, space=SPACE)).generation()


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("url", ["sqlite", *SLOW_SERVERS], indirect=True)
def test_all_uses_of_a_study_say_that_it_is_deleted(url: str) -> None:
    def used_after_deletion(use: Callable[[optuna.Study], object]) -> None:
        with study_at(url, "s", heartbeat_interval=None) as study:
            assert len(study.trials) == 1  # which Optuna remembers
            delete(url)
            use(study)

    uses: list[Callable[[optuna.Study], object]] = [ask_generation, tell, optimize]
    if url.startswith("sqlite"):  # servers take seconds for each
        uses += [ask, status_of, scored_architectures]
    for use in uses:
        make_study(url, trials=1)
        with pytest.raises(SearchError, match=GONE):
            used_after_deletion(use)


@pytest.mark.slow_except("1", "4")
@pytest.mark.parametrize("when", ["in the objective", "after a trial", "between two pairs"])
def test_a_search_ends_wherever_it_is(url: str, when: str) -> None:
    make_study(url)
    scored: list[int] = []

    def objective(trial: optuna.Trial) -> float:
        if when == "in the objective" and len(scored) == 2:
            delete(url)
        return trial.suggest_float("x", -1, 1) ** 2

    def after(trial: optuna.trial.FrozenTrial) -> None:
        scored.append(trial.number)
        if len(scored) == {"after a trial": 1, "between two pairs": 2}.get(when):
            delete(url)

    def search() -> None:
        with study_at(url, "s") as study:
            sampler = study.sampler = RelativeNASSampler(SPACE, population_size=4, seed=0)
            score_seats(study, sampler, objective, generations=5, on_trial=after)

    with pytest.raises(SearchError, match=GONE):
        search()
    assert len(scored) == (1 if when == "after a trial" else 2)


def test_other_errors_are_left_as_they_are(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    make_study(url)

    def fail() -> None:
        with study_at(url, "s"):
            raise KeyError("other")

    with pytest.raises(KeyError, match="other"):
        fail()


def test_a_study_that_got_the_id_of_a_deleted_one_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with storage_at(url, heartbeat_interval=None) as storage:

        def search() -> None:
            with study_to_search(storage, "s") as study:
                delete(url)
                other = optuna.create_study(study_name="other", storage=storage)
                assert other._study_id == study._study_id
                sampler = RelativeNASSampler(SPACE, seed=0)
                score_seats(study, sampler, lambda _: 0.0, generations=1)

        with pytest.raises(SearchError, match=GONE):
            search()
        assert not optuna.load_study(study_name="other", storage=storage).trials


@pytest.mark.slow_except("sqlite")
def test_the_dashboard_reporter_says_nothing_of_a_deleted_study(url: str) -> None:
    make_study(url, trials=1)
    said: list[str] = []
    reporter = DashboardReporter(warn=said.append)
    with storage_at(url) as storage:
        study = optuna.load_study(study_name="s", storage=storage)
        last = study.trials[-1]
        delete(url)
        reporter(study, last)
        reporter.write(study, ended=True)
    assert not said
