"""Signals become one exception, which is not lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from relativenas_optuna._utils.signals import signals_as_interrupts
from tests.helpers.command import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_raises_and_is_noted(number: signal.Signals) -> None:
    with signals_as_interrupts() as received:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert received == [number]


class InterruptedWhenFreed:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_a_signal_that_comes_while_an_object_is_freed_is_raised_afterwards() -> None:
    with signals_as_interrupts() as received:
        InterruptedWhenFreed()
        with pytest.raises(KeyboardInterrupt):
            time.sleep(10)
        assert set(received) == {signal.SIGINT}


def test_a_second_signal_does_not_interrupt_what_the_first_one_began() -> None:
    with signals_as_interrupts() as received:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    assert received == [signal.SIGINT]


_TWICE = """
import signal, sys, time
from relativenas_optuna._utils.signals import signals_as_interrupts
with signals_as_interrupts():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        time.sleep(1.1)
        signal.raise_signal(signal.SIGINT)
        time.sleep(60)
"""


def test_a_second_signal_ends_what_does_not_end_by_itself() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _TWICE], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130
    assert ended.stderr.strip() == (
        "interrupted again: ended at once; what was saved before is kept"
    )


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals_as_interrupts() as received:
        signal.raise_signal(signal.SIGINT)
    assert received == []
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
