"""Train one architecture from initial weights, and write a trained-network file."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from relativenas_optuna._utils.files import remove_unfinished
from relativenas_optuna.evaluation.standalone.distributed import local_rank, process_group
from relativenas_optuna.evaluation.standalone.epoch_runner import ScoreFigures
from relativenas_optuna.evaluation.standalone.log import Log
from relativenas_optuna.evaluation.standalone.result import Epoch, Result
from relativenas_optuna.evaluation.standalone.setup import check_fit
from relativenas_optuna.evaluation.standalone.state import State, arguments_of
from relativenas_optuna.evaluation.standalone.task_runner import TaskRunner, check_task_fit
from relativenas_optuna.evaluation.standalone.trainer import StandaloneTrainer
from relativenas_optuna.evaluation.tasks.network import save_task_network
from relativenas_optuna.evaluation.tasks.registry import CLASSIFICATION
from relativenas_optuna.exceptions import DivergedError
from relativenas_optuna.networks.io.network_file import (
    NetworkDescription,
    read_weights,
    save_network,
)
from relativenas_optuna.networks.network_cost import cost
from relativenas_optuna.objective.settings import check_seed
from relativenas_optuna.search.run_folder import locked, make_folder
from relativenas_optuna.training.device import resolve_device
from relativenas_optuna.training.memory import kept_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.tasks.samples import Samples
    from relativenas_optuna.evaluation.tasks.task import Task
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

NETWORK = "network.safetensors"


def training_run(
    genotype: AnyGenotype,
    training: AnyImages | Samples,
    *,
    recipe: Recipe,
    seed: int,
    out: Path,
    test: AnyImages | Samples | None = None,
    task: Task | None = None,
    backbone: str | Path | None = None,
    seconds: float | None = None,
    device: torch.device | str | None = None,
    name: str = "",
    on_begin: Callable[[Sequence[Epoch]], None] | None = None,
    on_batch: Callable[[int], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Result:
    """Train an architecture by a recipe, or continue its training.

    A random part of the training images is set apart for validation. The weights of the epoch with
    the highest accuracy, or main figure of the task, on it are kept, and are tested once on the
    test images. A repeated call with the same arguments continues after the last whole epoch; on a
    CPU the result is the same to the last bit as without the interruption. A finished training
    returns its result.

    Processes started by torchrun train together, each on its part of every batch.

    Args:
        genotype: The architecture.
        training: Training images in memory on any device, or read from files while training;
            `Samples` with a task.
        recipe: Recipe of the training.
        seed: Seed of the validation part, the initial weights and the training, 0 to 2**32 - 1.
        out: Folder of this training, which no other training may use; made if it is missing. The
            state, the log, the curve and the trained network are written to it.
        test: Test images with the classes of the training images; None to test nothing.
        task: Task of the network; None for classification.
        backbone: File of trained weights with which the backbone of a task starts: one of
            `relativenas train` or the published one for ImageNet. None for initial weights.
        seconds: Wall time of all epochs in seconds, validation and files included, for one process.
            The learning rate then follows the time, for which the epochs of the recipe stand, and
            the last epoch may take only a part of the images. None to train the epochs of the
            recipe.
        device: Name of the device; None takes the best one, see `resolve_device`.
        name: Name of the architecture, for the files and the result.
        on_begin: Function that is called before the first epoch, with the epochs done earlier.
        on_batch: Function that is called after every batch with the number of images of the epoch
            so far.
        on_epoch: Function that is called with every epoch after it was saved.

    Raises:
        DivergedError: The loss is not finite; the result of the epochs before is written.
        SearchError: The folder holds another training, and the message says what differs; or the
            folder is in use.
        ValueError: The recipe does not fit the images or the device, or the weights of the
            backbone do not fit.
    """
    if backbone is not None and task is None:
        raise ValueError("backbone needs a task other than classification")
    check_seed(seed)
    found = resolve_device(device, index=local_rank())
    images: Any = training  # of the class that the task needs
    if task is None:
        check_fit(recipe, images, cast("AnyImages | None", test))
    else:
        check_task_fit(task, recipe, training, test)
    stored = None if backbone is None else read_weights(backbone)
    make_folder(str(out))
    callbacks = _Callbacks(on_begin, on_batch, on_epoch)
    with ExitStack() as stack:
        processes = stack.enter_context(process_group(found))
        if processes.writes_files:
            stack.enter_context(locked(str(out), use="trained", option="--out"))
            remove_unfinished(out)
        stack.enter_context(kept_memory())
        trainer = StandaloneTrainer(
            genotype,
            training,
            recipe=recipe,
            seed=seed,
            group=processes,
            seconds=seconds,
            runner=None if task is None else TaskRunner(task, genotype, recipe, images, stored),
        )
        arguments = arguments_of(
            genotype, training, test, recipe=recipe, seed=seed, processes=processes.processes
        )
        if seconds is not None:
            arguments["seconds"] = seconds
        if task is not None:
            of_file = backbone and sha256(Path(backbone).read_bytes()).hexdigest()[:16]
            arguments |= {"task": task.name, "weights of the backbone": of_file}
        state = State.read(out, arguments, trainer)
        processes.require_same_number(len(state.history), "epochs in the training's folder")
        finished = Result.read(out) if trainer.is_done(state.history) else None
        if finished is not None:
            return finished

        def ended() -> Result:
            return _ended(trainer, state, training, test, task, seed=seed, out=out, name=name)

        try:
            # The log is closed before the result is written: a result marks the end of all writing.
            with Log(out, name, writes=processes.writes_files) as log:
                _train(trainer, state, out, log, callbacks)
        except DivergedError:
            if state.history:
                ended()
            raise
        return ended()


@dataclass(frozen=True)
class _Callbacks:
    """Functions to call during a training; see `training_run`."""

    on_begin: Callable[[Sequence[Epoch]], None] | None
    on_batch: Callable[[int], None] | None
    on_epoch: Callable[[Epoch], None] | None


def _train(
    trainer: StandaloneTrainer, state: State, out: Path, log: Log, callbacks: _Callbacks
) -> None:
    """Train the epochs that are left."""
    if callbacks.on_begin is not None:
        callbacks.on_begin(state.history)
    log.begin(state.history)
    while not trainer.is_done(state.history):
        epoch = trainer.epoch(len(state.history), callbacks.on_batch, state.history)
        state.add(epoch, trainer.network)
        if trainer.group.writes_files:
            state.write(out, trainer)
        log.after()
        if callbacks.on_epoch is not None:
            callbacks.on_epoch(epoch)


def _ended(
    trainer: StandaloneTrainer,
    state: State,
    training: AnyImages | Samples,
    test: AnyImages | Samples | None,
    task: Task | None,
    *,
    seed: int,
    out: Path,
    name: str,
) -> Result:
    """Score the kept weights on the test images, and write the network and the result."""
    network, recipe = trainer.network, trainer.recipe
    network.load_state_dict(state.kept)
    tested = ScoreFigures() if test is None else trainer.score(test)
    costs = cost(network if task is None else task.serving(network.eval()), training.shape)
    kept = state.history[state.kept_epoch]
    result = Result(
        name=name,
        seed=seed,
        epochs=len(state.history),
        kept_epoch=state.kept_epoch,
        validation_accuracy=kept.validation_accuracy,
        validation_loss=kept.validation_loss,
        test_accuracy=tested.accuracy,
        test_loss=tested.loss,
        parameters=costs.parameters,
        multiply_adds=costs.multiply_adds,
        seconds=sum(epoch.seconds for epoch in state.history),
        network=out / NETWORK,
        validation_figures=kept.validation_figures,
        test_figures=tested.figures,
    )
    if trainer.group.writes_files:
        channels, height, width = training.shape
        description = NetworkDescription(
            genotype=trainer.genotype,
            dataset=recipe.dataset,
            channels=recipe.channels,
            cells=recipe.cells,
            in_channels=channels,
            classes=training.classes,
            auxiliary=task is None and recipe.auxiliary > 0,
            pool_norm=any(getattr(module, "pool_norm", False) for module in network.modules()),
            mean=training.mean,
            std=training.std,
            size=(height, width),
            notes={"recipe": asdict(recipe), **result.to_data()},
            task=CLASSIFICATION if task is None else task.name,
        )
        save = save_network if task is None else save_task_network
        save(out / NETWORK, network, description)
        result.write(out)
    return result
