"""Finals in real processes that SIGKILL ends at any moment."""

from __future__ import annotations

import random
import signal
import sys
from pathlib import Path

import optuna
import pytest

from relativenas_optuna.networks.io.tensors_file import load
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.finals.store import FinalsStore
from tests.helpers import killed_finals as mortal
from tests.helpers.tiny_search import database, same_bits, write_images

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="processes are forked from a server"
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Choice, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    url, data = f"sqlite:///{folder / 's.db'}", write_images(folder / "data")
    process, _ = mortal.process(url, folder / "out", data, point="never")
    process.join()
    assert process.exitcode == 0
    return mortal.choice_in(url), folder / "out" / "finals"


def assert_undisturbed(url: str, out: Path, undisturbed: tuple[Choice, Path]) -> None:
    choice, finals = undisturbed
    assert mortal.choice_in(url) == choice
    names = sorted(path.name for path in finals.iterdir())
    assert sorted(path.name for path in (out / "finals").glob("final-*")) == names
    for name in names:
        assert same_bits(load(finals / name)[0], load(out / "finals" / name)[0])
    with database(url) as storage:
        record = FinalsStore(optuna.load_study(study_name="s", storage=storage)).read()
    assert record is not None
    assert not record.claims


def assert_ends_undisturbed(
    url: str, out: Path, data: Path, undisturbed: tuple[Choice, Path]
) -> None:
    process, _ = mortal.process(url, out, data, point="never")
    process.join()
    assert process.exitcode == 0
    assert_undisturbed(url, out, undisturbed)


@pytest.mark.slow
def test_finals_that_die_at_every_point_in_turn_are_the_undisturbed_ones(
    tmp_path: Path, undisturbed: tuple[Choice, Path]
) -> None:
    url, data = f"sqlite:///{tmp_path / 's.db'}", write_images(tmp_path / "data")
    for point in mortal.POINTS:
        process, _ = mortal.process(url, tmp_path / "out", data, point=point)
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert_ends_undisturbed(url, tmp_path / "out", data, undisturbed)


@pytest.mark.slow
def test_finals_that_are_killed_at_random_moments_are_the_undisturbed_ones(
    tmp_path: Path, undisturbed: tuple[Choice, Path]
) -> None:
    url, data = f"sqlite:///{tmp_path / 's.db'}", write_images(tmp_path / "data")
    moments = random.Random(0)
    for _ in range(10):
        process, hears = mortal.process(url, tmp_path / "out", data, point="never", slow=0.05)
        hears.poll(None)
        process.join(moments.uniform(0.0, 1.0))
        process.kill()
        process.join()
    assert_ends_undisturbed(url, tmp_path / "out", data, undisturbed)


@pytest.mark.slow
def test_three_workers_one_of_which_is_killed_share_the_trainings(
    tmp_path: Path, undisturbed: tuple[Choice, Path]
) -> None:
    url, data = f"sqlite:///{tmp_path / 's.db'}", write_images(tmp_path / "data")
    first, hears = mortal.process(url, tmp_path / "out", data, point="never", slow=0.5)
    hears.poll(None)
    others = [mortal.process(url, tmp_path / "out", data, point="never", slow=0.1) for _ in "ab"]
    for _, other in others:
        other.poll(None)
    first.join(1.0)
    first.kill()
    first.join()
    for process, _ in others:
        process.join()
        assert process.exitcode == 0
    assert_undisturbed(url, tmp_path / "out", undisturbed)
