from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest

from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.samplers.seats.worker import this_worker
from relativenas_optuna.search.finals.records import (
    SHORTLIST,
    Claimed,
    Entrant,
    FinalsRecord,
    Work,
)
from relativenas_optuna.search.finals.scores import DIVERGED, RungScore
from relativenas_optuna.search.finals.store import FINALS_ATTRIBUTE, FinalsStore
from tests.helpers.finals_worker import (
    ALL,
    MAKE_SHORTLIST,
    START,
    Alive,
    Trainings,
    in_steps,
    shortlist,
    trained,
    worker,
)
from tests.helpers.tiny_search import database


def with_clock(
    patch: pytest.MonkeyPatch,
    monotonic: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Give finals another clock; threads of other tests keep theirs."""
    clock = SimpleNamespace(monotonic=monotonic, sleep=sleep)
    for module in ("search.finals.loop", "_utils.stopwatch"):
        patch.setattr(f"relativenas_optuna.{module}.time", clock)


def test_a_worker_does_all_rungs_in_order(study: optuna.Study) -> None:
    trainings, seen = Trainings(), list[FinalsRecord]()
    record = worker(study, train=trainings, on_change=seen.append).run()
    assert record is not None
    assert trainings.done == ALL
    assert record.finished
    assert record.order() == [2, 1, 0, 3]
    assert record.random_accuracies == (0.25, 0.5)
    assert not record.claims
    assert [len(one.trainings) for one in seen[1:]] == list(range(7))
    assert FinalsStore(study).read() == record
    assert worker(study, train=trainings).run() == record
    assert trainings.done == ALL


def test_an_interrupted_worker_gives_its_work_back_and_goes_on_where_it_was(
    study: optuna.Study,
) -> None:
    expected = worker(optuna.create_study()).run()
    trainings = Trainings()
    for _ in ALL[:3]:

        def interrupted(*arguments: Any) -> RungScore:
            if len(trainings.done) % 2:
                trainings.done.append(Work(9, 9))
                raise KeyboardInterrupt
            return trainings(*arguments)

        with pytest.raises(KeyboardInterrupt):
            worker(study, train=interrupted).run()
        record = FinalsStore(study).read()
        assert record is not None
        assert not record.claims
    record = worker(study, train=trainings).run()
    assert record is not None
    assert expected is not None
    assert [work for work in trainings.done if work.rung < 9] == ALL
    scores = [(training.rung, training.entrant, training.score) for training in record.trainings]
    assert scores == [(t.rung, t.entrant, t.score) for t in expected.trainings]


def test_a_shortlist_that_fails_is_made_again(study: optuna.Study) -> None:
    def failing(*_: Any) -> FinalsRecord:
        raise SearchError("no")

    with pytest.raises(SearchError, match="no"):
        worker(study, shortlist=failing).run()
    record = worker(study).run()
    assert record is not None
    assert record.finished


def test_a_training_that_always_fails_counts_as_diverged(study: optuna.Study) -> None:
    failed: list[tuple[Work, str]] = []
    trainings = Trainings()

    def train(record: FinalsRecord, entrant: Entrant, rung: int, alive: Alive) -> RungScore:
        if entrant == record.entrants[1]:
            raise RuntimeError("out of memory")
        return trainings(record, entrant, rung, alive)

    record = worker(
        study, train=train, on_failure=lambda work, error: failed.append((work, str(error)))
    ).run()
    assert record is not None
    assert failed == [(Work(0, 1), "out of memory")] * 3
    assert record.scores(0)[1] == DIVERGED
    assert trainings.done == [Work(0, 0), Work(0, 2), Work(0, 3), Work(1, 0), Work(1, 2)]
    assert record.order()[-1] == 1


def test_failures_of_earlier_processes_count(study: optuna.Study) -> None:
    def failing(record: FinalsRecord, entrant: Entrant, rung: int, alive: Alive) -> RungScore:
        raise RuntimeError("no")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            worker(study, train=failing).run()  # without `on_failure` the first one ends the run
    failed: list[Work] = []

    def failing_first(record: FinalsRecord, entrant: Entrant, *_: Any) -> RungScore:
        if entrant == record.entrants[0]:
            raise RuntimeError("no")
        return RungScore(loss=1.0, accuracy=0.5)

    worker(study, train=failing_first, on_failure=lambda work, _: failed.append(work)).run()
    assert failed == [Work(0, 0)]


def test_two_architectures_that_fail_in_a_row_end_the_run(study: optuna.Study) -> None:
    failed: list[Work] = []

    def failing(*_: Any) -> RungScore:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        worker(study, train=failing, on_failure=lambda work, _: failed.append(work)).run()
    assert failed == [Work(0, 0)] * 3


def test_a_full_disk_ends_the_run_and_no_architecture_is_to_blame(study: optuna.Study) -> None:
    def full(*_: Any) -> RungScore:
        raise OSError("no space left on device")

    for _ in range(4):
        with pytest.raises(OSError, match="no space left"):
            worker(study, train=full, on_failure=lambda *_: None).run()
    record = FinalsStore(study).read()
    assert record is not None
    assert not record.claims
    assert not record.trainings


@pytest.mark.slow_except("memory")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the start of a process")
@pytest.mark.parametrize("work", [MAKE_SHORTLIST, Work(SHORTLIST, 2), Work(0, 1)])
def test_the_work_of_another_process_is_left_to_it_until_it_dies(
    work: Work, study: optuna.Study
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        other = this_worker() | {"pid": process.pid, "start": float(fields[19])}
        claim = Claimed(rung=work.rung, entrant=work.entrant, worker=other)
        begun = START if work == MAKE_SHORTLIST else shortlist(START, lambda: None)
        if work == Work(SHORTLIST, 2):
            begun = trained(in_steps(START, lambda: None))
        FinalsStore(study).change(lambda _: begun.with_claim(claim, work))
        trainings = Trainings()
        polled = 0

        def change(changed: Any) -> FinalsRecord | None:
            nonlocal polled
            polled += 1
            if polled == 20:
                process.communicate(b"\n")
            return FinalsStore(study).change(changed)

        own = worker(study, shortlist=in_steps, train=trainings)
        own._store.change = change  # type: ignore[method-assign]
        record = own.run()
    assert record is not None
    assert record.finished
    assert polled > 20
    first = [Work(0, 0), Work(0, 2), Work(0, 3), Work(0, 1)]
    expected = {MAKE_SHORTLIST: ALL, Work(0, 1): [*first, *ALL[4:]], Work(SHORTLIST, 2): ALL[2:]}
    assert trainings.done == expected[work]


@pytest.mark.slow_except("memory")
def test_a_worker_elsewhere_is_dead_after_two_minutes_of_silence(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"machine": "elsewhere", "pid": 5, "start": 1.0}
    claim = Claimed(rung=0, entrant=0, worker=other)
    begun = shortlist(START, lambda: None).with_claim(claim, Work(0, 0))
    FinalsStore(study).change(lambda _: begun)
    seconds, naps = 0.0, list[float]()

    def sleep(pause: float) -> None:
        nonlocal seconds
        naps.append(pause)
        seconds += 1.0
        if len(naps) == 50:  # a sign of life
            FinalsStore(study).change(
                lambda now: now.with_claim(replace(claim, beats=1), Work(0, 0)) if now else None
            )

    with_clock(monkeypatch, lambda: seconds, sleep)
    trainings = Trainings()
    assert worker(study, train=trainings).run() is not None
    assert trainings.done == [*ALL[1:4], Work(0, 0), *ALL[4:]]
    assert 168 < len(naps) < 180


def test_a_worker_gives_signs_of_life(study: optuna.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 0.0
    with_clock(monkeypatch, lambda: seconds)
    beats: list[int] = []

    def train(record: FinalsRecord, entrant: Entrant, rung: int, alive: Alive) -> RungScore:
        nonlocal seconds
        for _ in range(10):
            seconds += 5.0
            alive()
            now = FinalsStore(study).read()
            assert now is not None
            (claim,) = now.claims
            assert claim.worker == this_worker()
            beats.append(claim.beats)
        return RungScore(loss=1.0, accuracy=0.5)

    worker(study, train=train).run()
    assert beats[:10] == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]


def test_more_generations_or_other_settings_start_new_finals(study: optuna.Study) -> None:
    assert worker(study).run() is not None
    other = replace(START, settings=replace(START.settings, target="full"))
    assert worker(study, other, leads=False).run() is None
    later = replace(START, generations=4)
    for start in (other, later):
        trainings = Trainings()
        record = worker(study, start, train=trainings).run()
        assert record is not None
        assert record.belongs_to(start)
        assert trainings.done == ALL
    assert worker(study, START).run() is None


def test_finals_that_are_replaced_meanwhile_end_without_a_result(study: optuna.Study) -> None:
    later = replace(START, generations=4)

    def train(record: FinalsRecord, entrant: Entrant, *_: Any) -> RungScore:
        FinalsStore(study).change(lambda _: later)
        return RungScore(loss=1.0, accuracy=0.5)

    assert worker(study, train=train).run() is None
    record = FinalsStore(study).read()
    assert record is not None
    assert record.belongs_to(later)
    assert not record.trainings


def test_a_deleted_study_ends_the_run(tmp_path: Path) -> None:
    with database(f"sqlite:///{tmp_path / 's.db'}") as storage:
        study = optuna.create_study(study_name="s", storage=storage)

        def train(*_: Any) -> RungScore:
            optuna.delete_study(study_name="s", storage=storage)
            optuna.create_study(study_name="t", storage=storage)  # with the same id
            return RungScore(loss=1.0, accuracy=0.5)

        with pytest.raises(KeyError, match="study 's' was deleted"):
            worker(study, train=train).run()


JUNK: list[Any] = [
    5,
    "text",
    [],
    {},
    {"generations": 3},
    {"generations": -1, "settings": {}, "space": "cells"},
    {"generations": 3, "settings": {"shortlist": 1}, "space": "cells"},
    {"generations": 3, "settings": {}, "space": "cells", "sizes": [2]},
    {
        "generations": 3,
        "settings": {"shortlist": 2},
        "space": "cells",
        "sizes": [3],  # more than the whole shortlist
        "epochs": [1],
        "entrants": [plain(entrant) for entrant in shortlist(START, lambda: None).entrants[:2]],
    },
    {
        "generations": 3,
        "settings": {},
        "space": "cells",
        "claims": [{"rung": 0, "entrant": 0, "worker": {"pid": 1}}],
    },
    {
        "generations": 3,
        "settings": {},
        "space": "cells",
        "trainings": [
            {"rung": 0, "entrant": 0, "seconds": 1.0, "score": {"loss": 1.0, "accuracy": 0.5}}
        ],
    },
]


@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_a_record_that_anybody_may_have_written_is_refused_in_one_line(
    junk: Any, study: optuna.Study
) -> None:
    study._storage.set_study_system_attr(study._study_id, FINALS_ATTRIBUTE, junk)
    with pytest.raises(SearchError, match="study 's' has an unreadable attribute") as caught:
        worker(study).run()
    assert "\n" not in str(caught.value)
