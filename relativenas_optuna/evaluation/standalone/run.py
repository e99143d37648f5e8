"""The training of one architecture from its first weights to a trained-network file."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from relativenas_optuna._utils.files import remove_unfinished
from relativenas_optuna.evaluation.standalone.distributed import local_rank, process_group
from relativenas_optuna.evaluation.standalone.log import Log
from relativenas_optuna.evaluation.standalone.result import Epoch, Result
from relativenas_optuna.evaluation.standalone.setup import DATASETS, check_fit
from relativenas_optuna.evaluation.standalone.state import State, arguments_of
from relativenas_optuna.evaluation.standalone.trainer import StandaloneTrainer
from relativenas_optuna.exceptions import DivergedError
from relativenas_optuna.networks.io.network_file import NetworkDescription, save_network
from relativenas_optuna.networks.network_cost import cost
from relativenas_optuna.objective.settings import check_seed
from relativenas_optuna.search.run_folder import locked, make_folder
from relativenas_optuna.training.device import resolve_device
from relativenas_optuna.training.memory import kept_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.training.data.images import Images
    from relativenas_optuna.training.data.streamed import StreamedImages

NETWORK = "network.safetensors"


def training_run(
    genotype: Genotype,
    training: Images | StreamedImages,
    *,
    recipe: Recipe,
    seed: int,
    out: Path,
    test: Images | StreamedImages | None = None,
    device: torch.device | str | None = None,
    name: str = "",
    on_begin: Callable[[Sequence[Epoch]], None] | None = None,
    on_batch: Callable[[int], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Result:
    """Train an architecture by a recipe, or go on with that where it was ended.

    The weights that are kept are those of the epoch with the highest accuracy on a part of the
    training images that is drawn from the seed and never trained on; the test images are used
    once, for these weights. Called again with the same arguments it goes on after the last whole
    epoch, on a CPU to the last bit as if it had not been ended; once finished it gives its result.

    Processes that torchrun starts train together, each on its share of every batch.

    Args:
        genotype: The architecture.
        training: Images, on any device, or a folder of them that is read while training.
        recipe: How.
        seed: Of the validation part, the first weights and all that is random in training; from 0
            to 2**32 - 1.
        out: Folder of this training alone; made where it is missing. It gets the state, the log,
            the curve, and in the end the trained network.
        test: Images of the same classes, to report in the end.
        device: See `resolve_device`.
        name: Of the architecture, for the files and the result.
        on_begin: Called with the epochs that are done already, before the next one.
        on_batch: Called after every batch with the number of images of the epoch so far.
        on_epoch: Called after every epoch that was trained, once it is saved.

    Raises:
        DivergedError: The loss is no number any more; what the epochs before came to is kept.
        SearchError: The folder holds another training, which the message tells apart by name, or is
            in use.
        ValueError: The recipe does not fit the images or the device.
    """
    check_seed(seed)
    found = resolve_device(device, index=local_rank())
    check_fit(recipe, training, test)
    make_folder(str(out))
    listening = _Listening(on_begin, on_batch, on_epoch)
    with ExitStack() as stack:
        processes = stack.enter_context(process_group(found))
        if processes.writes_files:
            stack.enter_context(locked(str(out), use="trained", option="--out"))
            remove_unfinished(out)
        stack.enter_context(kept_memory())
        trainer = StandaloneTrainer(genotype, training, recipe=recipe, seed=seed, group=processes)
        arguments = arguments_of(
            genotype, training, test, recipe=recipe, seed=seed, processes=processes.processes
        )
        state = State.read(out, arguments, trainer)
        processes.require_same_number(len(state.history), "epochs in the training's folder")
        finished = Result.read(out) if len(state.history) == recipe.epochs else None
        if finished is not None:
            return finished

        def ended() -> Result:
            return _ended(trainer, state, training, test, seed=seed, out=out, name=name)

        try:
            # It is whole before there is a result, with which nothing is written any more.
            with Log(out, name, writes=processes.writes_files) as log:
                _train(trainer, state, out, log, listening)
        except DivergedError:
            if state.history:
                ended()
            raise
        return ended()


@dataclass(frozen=True)
class _Listening:
    """Who is told what; see `training_run`."""

    on_begin: Callable[[Sequence[Epoch]], None] | None
    on_batch: Callable[[int], None] | None
    on_epoch: Callable[[Epoch], None] | None


def _train(
    trainer: StandaloneTrainer, state: State, out: Path, log: Log, listening: _Listening
) -> None:
    """Train the epochs that are left."""
    if listening.on_begin is not None:
        listening.on_begin(state.history)
    log.begin(state.history)
    for number in range(len(state.history), trainer.recipe.epochs):
        epoch = trainer.epoch(number, listening.on_batch)
        state.add(epoch, trainer.network)
        if trainer.group.writes_files:
            state.write(out, trainer)
        log.after()
        if listening.on_epoch is not None:
            listening.on_epoch(epoch)


def _ended(
    trainer: StandaloneTrainer,
    state: State,
    training: Images | StreamedImages,
    test: Images | StreamedImages | None,
    *,
    seed: int,
    out: Path,
    name: str,
) -> Result:
    """Score the kept weights on the test images, and write them with what they came to."""
    network, recipe = trainer.network, trainer.recipe
    network.load_state_dict(state.kept)
    tested = None if test is None else trainer.score(test)
    costs = cost(network, training.shape)
    kept = state.history[state.kept_epoch]
    result = Result(
        name=name,
        seed=seed,
        epochs=len(state.history),
        kept_epoch=state.kept_epoch,
        validation_accuracy=kept.validation_accuracy,
        validation_loss=kept.validation_loss,
        test_accuracy=tested and tested[1],
        test_loss=tested and tested[0],
        parameters=costs.parameters,
        multiply_adds=costs.multiply_adds,
        seconds=sum(epoch.seconds for epoch in state.history),
        network=out / NETWORK,
    )
    if trainer.group.writes_files:
        channels, height, width = training.shape
        description = NetworkDescription(
            genotype=network.genotype,
            dataset=DATASETS[recipe.family],
            channels=recipe.channels,
            cells=recipe.cells,
            in_channels=channels,
            classes=training.classes,
            auxiliary=recipe.auxiliary > 0,
            mean=training.mean,
            std=training.std,
            size=(height, width),
            notes={"recipe": asdict(recipe), **result.to_data()},
        )
        save_network(out / NETWORK, network, description)
        result.write(out)
    return result
