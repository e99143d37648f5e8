"""SupernetObjective: a trial -> its loss, with one set of weights for all trials."""

from __future__ import annotations

import math
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import StudyDirection
from torch.nn import functional

from relativenas_optuna.networks.network_cost import CostLimits
from relativenas_optuna.objective.candidate import A, Outcome, Phases, Trainer, Watch
from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
from relativenas_optuna.objective.checkpoints.ledger import store_of
from relativenas_optuna.objective.checkpoints.pointer import WEIGHTS_KEY, pointer_of
from relativenas_optuna.objective.checkpoints.record import CandidateScore
from relativenas_optuna.objective.goals import Goals
from relativenas_optuna.objective.settings import SearchSettings, check_seed, preset
from relativenas_optuna.objective.shared_weights import SharedWeights
from relativenas_optuna.objective.trials import (
    check_trial,
    has_scores,
    population_in,
    record,
    reporting,
    warn_of_kept_scores,
)
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.spaces.protocol import check_space, suggest
from relativenas_optuna.storages.interruption import mark_interrupted
from relativenas_optuna.storages.study_attributes import StudyPointer, agreed
from relativenas_optuna.training.data.fingerprint import digest
from relativenas_optuna.training.data.load import DataError, Images, as_images
from relativenas_optuna.training.device import resolve_device

if TYPE_CHECKING:
    import optuna
    import torch
    from optuna.artifacts._protocol import ArtifactStore

    from relativenas_optuna.networks.initial import Build
    from relativenas_optuna.networks.protocol import SharedNetwork
    from relativenas_optuna.objective.checkpoints.pointer import Pointer
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.training.data.dataset import MapDataset
    from relativenas_optuna.training.loop import Evaluation
    from relativenas_optuna.training.metrics import Loss, Metric

_T = TypeVar("_T")
IDENTITY = "relative_nas:study"  # user attribute
SEED = "relative_nas:objective_seed"  # user attribute
IMAGES = "relative_nas:objective_images"  # user attribute


