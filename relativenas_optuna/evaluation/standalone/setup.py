"""Set up a training: the network, the loss and the precision of a recipe, and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.func import functional_call
from torch.nn import functional

from relativenas_optuna.evaluation.standalone.epoch import augmentation_of, sgd
from relativenas_optuna.evaluation.tasks.samples import Samples
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.networks.build_network import build
from relativenas_optuna.networks.initial_weights import draw_weights
from relativenas_optuna.spaces.space_genotype import is_built_in
from relativenas_optuna.training.data.image_set import split_indices
from relativenas_optuna.training.data.streamed import StreamedImages

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.data.image_set import ImageSet


def new_network(
    genotype: AnyGenotype, recipe: Recipe, *, in_channels: int, classes: int, seed: int
) -> nn.Module:
    """Return the network of a recipe on the CPU, with initial weights that follow from the seed.

    The state of torch's global random generator does not change.
    """
    with torch.random.fork_rng(devices=[]):
        # A space that is not built in draws its own initial weights.
        torch.default_generator.manual_seed(seed)
        network: nn.Module = build(
            genotype,
            recipe.dataset,
            channels=recipe.channels,
            cells=recipe.cells,
            num_classes=classes,
            in_channels=in_channels,
            auxiliary=recipe.auxiliary > 0,
            pool_norm=recipe.adds_pool_norm,
        )
    if is_built_in(genotype):
        draw_weights(network, torch.Generator().manual_seed(seed))
    return network.to(memory_format=torch.channels_last)


def optimizer_of(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimizer of a recipe for all parameters of a network."""
    if recipe.optimizer == "adam":
        return torch.optim.Adam(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
    return sgd(network, recipe)


def unused_parameters(network: nn.Module, shape: tuple[int, int, int]) -> list[str]:
    """Return the names of the parameters that no output depends on.

    There are such parameters if no node reads one of the inputs of a cell. The pass runs on the
    meta device, without computation.

    Args:
        network: Network to check.
        shape: Channels, height and width of an image.

    Raises:
        ValueError: The network does not take images of this shape.
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
        if getattr(network, "auxiliary_head", None) is None:
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
    training: ImageSet | StreamedImages,
    test: ImageSet | StreamedImages | None,
) -> None:
    """Raise if a recipe cannot train on these images.

    Raises:
        DataError: The test images have other classes or another shape than the training images.
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


def counts(training: AnyImages | Samples, recipe: Recipe, *, seed: int) -> tuple[int, int]:
    """Return the numbers of images that a training trains on and validates with.

    Raises:
        DataError: There is a validation part, and a class has fewer than two images.
    """
    if not recipe.validation_fraction:
        return len(training), 0
    if isinstance(training, Samples):
        parts = training.split(1 - recipe.validation_fraction, seed=seed)
        return len(parts[0]), len(parts[1])
    trained, validated = split_indices(
        training.labels, training.classes, 1 - recipe.validation_fraction, seed=seed
    )
    return len(trained), len(validated)


def precision_of(recipe: Recipe, device: torch.device) -> torch.dtype | None:
    """Return the type for automatic mixed precision; None trains in float32."""
    name = recipe.precision
    if name == "auto":
        if device.type != "cuda":
            return None
        # GPUs without bfloat16 emulate it slowly.
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if bfloat16 else torch.float16
    return {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


@dataclass(frozen=True)
class RecipeLoss:
    """Cross-entropy with label smoothing, plus the weighted cross-entropy of the auxiliary head.

    Attributes:
        label_smoothing: Label smoothing, 0 to 1.
        auxiliary: Weight of the loss of the auxiliary head.
    """

    label_smoothing: float
    auxiliary: float

    def __call__(self, output: Any, labels: Tensor) -> Tensor:
        """Return the mean loss of a batch, given the network's output and labels `[b]`."""
        if isinstance(output, Tensor):
            return self._smoothed(output, labels)
        logits, auxiliary = output
        return self._smoothed(logits, labels) + self.auxiliary * self._smoothed(auxiliary, labels)

    def _smoothed(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)


def scaler_of(dtype: torch.dtype | None, device: torch.device) -> GradScaler | None:
    """Return a gradient scaler for float16, whose range is small; None for other types."""
    return GradScaler(device.type) if dtype == torch.float16 else None
