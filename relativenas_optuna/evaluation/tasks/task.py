"""The protocol of a task: data, network, loss, metric and drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image
    from torch import Tensor, nn

    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.tasks.samples import Samples


class Meter(Protocol):
    """A measure of predictions, which is filled batch by batch.

    With several processes each fills its own meter, and one merges all of them. Meters are
    pickled for that, so they keep their data on the CPU.
    """

    def update(self, predictions: Any, targets: Any) -> None:
        """Add a batch.

        Args:
            predictions: Result of `Task.predict`.
            targets: Targets of the batch, as `Samples.batches` yields them.
        """

    def merge(self, other: Self) -> None:
        """Add the batches of another meter."""

    def result(self) -> dict[str, float]:
        """Return the figures of all batches by name.

        All are finite numbers. The first one is the main one: it chooses the epoch whose weights
        are kept, and higher is better.
        """


class Task(Protocol):
    """A task that `relativenas train --task` trains a network for.

    `Samples` is the class for its data. A task is registered by `register_task`. The properties
    may be plain attributes.
    """

    @property
    def name(self) -> str:
        """Name of the task: letters, digits and "_"."""

    @property
    def recipe(self) -> Recipe:
        """Default recipe of the training."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the backbone's maps that the network reads, in increasing order."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the tensors that the module for export returns."""

    @property
    def protocol(self) -> str:
        """One line that says how the figures are measured."""

    def load(
        self,
        data: str,
        recipe: Recipe,
        *,
        train: bool,
        classes: tuple[str, ...] | None = None,
        workers: int = 0,
    ) -> Samples | None:
        """Return the training or test images of a data set.

        Args:
            data: Folder of the data set.
            recipe: Recipe of the training.
            train: True for the training images, False for the test images.
            classes: Names of the classes of a trained network; None takes those of the data.
            workers: Processes that read ahead.

        Returns:
            The images; None if the data set has no test images.

        Raises:
            DataError: The data set is missing or cannot be used.
        """

    def network(self, backbone: nn.Module, classes: tuple[str, ...]) -> nn.Module:
        """Return the network of the task on a backbone, with initial weights for the other layers.

        Args:
            backbone: Module with `feature_info`, which returns the maps at `strides`.
            classes: Names of the classes.
        """

    def loss(self, run: Callable[..., Any], inputs: Tensor, targets: Any, recipe: Recipe) -> Tensor:
        """Return the mean loss of the images of a batch, a tensor `[]`.

        Args:
            run: The network in training mode, or its wrapper for several processes.
            inputs: Normalised images `[b, c, h, w]`, float32, b at least 2.
            targets: Targets of the images, as `Samples.pieces` yields them.
            recipe: Recipe of the training.
        """

    def predict(self, network: nn.Module, inputs: Tensor) -> Any:
        """Return the predictions for a batch, for `Meter` and `draw`.

        Args:
            network: The network in evaluation mode, without gradients.
            inputs: Normalised images `[b, c, h, w]`, float32.

        Returns:
            A sequence, or a tensor, whose item i is the prediction for image i.
        """

    def meter(self, samples: Samples) -> Meter:
        """Return an empty meter for the predictions of some images."""

    def draw(self, image: Tensor, prediction: Any, target: Any, classes: tuple[str, ...]) -> Image:
        """Draw a prediction over its image.

        Args:
            image: The image, uint8 `[3, h, w]`, on the CPU.
            prediction: Prediction for the image, on the CPU.
            target: Its target, drawn beside the prediction; None to draw the prediction alone.
            classes: Names of the classes.
        """

    def serving(self, network: nn.Module) -> nn.Module:
        """Return the module to export: from normalised images to the tensors named by `outputs`.

        It shares the weights of the network. `torch.export` must be able to trace it.

        Args:
            network: The network in evaluation mode, on the CPU.
        """
