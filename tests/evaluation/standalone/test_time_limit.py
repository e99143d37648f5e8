"""Test trainings that end after a given time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
from relativenas_optuna.evaluation.standalone.result import Epoch, Result
from relativenas_optuna.evaluation.standalone.time_limit import TimeLimit
from relativenas_optuna.evaluation.standalone.trainer import StandaloneTrainer
from relativenas_optuna.exceptions import SearchError
from tests.helpers.small_standalone import GENOTYPE, RECIPE, train
from tests.helpers.tiny_search import tiny_images

LONGEST = 3.0  # seconds of a training of one second on a machine with other programs


def epochs(*seconds: float) -> list[Epoch]:
    return [
        Epoch(
            epoch=number,
            learning_rate=0.1,
            drop_path=0.0,
            training_loss=1.0,
            training_accuracy=0.5,
            validation_loss=None,
            validation_accuracy=None,
            seconds=of_epoch,
        )
        for number, of_epoch in enumerate(seconds)
    ]


def limit(seconds: float, *, validation: float = 0.0) -> TimeLimit:
    return TimeLimit(seconds, epochs=10, validation_seconds=validation)


def logged(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_the_place_in_the_schedule_follows_the_time() -> None:
    clock = limit(4.0)
    clock.begin_epoch(epochs(1.0, 1.0))
    assert clock.place == pytest.approx(5, abs=0.5)
    clock.begin_epoch(epochs(3.0, 3.0))
    assert clock.place == 10
    time.sleep(0.02)
    assert 0.02 <= clock.end_epoch() < 1
    assert clock.end_epoch() < 0.02


@pytest.mark.parametrize(
    ("history", "validation", "count"),
    [
        ((), 0.0, 60),  # nothing is known of the speed
        ((4.0,), 0.0, 60),
        ((4.0, 4.0), 0.0, 30),  # 2 of 4 seconds are left
        ((4.0, 4.0), 1.0, 20),  # 1 of 3 seconds, beside the validation
        ((4.0, 4.0, 1.7), 0.0, 8),  # at least a batch
    ],
)
def test_the_last_epoch_takes_the_images_that_fit(
    history: tuple[float, ...], validation: float, count: int
) -> None:
    clock, images = limit(10.0, validation=validation), tiny_images(60)
    part = clock.part(images, epochs(*history), least=8, seed=3)
    assert len(part) == count
    again = clock.part(images, epochs(*history), least=8, seed=3)
    assert torch.equal(again.labels, part.labels)


def test_a_time_is_over_when_little_of_it_is_left() -> None:
    assert not limit(10.0).is_over(epochs(4.0, 5.7))
    assert limit(10.0).is_over(epochs(4.0, 5.9))


def test_a_training_takes_its_time_and_is_not_repeated(tmp_path: Path) -> None:
    start = time.monotonic()
    first = train(tmp_path, seconds=1.0)
    assert 0.98 <= first.seconds < LONGEST
    assert time.monotonic() - start >= first.seconds
    rates = [epoch["learning_rate"] for epoch in logged(tmp_path)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.9 * RECIPE.learning_rate
    assert rates[-1] < 0.9 * rates[0]
    assert first.epochs == len(rates)
    assert train(tmp_path, seconds=1.0) == first
    with pytest.raises(SearchError, match="seconds"):
        train(tmp_path, seconds=2.0)


@pytest.mark.slow
def test_a_training_that_was_interrupted_has_the_time_that_is_left(tmp_path: Path) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, seconds=1.0, on_epoch=stop)
    before = logged(tmp_path)
    found = train(tmp_path, seconds=1.0)
    assert logged(tmp_path)[:3] == before
    assert 0.98 <= found.seconds < LONGEST
    assert Result.read(tmp_path) == found


def test_several_processes_have_no_time() -> None:
    group = ProcessGroup(device=torch.device("cpu"), processes=2)
    with pytest.raises(ValueError, match="seconds must be None for a training by 2 processes"):
        StandaloneTrainer(
            GENOTYPE, tiny_images(60), recipe=RECIPE, seed=0, group=group, seconds=1.0
        )
