"""Signals become one exception, which is not lost."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from relativenas_optuna._signals import signals_as_interrupts

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


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals_as_interrupts() as received:
        signal.raise_signal(signal.SIGINT)
    assert received == []
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
