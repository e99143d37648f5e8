from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from relativenas_optuna.training import DataError, Images, calibrate
from relativenas_optuna.training.augmentation import normalise
from tests.helpers.training.small import assert_equal_weights, network, random_images


def calibrated(
    module: nn.Sequential, images: Images, *, batch_size: int = 100, seed: int = 0
) -> nn.BatchNorm2d:
    calibrate(
        module,
        images,
        module=module,
        batch_size=batch_size,
        generator=torch.Generator().manual_seed(seed),
    )
    norm = module[1]
    assert isinstance(norm, nn.BatchNorm2d)
    return norm


def before_norm(module: nn.Sequential, images: Images) -> Tensor:
    """Return the inputs of the first batch norm, `[channels, values]`."""
    with torch.no_grad():
        features = module[0](normalise(images.images, *images.statistics()))
    return features.transpose(0, 1).flatten(1).double()  # type: ignore[no-any-return]


def statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean.double(), norm.running_var.double()


def test_one_batch_gives_the_mean_and_variance_over_all_images() -> None:
    images, module = random_images(23), network()
    mean, variance = statistics(calibrated(module, images))
    values = before_norm(module, images)
    torch.testing.assert_close(mean, values.mean(1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(variance, values.var(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("count", "batch_size"), [(24, 8), (30, 15), (24, 3), (12, 2)])
def test_batches_of_equal_size_give_the_mean_over_all_images(count: int, batch_size: int) -> None:
    images, module = random_images(count), network()
    mean, variance = statistics(calibrated(module, images, batch_size=batch_size))
    values = before_norm(module, images)
    torch.testing.assert_close(mean, values.mean(1), rtol=1e-4, atol=1e-5)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    size = max(batch_size, 3)
    parts = [
        before_norm(module, images.subset(order[i : i + size])).var(1)
        for i in range(0, count, size)
    ]
    torch.testing.assert_close(variance, torch.stack(parts).mean(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [2, 3, 8, 16])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 17, 33])
def test_no_batch_is_too_small_and_none_counts_much_more_than_others(
    count: int, batch_size: int
) -> None:
    module, sizes = network(), []
    module[0].register_forward_hook(lambda _module, _images, output: sizes.append(len(output)))
    calibrated(module, random_images(count), batch_size=batch_size)
    assert sum(sizes) == count
    assert min(sizes) >= 2
    assert max(sizes) <= max(batch_size, 3)
    assert max(sizes) - min(sizes) <= 1


def test_images_sorted_by_class_are_shuffled() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 20, (64, 3, 6, 6), dtype=torch.uint8, generator=generator)
    images[32:] += 200  # dark images of one class before light ones of another
    data = dataclasses.replace(
        random_images(64), images=images, labels=torch.arange(64) // 32, classes=("dark", "light")
    )
    module = network()
    _, variance = statistics(calibrated(module, data, batch_size=32))
    torch.testing.assert_close(variance, before_norm(module, data).var(1), rtol=0.1, atol=0.0)


def test_old_statistics_have_no_effect() -> None:
    images, module, other = random_images(20), network(), network()
    norm = other[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    norm.running_mean.fill_(1e6)
    calibrated(module, images, batch_size=7)
    calibrated(other, images, batch_size=7)
    assert_equal_weights(module, other)


def test_only_running_statistics_of_batch_norms_that_run_change() -> None:
    images = random_images(20)
    module = network()
    norm, idle = module[1], nn.BatchNorm2d(4)
    assert isinstance(norm, nn.BatchNorm2d)
    both = nn.ModuleList([module, idle])
    before = {name: tensor.clone() for name, tensor in both.state_dict().items()}
    both.eval()
    module.train()
    norm.momentum, idle.momentum = 1e-3, None
    torch.manual_seed(3)
    world = torch.get_rng_state()
    calibrate(module, images, module=both, batch_size=6, generator=torch.Generator())
    assert torch.equal(world, torch.get_rng_state())
    changed = {n for n, tensor in both.state_dict().items() if not torch.equal(tensor, before[n])}
    assert changed == {"0.1.running_mean", "0.1.running_var"}
    assert (norm.momentum, idle.momentum) == (1e-3, None)
    assert module.training
    assert not idle.training
    assert all(parameter.grad is None for parameter in both.parameters())


def test_a_batch_norm_that_runs_twice_counts_each_of_its_inputs_alike() -> None:
    norm = nn.BatchNorm2d(3)
    data = random_images(9)

    def forward(images: Tensor) -> Tensor:
        norm(images)
        twice: Tensor = norm(images + 1)
        return twice

    calibrate(forward, data, module=norm, batch_size=9, generator=torch.Generator())
    images = normalise(data.images, *data.statistics())
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, images.mean((0, 2, 3)) + 0.5)


def test_an_error_leaves_momenta_and_modes_as_they_were() -> None:
    module = network().eval()

    def forward(images: Tensor) -> Tensor:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        calibrate(
            forward, random_images(5), module=module, batch_size=5, generator=torch.Generator()
        )
    assert module[1].momentum == 0.1
    assert not any(part.training for part in module.modules())
    assert_equal_weights(module, network())


def test_too_few_images_and_too_small_batches_are_refused() -> None:
    with pytest.raises(DataError, match="calibration needs at least 2 images, got 1"):
        calibrated(network(), random_images(8).subset([0]))
    with pytest.raises(ValueError, match="batch_size must be at least 2 to calibrate, got 1"):
        calibrated(network(), random_images(8), batch_size=1)
