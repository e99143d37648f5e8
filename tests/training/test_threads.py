"""The number of CPU threads that a training takes."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

import pytest
import torch

from relativenas_optuna.training import ThreadChoice, choose_threads
from relativenas_optuna.training.threads import (
    VARIABLE,
    fewest_fast,
    seconds_of,
    set_threads,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with one thread and no choice of the user."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.delenv(VARIABLE, raising=False)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("seconds", "threads"),
    [
        ({1: 1.0, 2: 0.9}, 1),
        ({1: 1.0, 2: 0.6}, 2),
        ({1: 1.0, 2: 9.0}, 1),
        ({1: 1.0, 2: 0.6, 4: 0.55}, 2),
        ({1: 1.0, 2: 0.6, 4: 0.3, 6: 0.2}, 6),
        ({1: 1.0, 2: 0.9, 4: 0.8}, 4),
        ({1: 1.0, 2: 1.4, 4: 0.5}, 4),
    ],
)
def test_more_threads_are_taken_only_if_they_clearly_win(
    seconds: dict[int, float], threads: int
) -> None:
    assert fewest_fast(seconds) == threads


@pytest.mark.parametrize(
    ("seconds", "most", "tried", "threads"),
    [
        (lambda n: 0.02 / n, 6, [1, 2, 4, 6], 6),
        (lambda n: 0.01 * n, 2, [1, 2], 1),
        (lambda n: 0.02 / min(n, 2), 4, [1, 2, 4], 2),
        # As on busy cores: two threads are hopeless, and four are not tried.
        (lambda n: 0.01 * n**3, 8, [1, 2], 1),
    ],
)
def test_the_fastest_number_of_threads_is_measured_and_set(
    seconds: Callable[[int], float], most: int, tried: list[int], threads: int
) -> None:
    choice = choose_threads(lambda _: time.sleep(seconds(torch.get_num_threads())), 32, most=most)
    assert torch.get_num_threads() == choice.threads == threads
    assert sorted(choice.seconds) == tried
    assert all(choice.seconds[n] >= seconds(n) for n in tried)


def test_one_core_needs_no_measurement() -> None:
    choice = choose_threads(lambda _: pytest.fail("measured"), 32, most=1)
    assert choice == ThreadChoice(1, 1, {})
    assert str(choice) == "threads: 1 of 1 core"


@pytest.mark.parametrize(
    ("threads", "seconds", "line"),
    [
        (1, {1: 1.0, 2: 1.7}, "threads: 1 of 8 cores (2 would take 1.7 times as long)"),
        (8, {1: 4.0, 4: 1.5, 8: 1.0}, "threads: 8 of 8 cores (4 would take 1.5 times as long)"),
        (1, {1: 1.0, 2: inf}, "threads: 1 of 8 cores (2 would take more than 4 times as long)"),
        (2, {1: 4.0, 2: 2.0, 4: 1.9}, "threads: 2 of 8 cores (4 would take 0.9 times as long)"),
    ],
)
def test_the_choice_is_one_line(threads: int, seconds: dict[int, float], line: str) -> None:
    assert str(ThreadChoice(threads, 8, seconds)) == line


def test_steps_that_take_long_are_timed_with_fewer_images() -> None:
    counts: list[int] = []

    def step(images: int) -> None:
        counts.append(images)
        time.sleep(0.005 * images)

    choose_threads(step, 1000, most=2)
    assert counts[:2] == [8, 8]
    assert 8 < counts[2] <= 100
    assert set(counts[2:]) == {counts[2]}


def test_a_hopeless_step_is_ended_between_its_modules() -> None:
    network = torch.nn.Sequential(*(torch.nn.Identity() for _ in range(50)))

    def step(images: int) -> None:
        for layer in network:
            time.sleep(0.0002 if torch.get_num_threads() == 1 else 0.1)
            layer(torch.zeros(images))

    begun = time.monotonic()
    assert choose_threads(step, 2, most=2).seconds[2] == inf
    assert time.monotonic() - begun < 4  # a step with two threads takes 5


def test_a_step_of_few_images_is_timed_whole() -> None:
    counts: set[int] = set()
    choose_threads(counts.add, 3, most=2)
    assert counts == {3}


def test_the_measurement_leaves_the_random_state_as_it_is() -> None:
    before = torch.get_rng_state()
    choose_threads(torch.rand, 4, most=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_error_in_a_step_leaves_the_number_of_threads_as_it_is() -> None:
    def step(images: int) -> None:
        if torch.get_num_threads() > 1:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        choose_threads(step, 4, most=4)
    assert torch.get_num_threads() == 1


def test_a_timed_step_runs_with_the_given_number_of_threads() -> None:
    found: list[int] = []
    seconds = seconds_of(lambda: found.append(torch.get_num_threads()), 3)
    assert found == [3]
    assert 0 < seconds < 1
    assert torch.get_num_threads() == 1


def measured() -> ThreadChoice:
    """Return a choice of 3 threads, which is set."""
    torch.set_num_threads(3)
    return ThreadChoice(3, 4, {3: 1.0})


@pytest.mark.parametrize(
    ("given", "recorded", "threads", "line", "records"),
    [
        (None, None, 3, "threads: 3 of 4 cores", True),
        (None, 2, 2, "threads: 2 of 4 cores, as before", False),
        (
            None,
            8,
            4,
            "threads: 4 of 4 cores, 8 before; the last digits of scores can differ",
            False,
        ),
        (2, None, 2, "threads: 2, by --threads", True),
        (2, 2, 2, "threads: 2, by --threads", False),
        (2, 3, 2, "threads: 2, by --threads, 3 before; the last digits of scores can differ", True),
    ],
)
def test_a_given_number_comes_before_a_recorded_one_before_the_fastest(
    given: int | None, recorded: int | None, threads: int, line: str, records: bool
) -> None:
    found = set_threads(given=given, recorded=recorded, most=4, measure=measured)
    assert (found.threads, found.line, found.records) == (threads, line, records)
    assert torch.get_num_threads() == threads


def test_the_environment_variable_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "2")
    torch.set_num_threads(2)  # as at the start of a process with this variable
    found = set_threads(given=None, recorded=None, most=4, measure=measured)
    assert (found.threads, found.line) == (2, "threads: 2, by OMP_NUM_THREADS")
    assert found.records
    assert set_threads(given=3, recorded=2, most=4, measure=measured).threads == 3
