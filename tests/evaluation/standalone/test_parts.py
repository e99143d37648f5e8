"""Test batches in parts: one after another, and in several processes."""

from __future__ import annotations

import copy
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from relativenas_optuna.evaluation.standalone.setup import new_network, unused_parameters
from relativenas_optuna.training import Augmentation, Images, generators, load, train_epoch
from relativenas_optuna.training.batch_parts import BatchParts
from tests.helpers.forked import context
from tests.helpers.small_standalone import GENOTYPE, RECIPE, figures, train
from tests.helpers.tiny_search import same_bits, tiny_images
from tests.helpers.training.small import network as small_network
from tests.helpers.training.small import random_images

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
AUGMENTATION = Augmentation(padding=1, cutout=2)


def halves(module: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Set the gradients to those of the mean loss, batch norm over each half."""
    middle = len(labels) // 2
    sums = [torch.zeros_like(parameter) for parameter in module.parameters()]
    for part in (slice(None, middle), slice(middle, None)):
        module.zero_grad()
        loss = functional.cross_entropy(module(images[part]), labels[part])
        loss.backward()  # type: ignore[no-untyped-call]
        for total, parameter in zip(sums, module.parameters(), strict=True):
            assert parameter.grad is not None
            total.add_(parameter.grad * (len(labels[part]) / len(labels)))
    for total, parameter in zip(sums, module.parameters(), strict=True):
        parameter.grad = total


def by_hand(module: nn.Module, data: Images, batches: list[tuple[int, int]]) -> None:
    random = generators(3)
    order = torch.randperm(len(data), generator=random.order)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    module.train()
    mean, std = data.statistics()
    for start, stop in batches:
        index = order[start:stop]
        draws = AUGMENTATION.draw(stop - start, *data.shape[1:], random.augmentation)
        images = AUGMENTATION.apply(data.images[index], mean, std, draws)
        halves(module, images, data.labels[index])
        optimizer.step()


def in_parts(module: nn.Module, data: Images, batch_parts: BatchParts, **options: Any) -> Any:
    return train_epoch(
        module,
        module.parameters(),
        data,
        module=module,
        optimizer=torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9),
        generators=generators(3),
        augmentation=AUGMENTATION,
        batch_size=8,
        clip=None,
        batch_parts=batch_parts,
        **options,
    )


@pytest.mark.parametrize("count", [16, 19, 21])
def test_accumulated_gradients_are_those_of_the_mean_of_both_halves(count: int) -> None:
    data, module = random_images(count), small_network()
    plain = copy.deepcopy(module)
    done: list[int] = []
    result = in_parts(module, data, BatchParts(accumulate=2), on_batch=done.append)
    bounds = {16: [(0, 8), (8, 16)], 19: [(0, 8), (8, 19)], 21: [(0, 8), (8, 16), (16, 21)]}[count]
    by_hand(plain, data, bounds)
    assert done == [stop for _, stop in bounds]
    assert result.count == count
    for one, other in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)
    whole = small_network()
    in_parts(whole, data, BatchParts())
    assert not torch.equal(whole[0].weight, module[0].weight)  # type: ignore[arg-type]


def test_without_batch_norm_parts_do_not_matter() -> None:
    data = random_images(24)
    one, other = (small_network(batch_norm=False) for _ in range(2))
    for module, batch_parts in ((one, BatchParts()), (other, BatchParts(accumulate=3))):
        in_parts(module, data, batch_parts)
    for whole, parts in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("count", "batch_size"), [(3, 8), (8, 3)])
def test_parts_of_one_image_are_refused(count: int, batch_size: int) -> None:
    module = small_network()
    with pytest.raises(ValueError, match="at least 4"):
        train_epoch(
            module,
            module.parameters(),
            random_images(count),
            module=module,
            optimizer=torch.optim.SGD(module.parameters(), lr=0.1),
            generators=generators(0),
            augmentation=AUGMENTATION,
            batch_size=batch_size,
            batch_parts=BatchParts(accumulate=2),
        )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def process_of(number: int, port: int, out: Path, other: Path, changes: dict[str, Any]) -> None:
    os.environ |= {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    train(out if number == 0 else other, test=tiny_images(21), **changes)


def two_processes(out: Path, other: Path | None = None, **changes: Any) -> list[int | None]:
    """Train in two processes, as torchrun starts them; their exit status."""
    port = free_port()
    arguments = (port, out, other or out, changes)
    started = [context.Process(target=process_of, args=(n, *arguments)) for n in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [process.exitcode for process in started]


def parameters(out: Path) -> dict[str, Tensor]:
    """Return the parameters and optimizer state of a training, without batch norm statistics."""
    tensors = load(out / "state.safetensors")[0]
    return {
        name: tensor
        for name, tensor in tensors.items()
        if name.rpartition(".")[2] not in STATISTICS and not name.startswith("kept.")
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked from a server")
def test_two_processes_equal_one_that_takes_its_batches_in_two_halves(tmp_path: Path) -> None:
    in_channels, classes = tiny_images().shape[0], len(tiny_images().classes)
    network = new_network(GENOTYPE, RECIPE, in_channels=in_channels, classes=classes, seed=0)
    assert unused_parameters(network, tiny_images().shape)  # DistributedDataParallel minds them
    # An even number to train on, so that halves are equal and sums are of powers of two.
    changes: dict[str, Any] = {"epochs": 2, "clip": 0.5, "batch_size": 10}
    assert two_processes(tmp_path / "two", **changes) == [0, 0]
    train(tmp_path / "one", test=tiny_images(21), accumulate=2, **changes)
    assert same_bits(parameters(tmp_path / "two"), parameters(tmp_path / "one"))
    (two, _, arguments), (one, _, same) = figures(tmp_path / "two"), figures(tmp_path / "one")
    assert arguments == same
    for found, expected in zip(two[:2], one[:2], strict=True):
        assert found["training_loss"] == pytest.approx(expected["training_loss"], rel=1e-6)
        assert found["training_accuracy"] == pytest.approx(expected["training_accuracy"])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked from a server")
def test_processes_need_one_folder(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"epochs": 1, "batch_size": 10}
    train(tmp_path / "a", test=tiny_images(21), accumulate=2, **changes)
    assert two_processes(tmp_path / "a", tmp_path / "b", **changes) == [1, 1]
