"""An Optuna objective that trains and scores architectures with shared weights."""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import StudyDirection
from torch.nn import functional

from relativenas_optuna.networks.additive_cost import counted_costs
from relativenas_optuna.networks.network_cost import CostLimits
from relativenas_optuna.objective.candidate import A, CandidateTrainer
from relativenas_optuna.objective.goals import Goals
from relativenas_optuna.objective.outcome import Phases, Watch
from relativenas_optuna.objective.settings import SearchSettings, check_seed, preset
from relativenas_optuna.objective.study_weights import StudyWeights
from relativenas_optuna.objective.trials import (
    check_trial,
    place_of,
    record,
    reporting,
)
from relativenas_optuna.objective.uniform_paths import UniformPaths
from relativenas_optuna.samplers.populations import population_in
from relativenas_optuna.samplers.seats.claims import Seat, claim_of
from relativenas_optuna.samplers.seats.population import partner_of
from relativenas_optuna.spaces.protocol import check_space, suggest
from relativenas_optuna.storages.interruption import mark_interrupted
from relativenas_optuna.training.data.fingerprint import digest
from relativenas_optuna.training.data.load import Images, as_images
from relativenas_optuna.training.device import resolve_device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import optuna
    import torch
    from optuna.artifacts._protocol import ArtifactStore

    from relativenas_optuna.networks.initial import Build
    from relativenas_optuna.networks.protocol import SharedNetwork
    from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
    from relativenas_optuna.objective.outcome import CandidateSteps
    from relativenas_optuna.objective.uniform_paths import UniformProgress
    from relativenas_optuna.spaces.costs import AdditiveCost
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.training.data.dataset import MapDataset
    from relativenas_optuna.training.loop import Evaluation
    from relativenas_optuna.training.metrics import Loss, Metric

_T = TypeVar("_T")


