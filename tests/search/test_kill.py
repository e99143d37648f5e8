"""Searches in real processes that SIGKILL ends at any moment."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna.objective.checkpoints import Checkpoint, pointer_of
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.training import load
from tests.helpers import faults
from tests.helpers import killed_search as mortal
from tests.helpers.tiny_search import (
    SEATS,
    SETTINGS,
    database,
    positions,
    same_bits,
    scores,
    write_images,
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="processes are forked from a server"
)


SAMPLERS = (
    "relativenas",
    "migo",
    pytest.param("optuna.samplers:TPESampler", marks=pytest.mark.slow),
    pytest.param("regularized-evolution", marks=pytest.mark.slow),
    pytest.param("random", marks=pytest.mark.slow),
)


def kept(study: optuna.Study, out: Path) -> tuple[dict[str, Any], Any]:
    """Return the final weights on disk, and the other stored data."""
    plan = SearchPlan.stored_in(study)
    assert plan is not None
    record = Checkpoint(out, pointer=pointer_of(study, out), search=plan.search).record()
    assert record is not None
    assert not record.waiting
    newest = record.versions[0]
    assert len(list(out.glob("*.safetensors"))) == len(record.versions) == 2
    return load(out / newest.file.name)[0], (newest.version, record.recent)


def assert_undisturbed(tmp_path: Path, url: str, data: Path, **changes: Any) -> None:
    other = optuna.create_study()
    mortal.begin(other, tmp_path / "undisturbed", data, **changes).run()
    with database(url) as storage:
        found = optuna.load_study(storage=storage, study_name="s")
        assert not found.get_trials(states=[TrialState.RUNNING])
        assert scores(found) == scores(other)
        assert positions(found) == positions(other)
        tensors, state = kept(found, tmp_path / "out")
    expected, other_state = kept(other, tmp_path / "undisturbed")
    assert same_bits(tensors, expected)
    assert state == other_state


def dies_at_every(
    points: Iterable[str], tmp_path: Path, *, status: int = -signal.SIGKILL, **changes: Any
) -> int:
    """Search by processes that each die at a point, until one ends; returns how many died."""
    url, data = f"sqlite:///{tmp_path / 's.db'}", write_images(tmp_path / "data")
    died = 0
    for point in points:
        process, _ = mortal.process(url, tmp_path / "out", data, point=point, **changes)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == status
        died += 1
    assert_undisturbed(tmp_path, url, data, **changes)
    return died


@pytest.mark.slow_except("relativenas")
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_dies_at_every_point_in_turn_is_the_undisturbed_one(
    sampler: str, tmp_path: Path
) -> None:
    points = [*mortal.POINTS, "never"]
    changes: dict[str, Any] = {"sampler": sampler}
    if sampler == "migo":
        changes |= {"population": 7, "generations": 2}  # there are seven operations
    assert dies_at_every(points, tmp_path, **changes) == len(mortal.POINTS)


@pytest.mark.slow
def test_a_search_whose_disk_is_full_now_and_then_is_the_undisturbed_one(tmp_path: Path) -> None:
    points = [f"{point}:{number}:full" for number in (1, 2) for point in ("half", "rename")]
    assert dies_at_every([*points, "never"], tmp_path, status=1) == len(points)


# Passed for the last time where a process has come a step further; the first commit has two files.
FURTHER = {"half": "half:3", "rename": "rename:3", "pointer": "pointer:2"}


@pytest.mark.slow
@pytest.mark.parametrize("point", [FURTHER.get(point, point) for point in mortal.POINTS])
def test_a_search_that_dies_again_and_again_is_the_undisturbed_one(
    point: str, tmp_path: Path
) -> None:
    assert dies_at_every([point] * (SEATS + 2), tmp_path) >= SETTINGS.population


def killed_and_ended(
    points: Iterable[str], tmp_path: Path, moments: random.Random, **changes: Any
) -> None:
    """Search by processes that die at a point, or where that is "" at a random moment."""
    url, data = f"sqlite:///{tmp_path / 's.db'}", write_images(tmp_path / "data")
    for point in points:
        process, hears = mortal.process(
            url, tmp_path / "out", data, point=point or "never", **changes
        )
        hears.poll(None)  # until it has begun, or died
        process.join(None if point else moments.uniform(0.0, 0.3))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    process, _ = mortal.process(url, tmp_path / "out", data, point="never", **changes)
    process.join()
    assert process.exitcode == 0
    assert_undisturbed(tmp_path, url, data, **changes)


@pytest.mark.slow
def test_a_search_that_is_killed_at_random_moments_is_the_undisturbed_one(tmp_path: Path) -> None:
    killed_and_ended([""] * 5, tmp_path, random.Random(0))


@pytest.mark.slow
def test_six_generations_killed_twenty_five_times_are_the_undisturbed_ones(tmp_path: Path) -> None:
    points = [*faults.POINTS, *faults.POINTS, *[""] * 15]
    assert len(points) == 25
    killed_and_ended(points, tmp_path, random.Random(1), generations=6)


@pytest.mark.slow
def test_a_training_of_shared_weights_that_dies_at_every_point_is_the_undisturbed_one(
    tmp_path: Path,
) -> None:
    points = [*mortal.POINTS, "never"]
    assert dies_at_every(points, tmp_path, uniform_epochs=8) == len(mortal.POINTS)


@pytest.mark.slow
def test_a_training_of_shared_weights_killed_at_random_moments_is_the_undisturbed_one(
    tmp_path: Path,
) -> None:
    killed_and_ended([""] * 12, tmp_path, random.Random(2), uniform_epochs=6)


def test_two_workers_that_train_shared_weights_score_as_one_does(tmp_path: Path) -> None:
    url, data = f"sqlite:///{tmp_path / 's.db'}", write_images(tmp_path / "data")
    options: dict[str, Any] = {"point": "never", "uniform_epochs": 6}
    first, hears = mortal.process(url, tmp_path / "out", data, **options)
    hears.poll(None)  # until the plan is stored
    second, _ = mortal.process(url, tmp_path / "out", data, **options)
    for process in (first, second):
        process.join()
        assert process.exitcode == 0
    assert_undisturbed(tmp_path, url, data, uniform_epochs=6)
