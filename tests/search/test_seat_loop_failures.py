"""A worker that is told to go on where an architecture fails."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna.cli.progress import failure
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.storages.interruption import mark_interrupted, was_interrupted
from tests.helpers.samplers.searches import OBJECTIVE, scored, study_and_sampler
from tests.search.test_seat_loop import SEATS, all_seats, assert_scored_once, failures, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial

Heard = list[tuple[Seat | None, str]]


def failing_at(*seats: Seat, times: int) -> Callable[[optuna.Trial], float]:
    """Return the usual objective, which fails a number of times at some seats."""
    left = Counter(dict.fromkeys(seats, times))

    def objective(trial: optuna.Trial) -> float:
        seat = seat_of(trial)
        assert seat is not None
        if left[seat] > 0:
            left[seat] -= 1
            raise MemoryError("too\nlarge")
        return float(OBJECTIVE(trial))

    return objective


def heard_of(heard: Heard) -> Callable[[FrozenTrial, Exception], None]:
    return lambda trial, error: heard.append((seat_of(trial), failure(trial, error)))


@pytest.mark.parametrize("seat", [Seat(0, 0), Seat(1, 3)])
def test_one_that_always_fails_is_scored_as_slowest_and_the_others_go_on(seat: Seat) -> None:
    study, heard = study_and_sampler()[0], Heard()
    run(study, failing_at(seat, times=100), on_failure=heard_of(heard))
    assert [where for where, _ in heard] == [seat] * 3
    assert all("failed: MemoryError: too large; its" in line for _, line in heard)
    assert all("\n" not in line for _, line in heard)
    assert scored(study).keys() == all_seats() - {seat}
    assert not any(map(was_interrupted, study.trials))
    assert len(study.trials) == SEATS + 2


def test_one_that_fails_once_is_scored_again() -> None:
    study, heard = study_and_sampler()[0], Heard()
    run(study, failing_at(Seat(0, 1), Seat(1, 0), times=1), on_failure=heard_of(heard))
    assert [where for where, _ in heard] == [Seat(0, 1), Seat(1, 0)]
    assert_scored_once(study)


def test_two_that_fail_one_after_the_other_end_the_worker() -> None:
    study, heard = study_and_sampler()[0], Heard()
    with pytest.raises(MemoryError):
        run(study, failing_at(*all_seats(), times=1), on_failure=heard_of(heard))
    assert [where for where, _ in heard] == [Seat(0, 0)]
    assert failures(study) == {Seat(0, 0): False, Seat(0, 1): False}


def test_an_error_that_is_not_the_architectures_ends_the_worker() -> None:
    def full(trial: optuna.Trial) -> float:
        mark_interrupted(trial.storage, trial._trial_id)
        raise OSError("no space left")

    study, heard = study_and_sampler()[0], Heard()
    with pytest.raises(OSError, match="no space"):
        run(study, full, on_failure=heard_of(heard))
    assert not heard
