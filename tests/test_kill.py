"""Kill it anywhere: real processes, ended by SIGKILL."""

from __future__ import annotations

import json
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna.checkpoint import FILE_NAME
from relativenas_optuna.training import load
from tests import mortal
from tests.tiny import SEATS, database, names, positions, same_bits, scores, write_pictures

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="processes are forked from a server"
)


def undisturbed_search(tmp_path: Path, data: Path) -> tuple[optuna.Study, Path]:
    found = optuna.create_study()
    mortal.begin(found, tmp_path / "undisturbed", data).run(lambda _: None)
    return found, tmp_path / "undisturbed" / FILE_NAME


def assert_undisturbed(tmp_path: Path, url: str, data: Path) -> None:
    other, weights = undisturbed_search(tmp_path, data)
    with database(url) as storage:
        found = optuna.load_study(storage=storage, study_name="s")
        # One that died between Optuna's first breath and the sampler's is failed a while later.
        running = found.get_trials(states=[TrialState.RUNNING])
        assert not any(trial.system_attrs or trial.params for trial in running)
        assert scores(found) == scores(other)
        assert positions(found) == positions(other)
    tensors, metadata = load(tmp_path / "out" / FILE_NAME)
    expected, other_metadata = load(weights)
    assert same_bits(tensors, expected)
    assert json.loads(metadata["state"]) == json.loads(other_metadata["state"])
    assert names(tmp_path / "out") == [FILE_NAME]


def dies_at_every(points: Iterator[str], tmp_path: Path) -> int:
    """Search by processes that each die at a point, until one ends; returns how many died."""
    url, data = f"sqlite:///{tmp_path / 's.db'}", write_pictures(tmp_path / "data")
    died = 0
    for point in points:
        process, _ = mortal.process(url, tmp_path / "out", data, point=point, resumed=died > 0)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        died += 1
    assert_undisturbed(tmp_path, url, data)
    return died


def test_a_search_that_dies_at_every_point_in_turn_is_the_undisturbed_one(tmp_path: Path) -> None:
    points = [mortal.POINTS[number % len(mortal.POINTS)] for number in range(6)]
    assert dies_at_every(iter([*points, "never"]), tmp_path) == len(points)


@pytest.mark.slow
@pytest.mark.parametrize("point", mortal.POINTS)
def test_a_search_that_dies_at_every_seat_is_the_undisturbed_one(
    point: str, tmp_path: Path
) -> None:
    assert dies_at_every(iter([point] * (SEATS + 2)), tmp_path) >= SEATS - 1


def test_a_search_that_is_killed_at_random_moments_is_the_undisturbed_one(tmp_path: Path) -> None:
    url, data = f"sqlite:///{tmp_path / 's.db'}", write_pictures(tmp_path / "data")
    moments = random.Random(0)
    killed = 0
    while True:
        process, hears = mortal.process(
            url, tmp_path / "out", data, point="never", resumed=killed > 0
        )
        assert hears.recv() == "begun"
        process.join(moments.uniform(0.0, 0.3) if killed < 5 else None)
        if process.exitcode == 0:
            break
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        killed += 1
    assert killed == 5
    assert_undisturbed(tmp_path, url, data)
