"""SupernetObjective: a trial -> its loss, with one set of weights for all trials."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import optuna
import torch
from optuna.study import StudyDirection

from relativenas_optuna.checkpoint import Checkpoint, Progress, Scored
from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.networks.weights import draw_weights
from relativenas_optuna.samplers.claims import Seat, mark_interrupted, seat_of
from relativenas_optuna.search_settings import SearchSettings, preset
from relativenas_optuna.spaces.cell_space import CellSpace
from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.data import Pictures, load_pictures
from relativenas_optuna.training.device import resolve_device
from relativenas_optuna.training.loop import (
    EpochResult,
    Evaluation,
    calibrate,
    evaluate,
    train_epoch,
)
from relativenas_optuna.training.randomness import generators
from relativenas_optuna.training.weight_set import Trained, WeightSet

if TYPE_CHECKING:
    from pathlib import Path

    from relativenas_optuna.spaces.genotype import Genotype


@dataclass
class Phases:
    """Seconds that a candidate took, by phase."""

    inherit: float = 0.0
    train: float = 0.0
    validate: float = 0.0
    commit: float = 0.0


class SupernetObjective:
    """Scores a trial's architecture with a supernet that all trials share.

    A candidate inherits the weights of its own operations, trains on the training pictures for
    one epoch, and is scored by its cross-entropy on the validation pictures. Under
    `RelativeNASSampler` both of a pair start from the same weights, and when the second is scored
    the pair is committed: operations only in the slow learner come from it, all else that was used
    from the fast learner. Under a sampler without pairs each trial commits its own weights.

    Order of pictures, augmentation and drop-path follow from (seed, generation, seat). Threads
    (`n_jobs`) take turns.

    Example:
        >>> import optuna
        >>> from relativenas_optuna import CellSpace, SupernetObjective
        >>> space = CellSpace(nodes=2)
        >>> objective = SupernetObjective(space, "digits", settings="digits")
        >>> study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        >>> study.optimize(objective, n_trials=1)

    Args:
        space: The architectures; the trial's parameters are its `distributions`.
        data: Pictures, or what `load_pictures` takes: "digits", "cifar10", "cifar100" or a folder
            with one of pictures per class. They are divided into training and validation pictures.
        validation: Pictures to score with; then `data` is not divided.
        settings: Or the name of a preset: "paper", "small", "digits".
        seed: Of the division, the first weights and all training; from 0 to 2**32 - 1.
        device: "cpu", "cuda", "cuda:1", "mps"; `None` takes the best one there is.
        checkpoint: Where the weights are kept after every candidate, so that a search can go on
            in another process; `None` keeps them in this object alone.

    Raises:
        DataError: The pictures cannot be used; a `ValueError`.
        ValueError: A setting, the device or the checkpoint does not fit.
    """

    def __init__(
        self,
        space: CellSpace,
        data: Pictures | str | Path,
        *,
        validation: Pictures | None = None,
        settings: SearchSettings | str = "paper",
        seed: int = 0,
        device: torch.device | str | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.space = space
        self.settings = preset(settings) if isinstance(settings, str) else settings
        self.seed = seed
        self.device = resolve_device(device)
        pictures = data if isinstance(data, Pictures) else load_pictures(data)
        training = pictures
        if validation is None:
            training, validation = pictures.split(self.settings.train_fraction, seed=seed)
        self.training, self.validation = training.to(self.device), validation.to(self.device)
        self.classes = pictures.classes
        self._augmentation = Augmentation(
            padding=self.settings.padding, flip=self.settings.flip, cutout=self.settings.cutout
        )
        supernet = Supernet(
            space,
            channels=self.settings.channels,
            cells=self.settings.cells,
            num_classes=len(self.classes),
            in_channels=pictures.images.shape[1],
        )
        draw_weights(supernet, torch.Generator().manual_seed(seed))
        self.supernet = supernet.to(self.device).to(memory_format=torch.channels_last)
        self.weights = WeightSet(self.supernet)
        self._waiting: tuple[Scored, Trained] | None = None
        self._last: Scored | None = None
        self._lock = threading.Lock()
        self._checkpoint = checkpoint
        if checkpoint is not None:
            restored = checkpoint.restore(self.weights)
            if restored is not None:
                self._last, self._waiting = restored.last, restored.waiting

    def __call__(self, trial: optuna.Trial) -> float:
        """Train and score the trial's architecture.

        Returns:
            The mean cross-entropy on the validation pictures in nats; NaN where the training
            diverged, which makes Optuna fail the trial. The weights are then as before.
        """
        if trial.study.directions != [StudyDirection.MINIMIZE]:
            raise ValueError(
                f"SupernetObjective gives a loss, so the study must have the one direction "
                f"'minimize'; {trial.study.study_name!r} has "
                f"{', '.join(d.name.lower() for d in trial.study.directions)}"
            )
        genotype = self.space.suggest(trial)
        seat = seat_of(trial)
        try:
            with self._lock:
                return self._score(trial, genotype, seat)
        except Exception:
            raise
        except BaseException:  # Ctrl-C and the like are no failure of this architecture
            mark_interrupted(trial.storage, trial._trial_id)
            raise

    def evaluate(self, genotype: Genotype) -> Evaluation:
        """Score an architecture on the validation pictures with the shared weights, untrained.

        The batch norms of its path take the statistics of the training pictures first, for the
        shared ones are a mixture of all paths that were trained. The weight set is left as it was.

        Raises:
            ValueError: The genotype is not in the space.
        """
        self.space.params(genotype)
        with self._lock, self.weights.candidate(genotype):
            calibrate(
                lambda images: self.supernet(images, genotype),
                self.training,
                module=self.supernet,
                batch_size=self.settings.batch_size,
                memory_format=torch.channels_last,
            )
            return self._validate(genotype)

    def _validate(self, genotype: Genotype) -> Evaluation:
        return evaluate(
            lambda images: self.supernet(images, genotype),
            self.validation,
            module=self.supernet,
            batch_size=2 * self.settings.batch_size,  # without gradients there is room for more
            memory_format=torch.channels_last,
        )

    def _score(self, trial: optuna.Trial, genotype: Genotype, seat: Seat | None) -> float:
        place = seat or Seat(*divmod(trial.number, self.settings.population))
        last = self._last
        phases = Phases()
        if last is None or (last.seat, last.genotype) != (place, genotype):
            self._settle(place)
            last = self._train(place, genotype, paired=seat is not None, phases=phases)
            if not math.isfinite(last.loss):
                return math.nan
            start = perf_counter()
            self._last = last
            if self._checkpoint is not None:
                self._checkpoint.save(self.weights, Progress(last=last, waiting=self._waiting))
            phases.commit += perf_counter() - start
        # else: killed after the checkpoint and before the study had the score
        trial.set_user_attr("genotype", genotype.to_text())
        trial.set_user_attr("accuracy", last.accuracy)
        trial.set_user_attr("train_loss", last.train_loss)
        trial.set_user_attr("seconds", {name: round(s, 4) for name, s in vars(phases).items()})
        if seat is not None:
            trial.set_user_attr("generation", seat.generation)
            trial.set_user_attr("seat", seat.number)
        return last.loss

    def _settle(self, place: Seat) -> None:
        """End the wait for a partner that did not come: the one that waits learns alone."""
        if self._waiting is None:
            return
        scored, trained = self._waiting
        if place not in (scored.seat, scored.seat.partner):
            self.weights.commit(trained)
        if place != scored.seat.partner:
            self._waiting = None

    def _train(self, place: Seat, genotype: Genotype, *, paired: bool, phases: Phases) -> Scored:
        settings = self.settings
        random = generators(self.seed, place.generation, place.number, device=self.device)
        drop_path = settings.drop_path_of(place.generation)
        watch = _Watch(self.device)
        with self.weights.candidate(genotype) as candidate:
            parameters = candidate.parameters
            optimizer = torch.optim.SGD(
                parameters,
                lr=settings.learning_rate_of(place.generation),
                momentum=settings.momentum,
                weight_decay=settings.weight_decay,
            )
            phases.inherit = watch.lap()
            result: EpochResult = train_epoch(
                lambda images: self.supernet(
                    images, genotype, drop_path=drop_path, generator=random.drop_path
                ),
                parameters,
                self.training,
                module=self.supernet,
                optimizer=optimizer,
                generators=random,
                augmentation=self._augmentation,
                batch_size=settings.batch_size,
                clip=settings.clip,
                memory_format=torch.channels_last,
            )
            phases.train = watch.lap()
            score = self._validate(genotype)
            phases.validate = watch.lap()
            trained = candidate.trained()
        scored = Scored(
            seat=place,
            genotype=genotype,
            loss=score.loss,
            accuracy=score.accuracy,
            train_loss=result.loss,
        )
        if math.isfinite(score.loss):
            self._commit(scored, trained, paired=paired)
        phases.commit = watch.lap()
        return scored

    def _commit(self, scored: Scored, trained: Trained, *, paired: bool) -> None:
        if not paired:
            self.weights.commit(trained)
        elif self._waiting is None:
            self._waiting = scored, trained
        else:
            # The sampler's rule: the first of the pair is the fast learner in a tie.
            pair = sorted(
                [self._waiting, (scored, trained)],
                key=lambda learner: (learner[0].loss, learner[0].seat),
            )
            self.weights.commit_pair(pair[0][1], pair[1][1])
            self._waiting = None


class _Watch:
    """Seconds between laps, on a device that may run behind."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start = perf_counter()

    def lap(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = perf_counter()
        seconds, self._start = now - self._start, now
        return seconds
