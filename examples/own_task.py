"""Train a network for a task of your own: counting the dots in an image.

The same works in the shell, with this file in the current folder:

    relativenas train RelativeNAS --task own_task:COUNTING --data 48
    relativenas evaluate relativenas-out/RelativeNAS-counting/network.safetensors \
        --task own_task:COUNTING --data 48
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torchvision.transforms.v2.functional import horizontal_flip, pil_to_tensor, to_pil_image

from relativenas_optuna.evaluation import Recipe, Samples, register_task, training_run
from relativenas_optuna.spaces import published

SIDE, RADIUS, MOST = 32, 4, 5


@dataclass(frozen=True)
class Dots:
    """Drawn images with 1 to 5 dots. Yours would read files."""

    count: int
    seed: int

    def __len__(self) -> int:
        return self.count

    def read(self, index: int, *, augment: bool) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(1000 * self.seed + index)
        dots = 1 + int(torch.randint(MOST, (), generator=random))
        image = Image.new("RGB", (SIDE, SIDE), "white")
        pen = ImageDraw.Draw(image)
        cells = torch.randperm(9, generator=random)[:dots].tolist()
        for row, column in (divmod(cell, 3) for cell in cells):
            x, y = 6 + 10 * column, 6 + 10 * row
            pen.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), fill="navy")
        pixels = pil_to_tensor(image)
        # The global generator of torch is seeded for each image.
        if augment and torch.rand(()) < 0.5:
            pixels = horizontal_flip(pixels)
        return pixels, torch.tensor(float(dots))

    def fingerprint(self) -> str:
        return f"{self.count} {self.seed}"


class ExplainedVariance:
    """Share of the variance of the counts that the predictions explain; at most 1."""

    def __init__(self) -> None:
        self.pairs: list[tuple[float, float]] = []

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        self.pairs += zip(predictions.tolist(), targets.tolist(), strict=True)

    def merge(self, other: "ExplainedVariance") -> None:
        self.pairs += other.pairs

    def result(self) -> dict[str, float]:
        found, true = torch.tensor(self.pairs, dtype=torch.float64).unbind(1)
        error = ((found - true) ** 2).mean()
        return {"R2": float(1 - error / true.var(correction=0)), "mean error": float(error.sqrt())}


class Counter(nn.Module):
    """The last map of the backbone, averaged, and a linear layer."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.backbone = backbone
        self.linear = nn.Linear(backbone.feature_info.channels()[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        count: Tensor = self.linear(self.backbone(images)[-1].mean((2, 3))).squeeze(1)
        return count


class Counting:
    """The task: data, network, loss, figures and drawing."""

    name = "counting"
    recipe = Recipe(
        channels=4, cells=4, size=SIDE, epochs=12, batch_size=8, auxiliary=0.0, learning_rate=0.02,
        drop_path=0.0, padding=0, cutout=0, validation_fraction=0.0,
    )  # fmt: skip
    strides = (4,)  # of the network for small images: 1, 2 and 4
    outputs = ("count",)
    protocol = "R2 of the number of dots"

    def load(
        self,
        data: str,
        recipe: Recipe,
        *,
        train: bool,
        classes: tuple[str, ...] | None = None,
        workers: int = 0,
    ) -> Samples:
        dots = Dots(int(data), seed=0) if train else Dots(24, seed=1)
        return Samples.of(dots, ("dots",), (3, SIDE, SIDE), workers)

    def network(self, backbone: nn.Module, classes: tuple[str, ...]) -> nn.Module:
        return Counter(backbone)

    def loss(
        self, run: Callable[..., Any], inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> Tensor:
        return nn.functional.mse_loss(run(inputs).float(), targets)

    def predict(self, network: nn.Module, inputs: Tensor) -> Tensor:
        count: Tensor = network(inputs)
        return count.float()

    def meter(self, samples: Samples) -> ExplainedVariance:
        return ExplainedVariance()

    def draw(
        self, image: Tensor, prediction: Tensor, target: Tensor | None, classes: tuple[str, ...]
    ) -> Image.Image:
        drawn: Image.Image = to_pil_image(image)
        ImageDraw.Draw(drawn).text((1, 1), f"{float(prediction):.1f}", fill="red")
        return drawn

    def serving(self, network: nn.Module) -> nn.Module:
        return network


COUNTING = register_task(Counting())

if __name__ == "__main__":
    images = sys.argv[1] if len(sys.argv) > 1 else "48"
    with TemporaryDirectory() as folder:
        result = training_run(
            published("RelativeNAS"),
            COUNTING.load(images, COUNTING.recipe, train=True),
            test=COUNTING.load(images, COUNTING.recipe, train=False),
            task=COUNTING,
            recipe=COUNTING.recipe,
            seed=0,
            out=Path(folder),
            device="cpu",
        )
    print(f"after {result.epochs} epochs: {result.test_figures}")
