from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from relativenas_optuna.training import (
    Augmentation,
    Images,
    Stopped,
    evaluate,
    generators,
    train_epoch,
)
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.batch_parts import BatchParts
from tests.helpers.training.small import PLAIN, assert_equal_weights, network, random_images, train


@given(st.integers(2, 300), st.integers(2, 40), st.integers(1, 3), st.integers(1, 3))
def test_batches_are_full_but_the_last_and_never_a_single_image_in_a_part(
    count: int, batch_size: int, processes: int, accumulate: int
) -> None:
    shares = [
        BatchParts(processes=processes, process=number, accumulate=accumulate)
        for number in range(processes)
    ]
    parts = processes * accumulate
    assume(min(count, batch_size) >= 2 * parts)
    bounds = shares[0].batches(count, batch_size)
    covered = [index for start, stop in bounds for index in range(start, stop)]
    assert covered == list(range(count))
    sizes = [stop - start for start, stop in bounds]
    assert set(sizes[:-1]) <= {batch_size}
    assert 2 * parts <= sizes[-1] < batch_size + 2 * parts
    for start, stop in bounds:
        own = [batch_parts.own(start, stop) for batch_parts in shares]
        assert [len(of_process) for of_process in own] == [accumulate] * processes
        cut = [bound for of_process in own for bound in of_process]
        assert [i for begin, end in cut for i in range(begin, end)] == list(range(start, stop))
        lengths = {end - begin for begin, end in cut}
        assert min(lengths) >= 2
        assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("clip", [None, 0.05])
def test_an_epoch_equals_a_plain_loop_over_the_same_order(clip: float | None) -> None:
    data, trained, plain = random_images(25), network(), network()
    result = train(trained, data, clip=clip)

    plain.train()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    order = torch.randperm(25, generator=generators(0).order)
    total, right = 0.0, 0
    for index in (order[:8], order[8:16], order[16:]):
        images = normalise(data.images[index], *data.statistics())
        logits = plain(images)
        batch_loss = functional.cross_entropy(logits, data.labels[index])
        optimizer.zero_grad()
        batch_loss.backward()  # type: ignore[no-untyped-call]
        if clip is not None:
            gradients = [parameter.grad for parameter in plain.parameters()]
            norm = sum(float((gradient**2).sum()) for gradient in gradients if gradient is not None)
            assert norm**0.5 > clip
            nn.utils.clip_grad_norm_(plain.parameters(), clip)
        optimizer.step()
        total += batch_loss.item() * len(index)
        right += int((logits.argmax(1) == data.labels[index]).sum())

    assert_equal_weights(trained, plain)
    assert result.loss == pytest.approx(total / 25, rel=1e-6)
    assert result.accuracy == right / 25
    assert result.count == 25


def test_two_epochs_of_one_seed_are_equal_to_the_last_bit_and_of_another_are_not() -> None:
    images, augmentation = random_images(40), Augmentation(padding=1, cutout=2)
    trained = [network() for _ in range(3)]
    results = [
        train(module, images, seed=seed, augmentation=augmentation)
        for module, seed in zip(trained, (1, 1, 2), strict=True)
    ]
    assert results[0] == results[1] != results[2]
    assert_equal_weights(trained[0], trained[1])


def test_training_learns() -> None:
    images, module = load_bright_and_dark(), network()
    for _ in range(10):
        train(module, images)
    result = evaluate(module, images, module=module, batch_size=7)
    assert result.accuracy > 0.9


def load_bright_and_dark() -> Images:
    images = random_images(60, classes=2)
    return Images(
        **{
            **vars(images),
            "images": images.images // 2 + (100 * images.labels).byte()[:, None, None, None],
        }
    )


def test_clipping_counts_only_the_parameters_given() -> None:
    images, module = random_images(8), network(batch_norm=False)
    first, last = module[0], module[-1]
    norms: list[float] = []

    class Spy(torch.optim.SGD):
        def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
            for part in (first, last):
                gradients = [
                    parameter.grad.reshape(-1)
                    for parameter in part.parameters()
                    if parameter.grad is not None
                ]
                norms.append(float(torch.cat(gradients).norm()))

    train_epoch(
        module,
        last.parameters(),
        images,
        module=module,
        optimizer=Spy(module.parameters(), lr=0.1),
        generators=generators(0),
        augmentation=PLAIN,
        batch_size=8,
        clip=1e-3,
    )
    assert norms[0] > 1e-3
    assert norms[1] == pytest.approx(1e-3, rel=1e-2)


