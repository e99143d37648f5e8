"""Test that a killed and continued training equals an undisturbed one to the last bit."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relativenas_optuna.evaluation.standalone.run import training_run
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.training import load, save
from tests.helpers.small_standalone import GENOTYPE, RECIPE, SEED, figures, killed, train, weights
from tests.helpers.tiny_search import names, same_bits, tiny_images

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="processes are forked from a server"
)
STEPS = -(-42 // RECIPE.batch_size) - 1  # the last two images join the batch before
POINTS = (
    "half:1",  # in the first state
    f"step:{STEPS + 2}",  # in the midst of the second epoch
    "half:2",  # in a state that replaces another
    pytest.param("rename:2", marks=pytest.mark.slow),
    "log:2",  # the state is written, the log is not
    pytest.param("told:1", marks=pytest.mark.slow),
    "result:1",  # everything but the result
    "result-written:1",  # nothing at all: what comes later would never be written
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("undisturbed")
    train(out, test=tiny_images(20))
    return out


def assert_equal(out: Path, other: Path) -> None:
    assert same_bits(weights(out), weights(other))
    assert figures(out) == figures(other)
    assert names(out) == names(other)  # nothing half-written is left


@pytest.mark.slow_except("result:1")
@pytest.mark.parametrize("point", POINTS)
def test_one_that_dies_at_a_point_and_goes_on_is_the_undisturbed_one(
    point: str, tmp_path: Path, undisturbed: Path
) -> None:
    assert killed(point, tmp_path) == -signal.SIGKILL
    train(tmp_path, test=tiny_images(20))
    assert_equal(tmp_path, undisturbed)


@pytest.mark.slow
def test_one_that_dies_at_every_point_in_turn_is_the_undisturbed_one(
    tmp_path: Path, undisturbed: Path
) -> None:
    for point in ("step:3", "half:1", "log:1", "half:1", "told:1", "told:1"):
        assert killed(point, tmp_path) == -signal.SIGKILL, point
    assert killed("result:1", tmp_path) == -signal.SIGKILL
    train(tmp_path, test=tiny_images(20))
    assert_equal(tmp_path, undisturbed)


@pytest.mark.slow
def test_mixed_precision_with_a_scaled_loss_goes_on_likewise(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"precision": "float16", "epochs": 2}
    train(tmp_path / "a", test=tiny_images(20), **changes)
    assert killed("told:1", tmp_path / "b", **changes) == -signal.SIGKILL
    train(tmp_path / "b", test=tiny_images(20), **changes)
    assert_equal(tmp_path / "b", tmp_path / "a")


def test_a_finished_training_is_not_trained_again(undisturbed: Path) -> None:
    def never(_: object) -> None:
        raise AssertionError

    before = (undisturbed / "state.safetensors").read_bytes()
    result = train(undisturbed, test=tiny_images(20), on_epoch=never)
    assert result.network == undisturbed / "network.safetensors"
    assert result.network.exists()
    assert (undisturbed / "state.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 4}, "epochs 3, not 4"),
        ({"seed": 6}, "seed 5, not 6"),
        ({"batch_size": 9}, "batch_size 8, not 9"),
        ({"accumulate": 2}, "processes times accumulate 1, not 2"),
        ({"data": tiny_images(61)}, "other training images: use"),
        ({"test": None}, "other test images: use"),
    ],
)
def test_other_arguments_are_refused_by_name(
    changes: dict[str, Any], said: str, undisturbed: Path
) -> None:
    with pytest.raises(SearchError, match=f"started with {said}"):
        train(undisturbed, **({"test": tiny_images(20)} | changes))


def test_another_architecture_is_refused(undisturbed: Path) -> None:
    other = type(GENOTYPE)(normal=GENOTYPE.reduce, reduce=GENOTYPE.normal)
    with pytest.raises(SearchError, match="started with architecture 'normal: "):
        training_run(
            other, tiny_images(60), recipe=RECIPE, seed=SEED, out=undisturbed, test=tiny_images(20)
        )


def damage_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def damage_history(path: Path) -> None:
    tensors, metadata = load(path)
    save(path, tensors, {"training": metadata["training"].replace('"epoch": 1', '"epoch": 5')})


def damage_kept(path: Path) -> None:
    tensors, metadata = load(path)
    save(path, tensors, {"training": metadata["training"].replace('_epoch": ', '_epoch": 9')})


def damage_momentum(path: Path) -> None:
    tensors, metadata = load(path)
    name = next(name for name in tensors if name.startswith("optimizer."))
    save(path, tensors | {name: tensors[name].reshape(-1)[:1]}, metadata)


def damage_network(path: Path) -> None:
    tensors, metadata = load(path)
    save(path, {n: t for n, t in tensors.items() if n != "network.classifier.bias"}, metadata)


@pytest.mark.parametrize(
    "damage", [damage_header, damage_history, damage_kept, damage_momentum, damage_network]
)
def test_a_damaged_state_is_said_in_one_line(
    damage: Callable[[Path], None], tmp_path: Path, undisturbed: Path
) -> None:
    copied = shutil.copytree(undisturbed, tmp_path / "out")
    damage(copied / "state.safetensors")
    with pytest.raises(SearchError, match=r"state of the training in .* is damaged \(.+\)") as said:
        train(copied, test=tiny_images(20))
    assert "\n" not in str(said.value)
