"""A network, and what it is trained with, for given images by a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.func import functional_call
from torch.nn import functional

from relativenas_optuna.evaluation.standalone.epoch import augmentation_of
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.networks.build_network import build
from relativenas_optuna.networks.initial_weights import draw_weights
from relativenas_optuna.networks.network import CellNetwork
from relativenas_optuna.training.data.streamed import StreamedImages

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.training.data.images import Images

DATASETS = {"cifar": "cifar10", "imagenet": "imagenet"}
"""What `build` calls the networks of a recipe."""


def new_network(
    genotype: Genotype, recipe: Recipe, *, in_channels: int, classes: int, seed: int
) -> CellNetwork:
    """The network of a recipe on the CPU, with first weights of the seed.

    torch's global random state stays as it is.
    """
    with torch.random.fork_rng(devices=[]):
        network = build(
            genotype,
            DATASETS[recipe.family],
            channels=recipe.channels,
            cells=recipe.cells,
            num_classes=classes,
            in_channels=in_channels,
            auxiliary=recipe.auxiliary > 0,
        )
    draw_weights(network, torch.Generator().manual_seed(seed))
    return network.to(memory_format=torch.channels_last)


def unused_parameters(network: CellNetwork, shape: tuple[int, int, int]) -> list[str]:
    """The names of the parameters that no output depends on: nodes may all read one input.

    Nothing is computed: the pass runs on the meta device.

    Args:
        network: To be trained.
        shape: Channels, height and width of an image.

    Raises:
        ValueError: The network does not take such images.
    """
    parameters = {
        name: nn.Parameter(parameter.detach().to("meta"))
        for name, parameter in network.named_parameters()
    }
    buffers = {name: buffer.to("meta") for name, buffer in network.named_buffers()}
    images = torch.empty(2, *shape, device="meta")
    try:
        output = functional_call(network.train(), {**parameters, **buffers}, (images,))
    except ValueError as error:
        if network.auxiliary_head is None:
            raise
        side = f"{shape[2]}x{shape[1]}"
        raise ValueError(f"auxiliary must be 0 for images of {side}: {error}") from error
    tensors = [output] if isinstance(output, Tensor) else list(output)
    torch.autograd.backward(
        sum((tensor.sum() for tensor in tensors), torch.zeros((), device="meta"))
    )
    return [name for name, parameter in parameters.items() if parameter.grad is None]


def check_fit(
    recipe: Recipe,
    training: Images | StreamedImages,
    test: Images | StreamedImages | None,
) -> None:
    """Refuse images that a recipe cannot train on.

    Raises:
        DataError: Test images are not like training images.
        ValueError: A field of the recipe does not fit the images.
    """
    _, height, width = training.shape
    streamed = isinstance(training, StreamedImages)
    if recipe.random_resized_crop != streamed:
        must, are = ("true", "read while training") if streamed else ("false", "in memory")
        raise ValueError(
            f"random_resized_crop must be {must} for images that are {are}; got "
            f"{str(recipe.random_resized_crop).lower()}"
        )
    if recipe.size not in (0, height) or (recipe.size and height != width):
        raise ValueError(
            f"size must be that of the images, which have {width}x{height} pixels; got "
            f"{recipe.size}"
        )
    augmentation_of(recipe).check(height, width)
    if test is None:
        return
    if test.classes != training.classes:
        odd = min(set(test.classes) ^ set(training.classes), default="their order")
        raise DataError(
            f"test images must have the classes of the training images; they differ in {odd!r}"
        )
    if test.shape != training.shape:
        raise DataError(
            f"test images must have the shape of the training images, {training.shape}; got "
            f"{test.shape}"
        )


def precision_of(recipe: Recipe, device: torch.device) -> torch.dtype | None:
    """The type for automatic mixed precision; `None`: none."""
    name = recipe.precision
    if name == "auto":
        if device.type != "cuda":
            return None
        # Cards that have no bfloat16 imitate it, slowly.
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if bfloat16 else torch.float16
    return {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


@dataclass(frozen=True)
class RecipeLoss:
    """Cross-entropy of a network's output by a recipe, that of the auxiliary head added."""

    label_smoothing: float
    auxiliary: float

    def __call__(self, output: Any, labels: Tensor) -> Tensor:
        """(output, labels `[b]`) -> mean loss of the batch."""
        if isinstance(output, Tensor):
            return self._smoothed(output, labels)
        logits, auxiliary = output
        return self._smoothed(logits, labels) + self.auxiliary * self._smoothed(auxiliary, labels)

    def _smoothed(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)


def scaler_of(dtype: torch.dtype | None, device: torch.device) -> GradScaler | None:
    """What keeps small gradients from vanishing in float16."""
    return GradScaler(device.type) if dtype == torch.float16 else None