def test_a_loss_of_several_outputs_can_be_trained() -> None:
    data, module = random_images(16), network()
    expected = network()

    def forward(images: Tensor) -> tuple[Tensor, Tensor]:
        logits = module(images)
        return logits, 2 * logits

    def loss(output: tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
        return functional.cross_entropy(output[0], labels) + 0 * output[1].sum()

    result = train_epoch(
        forward,
        module.parameters(),
        data,
        module=module,
        optimizer=torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9),
        generators=generators(0),
        augmentation=PLAIN,
        batch_size=8,
        loss=loss,
    )
    assert result == train(expected, data)
    assert_equal_weights(module, expected)


def test_on_batch_is_called_after_every_batch() -> None:
    done: list[int] = []
    train(network(), random_images(17), on_batch=done.append)
    assert done == [8, 17]


def test_a_diverged_epoch_runs_to_its_end() -> None:
    done: list[int] = []
    result = train(
        network(batch_norm=False), random_images(40), lr=1e30, clip=None, on_batch=done.append
    )
    assert done[-1] == 40
    assert not math.isfinite(result.loss)


def test_an_error_in_training_gives_the_modes_back_too() -> None:
    module = network().eval()

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(module, random_images(8), on_batch=stop)
    assert not module.training


def test_images_come_in_the_memory_format_asked_for() -> None:
    data, module = random_images(8), network()

    def forward(images: Tensor) -> Tensor:
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert not images.is_contiguous()
        logits: Tensor = module(images)
        return logits

    evaluate(forward, data, module=module, batch_size=4, memory_format=torch.channels_last)
    train_epoch(
        forward,
        module.parameters(),
        data,
        module=module,
        optimizer=torch.optim.SGD(module.parameters(), lr=0.1),
        generators=generators(0),
        augmentation=Augmentation(padding=1, cutout=2),
        batch_size=4,
        memory_format=torch.channels_last,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, "batch_size must be at least 2 to train, got 1"),
        ({"clip": 0.0}, r"clip must be above 0 \(or None\), got 0.0"),
        ({"augmentation": Augmentation()}, "cutout must be at most 6"),
    ],
)
def test_training_settings_out_of_range_are_refused(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(network(), random_images(8), **options)  # type: ignore[arg-type]


@given(st.integers(2, 90), st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_reports_come_after_each_eighth_of_the_epoch_with_the_mean_loss_so_far(
    count: int, batch_size: int
) -> None:
    told: list[tuple[int, float]] = []
    done: list[int] = []

    def report(step: int, loss: float) -> bool:
        told.append((step, loss))
        done.append(seen[-1])
        return False

    seen: list[int] = []
    reported, plain = network(), network()
    options: dict[str, object] = {"batch_size": batch_size, "on_batch": seen.append}
    result = train(reported, random_images(count), report=report, **options)  # type: ignore[arg-type]
    batches = seen.copy()
    assert len(told) == min(8, len(batches))
    steps = [step for step, _ in told]
    assert steps == sorted(set(steps))
    assert told[-1] == (8, result.loss)
    for step, images in zip(steps, done, strict=True):
        number = batches.index(images) + 1
        assert 8 * (number - 1) // len(batches) < step == 8 * number // len(batches)
    assert train(plain, random_images(count), batch_size=batch_size) == result
    assert_equal_weights(plain, reported)


def test_a_report_can_stop_the_epoch() -> None:
    done: list[int] = []
    module = network().eval()
    with pytest.raises(Stopped, match="stopped after 2/8 of the epoch at a loss of") as caught:
        train(
            module,
            random_images(32),
            batch_size=2,
            on_batch=done.append,
            report=lambda step, loss: step == 2,
        )
    assert caught.value.step == 2
    assert math.isfinite(caught.value.loss)
    assert done[-1] == 8
    assert not module.training


@pytest.mark.parametrize("reduction", ["none", "item"])
def test_a_loss_that_is_no_mean_is_refused_in_one_line(reduction: str) -> None:
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        values = functional.cross_entropy(logits, labels, reduction="none")
        return values if reduction == "none" else values.mean().item()  # type: ignore[return-value]

    with pytest.raises(ValueError, match=r"must return the mean of the batch.*got (a tensor|\d)"):
        train(network(), random_images(8), loss=loss)
