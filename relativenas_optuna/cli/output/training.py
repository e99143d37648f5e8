"""Output of `relativenas train`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from relativenas_optuna._utils.text import duration, number_of, shown_figures, shown_path
from relativenas_optuna.cli.progress import TrainingProgress
from relativenas_optuna.cli.terminal import console
from relativenas_optuna.search.resume_command import program
from relativenas_optuna.spaces.names import TORCHVISION, network_size
from relativenas_optuna.spaces.space_genotype import is_built_in, space_of

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.standalone.result import Result
    from relativenas_optuna.search.architectures import Named
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_FILES = "network.safetensors, network.json, result.json, log.jsonl, curve.png, tensorboard"


class TrainingReport:
    """A printer of messages about a training.

    Long lines are not wrapped.

    Args:
        quiet: True to print nothing to standard output.
        first: True in the process of rank 0; only this process reports an interruption.
    """

    def __init__(self, *, quiet: bool, first: bool = True) -> None:
        self._first = first
        self._console = console()
        self._notices = console(notices=True)
        self._console.quiet = quiet
        self._notices.quiet |= quiet

    def preparing(
        self, named: Named, recipe: Recipe, *, data: str, seed: int, device: torch.device
    ) -> None:
        """Print the architecture, the data and the recipe of a training."""
        self._note(f"{named.name}: {named.source}")
        size = network_size(space_of(named.genotype), cells=recipe.cells, channels=recipe.channels)
        self._note(
            f"data {data}, seed {seed}, device {device}; {number_of(recipe.epochs, 'epoch')} of "
            f"batches of {recipe.batch_size}, {size}"
        )

    def images(self, trained: int, validated: int, tested: int, classes: int) -> None:
        """Print how many images are used for training, validation and test.

        Args:
            trained: Number of training images.
            validated: Number of validation images.
            tested: Number of test images.
            classes: Number of classes.
        """
        self._note(
            f"{trained} training images, {validated} validation images, {tested} test images, "
            f"{classes} classes"
        )

    def threads(self, line: str | None) -> None:
        """Print the number of CPU threads; nothing for None."""
        if line is not None:
            self._note(line)

    def progress(self, epochs: int, images: int) -> TrainingProgress:
        """Return the progress bar of a training; see `TrainingProgress`."""
        return TrainingProgress(self._notices, epochs=epochs, images=images)

    def interrupted(self, saved: str) -> None:
        """Print to standard error what an interrupted training by several processes has saved."""
        if self._first:
            click.echo(f"\ninterrupted: {saved}", err=True)

    def ended(
        self, result: Result, genotype: AnyGenotype, *, data: str, out: Path, task: str | None
    ) -> None:
        """Print the result of a training, and the command that evaluates the network."""
        kept = f"epoch {result.kept_epoch + 1} of {result.epochs} is kept"
        validated = True
        if result.validation_figures is not None:
            self._print(f"\n{kept}: validation {shown_figures(result.validation_figures)}")
        elif result.validation_accuracy is None or result.validation_loss is None:
            self._print(f"\n{kept}, the last one, because there are no validation images")
            validated = False
        else:
            of = _score(result.validation_accuracy, result.validation_loss)
            self._print(f"\n{kept}: validation {of}")
        part: list[str] = []
        if result.test_figures is not None:
            self._print(f"test {shown_figures(result.test_figures)}")
        elif result.test_accuracy is None or result.test_loss is None:
            self._print("there are no test images")
            part = ["--part", "validation" if validated else "training"]
        else:
            self._print(f"test {_score(result.test_accuracy, result.test_loss)}")
        self._print(
            f"{result.parameters:,} parameters, {result.multiply_adds:,} multiply-adds; "
            f"{duration(result.seconds)}"
        )
        network = shown_path(result.network.absolute())
        known = is_built_in(genotype) or space_of(genotype) == TORCHVISION
        space = [] if known else ["--space", str(space_of(genotype))]
        own = ["--task", task] if task is not None and ":" in task else []
        evaluate = shlex.join(["evaluate", network, "--data", data, *part, *own, *space])
        self._note(f"\nwritten:     {shown_path(out.absolute())}: {_FILES}")
        self._note(f"evaluate it: {program('relativenas')} {evaluate}")

    def _print(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def _note(self, text: str) -> None:
        """Print a line that is not a result."""
        self._notices.print(text, soft_wrap=True)


def _score(accuracy: float, loss: float) -> str:
    return f"accuracy {100 * accuracy:.2f} %, loss {loss:.4f}"
