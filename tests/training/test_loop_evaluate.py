from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from relativenas_optuna.training import DataError, evaluate
from relativenas_optuna.training.augmentation import normalise
from tests.helpers.training.small import assert_equal_weights, network, random_images, train


@pytest.mark.parametrize("batch_size", [1, 4, 10, 23, 100])
def test_evaluation_is_the_exact_mean_over_images_at_any_batch_size(batch_size: int) -> None:
    data, module = random_images(23), network()
    train(module, data)
    result = evaluate(module, data, module=module, batch_size=batch_size)
    double = network().double()
    double.load_state_dict(module.state_dict())
    double.eval()
    images = normalise(data.images, *data.statistics()).double()
    logits = double(images)
    assert result.loss == pytest.approx(
        functional.cross_entropy(logits, data.labels).item(), rel=1e-5
    )
    assert result.accuracy == int((logits.argmax(1) == data.labels).sum()) / 23
    assert result.count == 23


def test_evaluation_changes_nothing_and_builds_no_gradients() -> None:
    data, module, before = random_images(9), network(), network()

    def forward(images: Tensor) -> Tensor:
        assert torch.is_inference_mode_enabled()
        assert not module.training
        logits: Tensor = module(images)
        return logits

    evaluate(forward, data, module=module, batch_size=4)
    assert_equal_weights(module, before)


def test_each_module_gets_its_own_mode_back() -> None:
    images, module = random_images(8), network()
    module.train()
    module[1].eval()
    modes = [part.training for part in module.modules()]
    evaluate(module, images, module=module, batch_size=4)
    assert [part.training for part in module.modules()] == modes
    module.eval()
    train(module, images)
    assert not any(part.training for part in module.modules())


def test_on_batch_gets_the_logits_of_evaluation() -> None:
    images, module = random_images(9), network()
    seen: list[tuple[Tensor, Tensor]] = []
    result = evaluate(
        module,
        images,
        module=module,
        batch_size=4,
        on_batch=lambda logits, labels: seen.append((logits, labels)),
    )
    logits, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
    assert torch.equal(labels, images.labels)
    assert functional.cross_entropy(logits, labels).item() == pytest.approx(result.loss)


def test_autocast_reaches_the_network_and_weights_stay_float32() -> None:
    images, module = random_images(8), network()
    types: set[torch.dtype] = set()
    module[0].register_forward_hook(lambda _module, _images, output: types.add(output.dtype))
    result = train(module, images, autocast=torch.bfloat16)
    score = evaluate(module, images, module=module, batch_size=4, autocast=torch.bfloat16)
    assert types == {torch.bfloat16}
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    assert math.isfinite(result.loss)
    assert math.isfinite(score.loss)


def test_too_few_images_are_refused() -> None:
    module = network()
    with pytest.raises(DataError, match="at least 2 images, got 1"):
        train(module, random_images(8).subset([0]))
    with pytest.raises(DataError, match="at least 1 image, got none"):
        evaluate(module, random_images(8).subset([]), module=module, batch_size=4)


def test_evaluation_refuses_a_batch_size_below_one() -> None:
    module = network()
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        evaluate(module, random_images(8), module=module, batch_size=0)


def test_another_loss_replaces_the_cross_entropy() -> None:
    def twice(logits: Tensor, labels: Tensor) -> Tensor:
        return 2 * functional.cross_entropy(logits, labels)

    images, module = random_images(23), network()
    plain = evaluate(module, images, module=module, batch_size=4)
    double = evaluate(module, images, module=module, batch_size=4, loss=twice)
    assert double.loss == pytest.approx(2 * plain.loss)
    assert double.score == double.loss
    assert double.accuracy == plain.accuracy


@pytest.mark.parametrize("batch_size", [1, 5, 23])
def test_a_metric_sees_all_images_at_once(batch_size: int) -> None:
    def balanced_error(logits: Tensor, labels: Tensor) -> Tensor:
        assert len(logits) == len(labels) == 23
        wrong = (logits.argmax(1) != labels).float()
        return torch.stack([wrong[labels == label].mean() for label in range(3)]).mean()

    images, module = random_images(23), network()
    result = evaluate(module, images, module=module, batch_size=batch_size, metric=balanced_error)
    module.eval()
    logits = module(normalise(images.images, *images.statistics()))
    assert (
        result.score == result.metric == pytest.approx(float(balanced_error(logits, images.labels)))
    )
    plain = evaluate(module, images, module=module, batch_size=batch_size)
    assert (result.loss, result.accuracy) == (plain.loss, plain.accuracy)
    assert plain.metric is None


def test_a_metric_that_is_no_number_is_refused_in_one_line() -> None:
    images, module = random_images(9), network()
    wrong: list[Any] = [lambda logits, labels: logits, lambda logits, labels: "good"]
    for metric in wrong:
        with pytest.raises(ValueError, match=r"metric.* must return one number, got") as caught:
            evaluate(module, images, module=module, batch_size=4, metric=metric)
        assert "\n" not in str(caught.value)
