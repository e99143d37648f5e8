"""Random images, a small network, and an epoch of it with plain settings."""

from __future__ import annotations

import torch
from torch import nn

from relativenas_optuna.training import (
    Augmentation,
    EpochResult,
    Images,
    ImageSet,
    generators,
    train_epoch,
)

PLAIN = Augmentation(padding=0, flip=False, cutout=0)


def random_images(count: int, side: int = 6, classes: int = 3) -> Images:
    generator = torch.Generator().manual_seed(count)
    shape = (count, 3, side, side)
    return Images(
        images=torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator),
        labels=torch.randint(0, classes, (count,), generator=generator),
        classes=tuple(map(str, range(classes))),
        mean=(0.4, 0.5, 0.6),
        std=(0.2, 0.3, 0.25),
    )


def network(*, batch_norm: bool = True, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    middle = nn.BatchNorm2d(4) if batch_norm else nn.Identity()
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        middle,
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )


def train(
    module: nn.Module,
    images: ImageSet,
    *,
    batch_size: int = 8,
    seed: int = 0,
    lr: float = 0.1,
    augmentation: Augmentation = PLAIN,
    **options: object,
) -> EpochResult:
    return train_epoch(
        module,
        module.parameters(),
        images,
        module=module,
        optimizer=torch.optim.SGD(module.parameters(), lr=lr, momentum=0.9),
        generators=generators(seed),
        augmentation=augmentation,
        batch_size=batch_size,
        **options,  # type: ignore[arg-type]
    )


def assert_equal_weights(one: nn.Module, other: nn.Module) -> None:
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
