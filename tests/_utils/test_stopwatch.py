"""Things are watched by the time that this process looked on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from relativenas_optuna._utils import stopwatch as _watch
from relativenas_optuna._utils.stopwatch import LONGEST_STEP, Watch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(_watch, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_age_counts_from_the_first_look_at_a_state(clock: SimpleNamespace) -> None:
    watch = Watch()
    clock.now += 5
    assert watch.unchanged(1, "a") == 0
    clock.now += 7
    assert watch.unchanged(1, "a") == 7
    assert watch.unchanged(2, None) == 0
    clock.now += 1
    assert watch.unchanged(1, "b") == 0
    assert watch.unchanged(2, None) == 1
    watch.forget_others({1})
    assert watch.unchanged(2, None) == 0


def test_a_process_that_stood_still_saw_no_time_pass(clock: SimpleNamespace) -> None:
    watch = Watch()
    watch.unchanged(1, None)
    clock.now += 86_400
    assert watch.unchanged(1, None) == LONGEST_STEP