class SupernetObjective(Generic[A]):
    """Scores a trial's architecture with a supernet that all trials share.

    A candidate inherits the weights of its own operations, trains on the training images for
    one epoch, and is scored by its cross-entropy on the validation images. Under
    `RelativeNASSampler` both of a pair start from the same weights, and when the second is scored
    the pair is committed: operations only in the slow learner come from it, all else that was used
    from the fast learner. Under a sampler without pairs each trial commits its own weights.

    Order of images, augmentation and drop-path follow from (seed, generation, seat), and so,
    on one machine's CPU with the same number of threads, does all else to the last bit. torch's
    global random state is not touched. Threads (`n_jobs`) take turns.

    With a checkpoint any number of processes may score one study. Each candidate begins with the
    newest weights that any of them committed, and the trial says with which (`weights_version`),
    and how many commits of others came until its own (`stale_commits`).

    Example:
        >>> import optuna
        >>> from relativenas_optuna import CellSpace, SupernetObjective
        >>> space = CellSpace(nodes=2)
        >>> objective = SupernetObjective(space, "digits", settings="digits")
        >>> study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        >>> study.optimize(objective, n_trials=1)

    Args:
        space: The architectures; the trial's parameters are its `distributions`. See
            `spaces.Space` for one's own.
        data: Images; or what `load_images` takes: "digits", "cifar10", "cifar100" or a folder
            with one of images per class; or a torch data set of images and labels. They are
            divided into training and validation images.
        validation: Images, or a data set, to score with; then `data` is not divided.
        supernet: For a space of one's own: a network as `networks.SharedNetwork` says, or what
            builds one from the channels of an image and the number of classes.
        settings: Or the name of a preset: "paper", "small", "digits". Their `nodes` are not used,
            for `space` has its own, and `population` and `generations` are for the schedules.
        seed: Of the division, the first weights and all training; from 0 to 2**32 - 1.
        device: "cpu", "cuda", "cuda:1", "mps"; `None` takes the best one there is.
        loss: (logits, labels) -> mean loss of a batch, to train by and to score with.
        metric: (logits, labels) of all validation images -> a number to score with instead, in
            the direction of the study.
        limits: Of an architecture's cost. One that is over a limit is not trained: its loss is
            infinite, and its trial has a constraint that is violated.
        second: "parameters" or "multiply_adds", for a study with two directions. Which learner's
            weights count goes by the first value alone.
        pruning: Whether the running training loss is reported to the study's pruner during the
            epoch, times -1 where the study maximises. Results then depend on other trials, and
            there can be no `second`.
        checkpoint: Where the weights are kept after every candidate, so that a search can go on in
            another process: a folder; an artifact store of Optuna's, for a study in a SQL
            database; or a `Checkpoint`. `None` keeps them in this object alone, and a study that
            goes on with a new one warns that its weights begin anew.

    Raises:
        DataError: The images cannot be used; a `ValueError`.
        OSError: The folder of the checkpoint cannot be made or written to.
        ProtocolError: The supernet breaks its protocol; a `ValueError`.
        TypeError: `space`, `supernet`, `settings` or `validation` is none.
        ValueError: A setting, the seed, the device or the checkpoint does not fit.
    """

    def __init__(
        self,
        space: Space[A],
        data: Images | MapDataset | str | Path,
        *,
        validation: Images | MapDataset | None = None,
        supernet: SharedNetwork[A] | Build | None = None,
        settings: SearchSettings | str = "paper",
        seed: int = 0,
        device: torch.device | str | None = None,
        loss: Loss = functional.cross_entropy,
        metric: Metric | None = None,
        limits: CostLimits | None = None,
        second: str | None = None,
        pruning: bool = False,
        checkpoint: Checkpoint | ArtifactStore | str | Path | None = None,
    ) -> None:
        check_seed(seed)
        check_space(space)
        _callable("loss", loss)
        if metric is not None:
            _callable("metric", metric)
        if limits is not None:
            _instance("limits", limits, CostLimits)
        self.space = space
        self.settings = _instance(
            "settings", preset(settings) if isinstance(settings, str) else settings, SearchSettings
        )
        self.seed = seed
        self.device = resolve_device(device)
        training = as_images(data)
        self._images = digest(training)
        if validation is None:
            training, held_out = training.split(self.settings.train_fraction, seed=seed)
        else:
            held_out = as_images(validation, like=training)
            self._images += f" {digest(held_out)}"
        self.training, self.validation = training.to(self.device), held_out.to(self.device)
        self.classes = training.classes
        self._trainer = Trainer(
            space,
            self.training,
            self.validation,
            settings=self.settings,
            seed=seed,
            supernet=supernet,
            loss=loss,
            metric=metric,
        )
        self._goals = Goals(
            self._trainer,
            limits=limits,
            second=second,
            metric=metric is not None,
            pruning=pruning,
        )
        self._pruning = pruning
        self.supernet, self.weights = self._trainer.supernet, self._trainer.weights
        self._study: str | None = None
        self._lock = threading.Lock()
        self._place = None if isinstance(checkpoint, Checkpoint) else checkpoint
        given = checkpoint if isinstance(checkpoint, Checkpoint) else None
        if self._place is not None:
            store_of(self._place)  # makes a folder: a search of hours must not end for it
        self._shared = self._share(given)
        self._shared.begin(None)  # what cannot be gone on with is refused now

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, float]:
        """Train and score the trial's architecture.

        An error in the training itself is a failure of the architecture. What else ends the trial,
        Ctrl-C or a full disk, is none, and `RelativeNASSampler` gives its seat out again.

        Returns:
            The mean loss on the validation images (cross-entropy in nats), or the metric; NaN
            where the training diverged, which makes Optuna fail the trial, and the weights are
            then as before. With `second` that cost too.

        Raises:
            TrialPruned: The study's pruner ended it.
            TypeError: The trial is none of a study, such as `study.best_trial`.
            ValueError: The study has other directions than the objective has values, or was begun
                with another seed or other images.
        """
        check_trial(trial)
        failed_itself = False
        try:
            self._goals.check(trial.study)
            genotype = suggest(self.space, trial)
            costs = self._goals.count(trial, genotype)
            if not costs.allowed:
                return self._goals.values(trial.study, None, costs)
            seat = seat_of(trial)
            with self._lock:
                self._turn_to(trial.study)
                place = seat or Seat(*divmod(trial.number, self.settings.population))
                text = self.space.text(genotype)
                scored = None if seat is None else self._shared.known(seat, text)
                if scored is not None:
                    record(trial, scored, text, Phases(), seat)
                    return self._goals.values(trial.study, scored.loss, costs)
                self._shared.settle(lambda: population_in(trial.study))
                start = self._shared.begin(seat)
                try:
                    with reporting(trial, enabled=self._pruning) as report:
                        outcome = self._trainer.train(genotype, place, report=report)
                except Exception:
                    failed_itself = True
                    raise
                if outcome.diverged:
                    return self._goals.values(trial.study, math.nan, costs)
                scored, watch = _scored(place, text, outcome), Watch(self.device)
                stale = self._shared.end(
                    scored,
                    outcome.trained,
                    start_version=start,
                    paired=seat is not None,
                    maximise=trial.study.directions[0] == StudyDirection.MAXIMIZE,
                )
                outcome.phases.commit += watch.lap()
                record(trial, scored, text, outcome.phases, seat, start=start, stale=stale)
                return self._goals.values(trial.study, scored.loss, costs)
        except BaseException:
            if not failed_itself:
                with suppress(UpdateFinishedTrialError):  # another process ended it meanwhile
                    mark_interrupted(trial.storage, trial._trial_id)
            raise

    def evaluate(self, genotype: A) -> Evaluation:
        """Score an architecture on the validation images with the newest weights, untrained.

        The batch norms of its path take the statistics of the training images first, for the
        shared ones are a mixture of all paths that were trained. The weight set is left as it was.

        Raises:
            ValueError: The genotype is not in the space.
        """
        with self._lock:
            self._shared.begin(None)
            return self._trainer.evaluate(genotype)

    @property
    def waiting(self) -> list[Seat]:
        """Where learners sit whose weights wait for a partner's."""
        return sorted(self._shared.waiting())

    def check_images(self, study: optuna.Study) -> None:
        """Raise `DataError` if the study was begun with other images.

        Their content, order and class names count; under which path they are does not matter.
        """
        self._compare_images(study, study.user_attrs.get(IMAGES, self._images))

    def _compare_images(self, study: optuna.Study, begun: object) -> None:
        if begun != self._images:
            raise DataError(
                f"study {study.study_name!r} was begun with other images, labels or class names: "
                f"its weights would be scored with images that they were trained on. Give the "
                f"images as they were then (by --data where they have another path now), or begin "
                f"a new study"
            )

    def settle(self, study: optuna.Study) -> None:
        """Commit what waits for partners that failed for good; after the last trial of a search."""
        with self._lock:
            self._shared.settle(lambda: population_in(study))

    def _turn_to(self, study: optuna.Study) -> None:
        # Not its name or number, which a deleted study leaves to the next one.
        key = str(agreed(study, IDENTITY, uuid4().hex))
        if self._study == key:
            return
        begun = agreed(study, SEED, self.seed)
        if begun != self.seed:
            raise ValueError(
                f"seed must be {begun}, with which study {study.study_name!r} was begun: another "
                f"one divides the images otherwise, and weights would be scored with those that "
                f"they were trained on; got {self.seed}"
            )
        self._compare_images(study, agreed(study, IMAGES, self._images))
        if self._study is not None:
            self._shared.leave()
        if self._place is not None:
            pointer: Pointer = (
                pointer_of(study, self._place)
                if isinstance(self._place, str | Path)
                else StudyPointer(study, WEIGHTS_KEY)
            )
            self._shared = self._share(Checkpoint(self._place, pointer=pointer, search=key))
        if self._study is None and not self._shared.kept and has_scores(study):
            warnings.warn(
                f"study {study.study_name!r} has scores, but the weights begin anew: give the "
                f"first objective and this one a checkpoint to go on with its weights",
                stacklevel=4,
            )
        warn_of_kept_scores(study)
        self._study = key

    def _share(self, checkpoint: Checkpoint | None) -> SharedWeights:
        return SharedWeights(self.weights, checkpoint, self.space.parse)


def _instance(name: str, value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}; got {value!r}")
    return value


def _callable(name: str, value: object) -> None:
    if not callable(value):
        raise TypeError(f"{name} must be a function of logits and labels; got {value!r}")


def _scored(place: Seat, text: str, outcome: Outcome) -> CandidateScore:
    return CandidateScore(
        seat=place,
        architecture=text,
        loss=outcome.score.score,
        accuracy=outcome.score.accuracy,
        train_loss=outcome.training.loss,
    )