class SupernetObjective(Generic[A]):
    """An objective that scores the architecture of a trial in a supernet shared by all trials.

    A candidate inherits the weights of its own operations, trains on the training images for
    one epoch, and is scored by its cross-entropy on the validation images. Under
    `RelativeNASSampler` both learners of a pair start from the same weights, and are committed
    together after the second is scored: the fast learner's weights, and those of operations that
    only the slow learner uses.

    Under a sampler without pairs each trial commits its own weights. With `MIGOSampler` a sweep
    trains all choices of a parameter equally often, as far as its size allows. The abstract of
    MIGO-NAS leaves three details open, which are ours: a trial trains for one epoch, commits when
    it is scored, and the learning rate falls from sweep to sweep.

    With `settings.uniform_epochs` above 0 candidates are not trained. The shared weights are
    trained before the first score, on paths that are drawn uniformly, a new one for each batch
    (Guo et al., ECCV 2020). Then no trial changes them, and a candidate is scored with batch norms
    calibrated on at most 512 training images. So all scores of a study compare, whatever the
    sampler and the number of workers, and an architecture that a search tries often has no
    advantage. `prepare` does the training at once.

    The order of images, augmentation and drop-path follow from the seed, generation and seat; a
    trial without a seat has a place by its number (see `trials.place_of`). On one machine's CPU
    with the same number of threads all results are the same to the last bit. The global random
    state of PyTorch is not changed. Threads (`n_jobs`) take turns.

    With a checkpoint any number of processes may score one study. Each candidate starts with the
    newest committed weights. The trial's user attributes are their number of commits
    (`weights_version`), and the number of commits by others until its own (`stale_commits`).

    Example:
        >>> import optuna
        >>> from relativenas_optuna import CellSpace, SupernetObjective
        >>> space = CellSpace(nodes=2)
        >>> objective = SupernetObjective(space, "digits", settings="digits")
        >>> study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        >>> study.optimize(objective, n_trials=1)

    Args:
        space: Search space; the trial's parameters follow its `distributions`. See `spaces.Space`
            for a space of your own.
        data: Images, or a data set as `load_images` takes it ("digits", "cifar10", "cifar100" or a
            folder with a sub-folder of images per class), or a torch data set of images and labels.
            They are split into training and validation images.
        validation: Images, or a data set, to score with; `data` is then not split.
        supernet: Supernet for a space of your own (see `networks.SharedNetwork`), or a function
            that builds it from the number of image channels and of classes.
        settings: Settings, or the name of a preset: "paper", "small" or "digits". `nodes` is
            ignored in favour of the space's; `population` and `generations` set the schedules.
        seed: Seed for the data split, the initial weights and training, 0 to 2**32 - 1.
        device: "cpu", "cuda", "cuda:1" or "mps"; None for the best available device.
        loss: Function of (logits, labels) that returns the mean loss of a batch, for training and
            scoring.
        metric: Function of (logits, labels) of all validation images that returns the score in
            place of the loss, in the study's direction.
        limits: Limits of an architecture's cost. An architecture over a limit is not trained: its
            loss is infinite, and its trial violates a constraint.
        second: "parameters" or "multiply_adds" as the second value of a study with two directions.
            The fast learner of a pair is still chosen by the first value.
        pruning: True to report the running training loss to the study's pruner during the epoch,
            times -1 if the study maximises. Results then depend on other trials; not with
            `second`.
        checkpoint: Place where the weights are stored after every candidate, so that another
            process can continue the search: a folder; an Optuna artifact store, for a study in a
            SQL database; or a `Checkpoint`. None keeps them in memory, and a study that is
            continued with a new objective warns that its weights start anew.
        paths: Function that draws the architecture of a path from a random generator, for
            `settings.uniform_epochs`; None for `space.random`. Of the architectures that compute
            the same, only the representative is taken (see `spaces.Canonical`).

    Raises:
        DataError: The images cannot be used; a `ValueError`.
        OSError: The folder of the checkpoint cannot be made or written to.
        ProtocolError: The supernet breaks its protocol; a `ValueError`.
        TypeError: `space`, `supernet`, `settings` or `validation` has the wrong type.
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
        paths: Callable[[np.random.Generator], A] | None = None,
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
        images = digest(training)
        if validation is None:
            training, held_out = training.split(self.settings.train_fraction, seed=seed)
        else:
            held_out = as_images(validation, like=training)
            images += f" {digest(held_out)}"
        self.training, self.validation = training.to(self.device), held_out.to(self.device)
        self.classes = training.classes
        self._trainer = CandidateTrainer(
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
        self._uniform: UniformPaths[A] | None = None
        if self.settings.uniform_epochs > 0:
            if pruning:
                raise ValueError(
                    "pruning must be False with settings.uniform_epochs above 0, because "
                    "candidates are scored without an epoch of training; got True"
                )
            self._uniform = UniformPaths(self._trainer, space, paths)
        self.supernet, self.weights = self._trainer.supernet, self._trainer.weights
        self._lock = threading.Lock()
        self._of_study = StudyWeights(
            self.weights,
            checkpoint,
            space.parse,
            seed=seed,
            images=images,
            uniform_epochs=self.settings.uniform_epochs,
        )

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, float]:
        """Train and score the trial's architecture.

        An error in the training itself counts as a failure of the architecture. After any other
        end, such as Ctrl-C or a full disk, `RelativeNASSampler` assigns the seat again.

        Returns:
            The mean loss on the validation images (cross-entropy in nats), or the metric; NaN if
            the training diverged, so that Optuna fails the trial and the weights stay as before.
            With `second`, a tuple of this value and the cost.

        Raises:
            TrialPruned: The study's pruner ended the trial.
            TypeError: The argument is not a running trial, such as `study.best_trial`.
            ValueError: The study's directions do not match the objective's values, or the study
                was started with another seed or other images.
        """
        check_trial(trial)
        of_architecture: list[Exception] = []
        try:
            self._goals.check(trial.study)
            genotype = suggest(self.space, trial)
            costs = self._goals.count(trial, genotype)
            loss: float | None = None
            if costs.allowed:
                with self._lock:
                    self._of_study.open(trial.study)
                    score = self._trained if self._uniform is None else self._untrained
                    loss = score(trial, genotype, of_architecture)
            return self._goals.values(trial.study, loss, costs)
        except BaseException as error:
            if error not in of_architecture:
                with suppress(UpdateFinishedTrialError):  # another process ended it meanwhile
                    mark_interrupted(trial.storage, trial._trial_id)
            raise

    def _trained(self, trial: optuna.Trial, genotype: A, errors: list[Exception]) -> float:
        """Return the loss of a candidate after its epoch, and commit its weights.

        The result is NaN if the training diverged. Errors of the architecture are added to
        `errors`.
        """
        claim, text = claim_of(trial), self.space.text(genotype)
        seat, partner = (None, None) if claim is None else (claim.seat, partner_of(claim))
        place = place_of(trial, seat, self.settings.population)
        shared = self._of_study.shared
        known = None if seat is None else shared.known(seat, text)
        if known is not None:
            record(
                trial, text, Phases(), seat, accuracy=known.accuracy, train_loss=known.train_loss
            )
            return known.loss
        shared.settle(lambda: population_in(trial.study))
        start = shared.begin(partner)
        with _added_to(errors), reporting(trial, enabled=self._pruning) as report:
            outcome = self._trainer.train(genotype, place, report=report)
        if outcome.diverged:
            return math.nan
        scored, watch = outcome.scored(place, text), Watch(self.device)
        stale = shared.end(
            scored,
            outcome.trained,
            start_version=start,
            partner=partner,
            has_seat=seat is not None,
            maximise=trial.study.directions[0] == StudyDirection.MAXIMIZE,
        )
        outcome.phases.commit += watch.lap()
        record(
            trial,
            text,
            outcome.phases,
            seat,
            accuracy=scored.accuracy,
            train_loss=scored.train_loss,
            start=start,
            stale=stale,
        )
        return scored.loss

    def _untrained(self, trial: optuna.Trial, genotype: A, errors: list[Exception]) -> float:
        """Return the loss of a candidate with the shared weights; see `_trained`."""
        assert self._uniform is not None
        self._uniform.prepare(self._of_study.shared)
        watch, phases, claim = Watch(self.device), Phases(), claim_of(trial)
        with _added_to(errors):
            score = self._uniform.score(genotype)
        phases.validate = watch.lap()
        if not (math.isfinite(score.loss) and math.isfinite(score.score)):
            return math.nan
        record(
            trial,
            self.space.text(genotype),
            phases,
            None if claim is None else claim.seat,
            accuracy=score.accuracy,
            start=self.weights.version,
        )
        return score.score

    def evaluate(self, genotype: A) -> Evaluation:
        """Score an architecture on the validation images with the newest weights, untrained.

        The batch norms of its path first take the statistics of the training images, because the
        shared statistics mix all trained paths. The weight set is unchanged afterwards. With
        `settings.uniform_epochs` above 0 the result is what a trial would get.

        Raises:
            ValueError: The genotype is not in the space.
        """
        with self._lock:
            self._of_study.shared.begin(None)
            if self._uniform is not None:
                return self._uniform.score(genotype)
            return self._trainer.evaluate(genotype)

    @contextmanager
    def steps(self, genotype: A | None = None) -> Iterator[CandidateSteps]:
        """Yield single steps of a candidate, to measure their time before a search.

        The weights are as before at the end of the `with` block. For the fastest number of CPU
        threads::

            with objective.steps() as steps:
                choose_threads(steps.train, steps.training)

        Args:
            genotype: Architecture of the candidate; None for a random one.

        Raises:
            ValueError: The genotype is not in the space.
        """
        if genotype is None:
            genotype = self.space.random(np.random.default_rng(self.seed))
        with self._lock, self._trainer.steps(genotype) as steps:
            yield steps

    def prepare(
        self, study: optuna.Study, report: Callable[[UniformProgress], None] = lambda _: None
    ) -> None:
        """Train the shared weights on uniform paths, as far as no process has done so already.

        The first trial does it too. It does nothing if `settings.uniform_epochs` is 0.

        Args:
            study: Study whose trials will be scored.
            report: Function that is called with the progress after each epoch, and every half
                second while another process trains.

        Raises:
            DivergedError: The loss or a weight became NaN or infinite; a `ValueError`.
            ValueError: The study was started with another seed, other images or another number of
                epochs.
        """
        with self._lock:
            self._of_study.open(study)
            if self._uniform is not None:
                self._uniform.prepare(self._of_study.shared, report)

    @cached_property
    def costs(self) -> dict[str, AdditiveCost]:
        """The "parameters" and "multiply_adds" of a stand-alone network at the supernet's size.

        A sampler takes them as its `costs`, for `limits={"parameters": 2e6}`. A network of another
        size has other costs, see `networks.costs_of`. Raises as `networks.network_costs`.
        """
        return counted_costs(self._trainer.costs, self.space)

    @property
    def waiting(self) -> list[Seat]:
        """Seats of the learners that wait for their partners to be scored."""
        return sorted(self._of_study.shared.waiting())

    def check_images(self, study: optuna.Study) -> None:
        """Raise `DataError` if the study was started with other images.

        The content, order and class names of the images count; their path does not.
        """
        self._of_study.check_images(study)

    def settle(self, study: optuna.Study) -> None:
        """Commit learners whose partners failed for good; to call after the last trial."""
        with self._lock:
            self._of_study.shared.settle(lambda: population_in(study))


@contextmanager
def _added_to(errors: list[Exception]) -> Iterator[None]:
    """Add an exception of the `with` block to a list."""
    try:
        yield
    except Exception as error:
        errors.append(error)
        raise


def _instance(name: str, value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}; got {value!r}")
    return value


def _callable(name: str, value: object) -> None:
    if not callable(value):
        raise TypeError(f"{name} must be a function of logits and labels; got {value!r}")
