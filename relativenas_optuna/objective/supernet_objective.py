"""An Optuna objective that trains and scores architectures with shared weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from relativenas_optuna.objective.arguments import (
    check_arguments,
    checked_settings,
    divided_images,
)
from relativenas_optuna.objective.candidate import A, CandidateTrainer
from relativenas_optuna.objective.goals import Goals
from relativenas_optuna.objective.shared_supernet import SharedSupernet
from relativenas_optuna.objective.study_weights import StudyWeights
from relativenas_optuna.objective.trial_scorer import trial_scorer
from relativenas_optuna.objective.trials import check_trial, marked_if_interrupted
from relativenas_optuna.spaces.protocol import suggest
from relativenas_optuna.training.device import resolve_device

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import optuna
    import torch
    from optuna.artifacts._protocol import ArtifactStore

    from relativenas_optuna.networks.initial import Build
    from relativenas_optuna.networks.network_cost import CostLimits
    from relativenas_optuna.networks.protocol import SharedNetwork
    from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.training.data.dataset_items import AnyDataset
    from relativenas_optuna.training.data.image_set import ImageSet
    from relativenas_optuna.training.metrics import Loss, Metric


class SupernetObjective(SharedSupernet[A]):
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
        data: ImageSet | AnyDataset | str | Path,
        *,
        validation: ImageSet | AnyDataset | None = None,
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
        check_arguments(seed=seed, space=space, loss=loss, metric=metric, limits=limits)
        settings = checked_settings(settings)
        self.device = resolve_device(device)
        images = divided_images(data, validation, train_fraction=settings.train_fraction, seed=seed)
        self.training = images.training.to(self.device)
        self.validation = images.validation.to(self.device)
        self.classes = images.training.classes
        trainer = CandidateTrainer(
            space,
            self.training,
            self.validation,
            settings=settings,
            seed=seed,
            supernet=supernet,
            loss=loss,
            metric=metric,
        )
        self._goals = Goals(
            trainer, limits=limits, second=second, metric=metric is not None, pruning=pruning
        )
        scorer = trial_scorer(trainer, space, draw=paths, pruning=pruning)
        study_weights = StudyWeights(
            trainer.weights,
            checkpoint,
            space.parse,
            seed=seed,
            images=images.fingerprint,
            uniform_epochs=trainer.settings.uniform_epochs,
        )
        super().__init__(space, trainer, scorer, study_weights)

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
        with marked_if_interrupted(trial) as errors:
            self._goals.check(trial.study)
            genotype = suggest(self.space, trial)
            costs = self._goals.count(trial, genotype)
            loss: float | None = None
            if costs.allowed:
                with self._lock:
                    self._of_study.open(trial.study)
                    loss = self._scorer.score(trial, genotype, self._of_study.shared, errors)
            return self._goals.values(trial.study, loss, costs)
