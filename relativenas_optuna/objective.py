"""SupernetObjective: a trial -> its loss, with one set of weights for all trials."""

from __future__ import annotations

import math
import threading
import warnings
from typing import TYPE_CHECKING, TypeVar

from relativenas_optuna.candidate import Outcome, Phases, Trainer, Watch
from relativenas_optuna.checkpoint import Checkpoint, Progress, Scored
from relativenas_optuna.samplers.claims import Seat, mark_interrupted, seat_of
from relativenas_optuna.scored_trials import check_trial, has_scores, record, warn_of_kept_scores
from relativenas_optuna.search_settings import SearchSettings, check_seed, preset
from relativenas_optuna.spaces.cell_space import CellSpace
from relativenas_optuna.training.data import Pictures, load_pictures
from relativenas_optuna.training.device import resolve_device

if TYPE_CHECKING:
    from pathlib import Path

    import optuna
    import torch

    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.training.loop import Evaluation
    from relativenas_optuna.training.weight_set import Trained

_T = TypeVar("_T")


class SupernetObjective:
    """Scores a trial's architecture with a supernet that all trials share.

    A candidate inherits the weights of its own operations, trains on the training pictures for
    one epoch, and is scored by its cross-entropy on the validation pictures. Under
    `RelativeNASSampler` both of a pair start from the same weights, and when the second is scored
    the pair is committed: operations only in the slow learner come from it, all else that was used
    from the fast learner. Under a sampler without pairs each trial commits its own weights.

    Order of pictures, augmentation and drop-path follow from (seed, generation, seat), and so,
    on one machine's CPU with the same number of threads, does all else to the last bit. torch's
    global random state is not touched. Threads (`n_jobs`) take turns, in any order: where those
    of two pairs mix, a learner whose partner comes later is committed alone.

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
        settings: Or the name of a preset: "paper", "small", "digits". Their `nodes` are not used,
            for `space` has its own, and `population` and `generations` are for the schedules.
        seed: Of the division, the first weights and all training; from 0 to 2**32 - 1.
        device: "cpu", "cuda", "cuda:1", "mps"; `None` takes the best one there is.
        checkpoint: Where the weights are kept after every candidate, so that a search can go on
            in another process; `None` keeps them in this object alone, and a study that goes on
            with a new one warns that its weights begin anew.

    Raises:
        DataError: The pictures cannot be used; a `ValueError`.
        TypeError: `space`, `settings` or `validation` is none.
        ValueError: A setting, the seed, the device or the checkpoint does not fit.
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
        check_seed(seed)
        self.space = _instance("space", space, CellSpace)
        self.settings = _instance(
            "settings", preset(settings) if isinstance(settings, str) else settings, SearchSettings
        )
        self.seed = seed
        self.device = resolve_device(device)
        training = data if isinstance(data, Pictures) else load_pictures(data)
        if validation is None:
            training, validation = training.split(self.settings.train_fraction, seed=seed)
        validation = _instance("validation", validation, Pictures)
        self.training, self.validation = training.to(self.device), validation.to(self.device)
        self.classes = training.classes
        self._trainer = Trainer(
            space, self.training, self.validation, settings=self.settings, seed=seed
        )
        self.supernet, self.weights = self._trainer.supernet, self._trainer.weights
        self._waiting: tuple[Scored, Trained] | None = None
        self._last: Scored | None = None
        self._study: tuple[str, int] | None = None
        self._lock = threading.Lock()
        self._checkpoint = checkpoint
        if checkpoint is not None:
            restored = checkpoint.restore(self.weights)
            if restored is not None:
                self._last, self._waiting = restored.last, restored.waiting

    def __call__(self, trial: optuna.Trial) -> float:
        """Train and score the trial's architecture.

        An error in the training itself is a failure of the architecture. What else ends the trial,
        Ctrl-C or a full disk, is none, and `RelativeNASSampler` gives its seat out again.

        Returns:
            The mean cross-entropy on the validation pictures in nats; NaN where the training
            diverged, which makes Optuna fail the trial. The weights are then as before.

        Raises:
            TypeError: The trial is none of a study, such as `study.best_trial`.
            ValueError: The study does not minimise one value.
        """
        check_trial(trial)
        failed_itself = False
        try:
            genotype = self.space.suggest(trial)
            seat = seat_of(trial)
            with self._lock:
                self._turn_to(trial.study)
                scored, phases = self._known(seat, genotype), Phases()
                if scored is None:
                    place = seat or Seat(*divmod(trial.number, self.settings.population))
                    if seat is not None:
                        self._settle(seat)
                    try:
                        outcome = self._trainer.train(genotype, place)
                    except Exception:
                        failed_itself = True
                        raise
                    if not math.isfinite(outcome.score.loss):
                        return math.nan
                    scored, phases = _scored(place, genotype, outcome), outcome.phases
                    watch = Watch(self.device)
                    self._commit(scored, outcome.trained, paired=seat is not None)
                    self._save()
                    phases.commit += watch.lap()
                else:
                    self._save()  # which may be what failed before
                record(trial, scored, phases, seat)
                return scored.loss
        except BaseException:
            if not failed_itself:
                mark_interrupted(trial.storage, trial._trial_id)
            raise

    def evaluate(self, genotype: Genotype) -> Evaluation:
        """Score an architecture on the validation pictures with the shared weights, untrained.

        The batch norms of its path take the statistics of the training pictures first, for the
        shared ones are a mixture of all paths that were trained. The weight set is left as it was.

        Raises:
            ValueError: The genotype is not in the space.
        """
        with self._lock:
            return self._trainer.evaluate(genotype)

    @property
    def last(self) -> Seat | None:
        """Where the learner sat that was scored last; `None` before the first."""
        return None if self._last is None else self._last.seat

    @property
    def waiting(self) -> Seat | None:
        """Where the learner sits whose weights wait for its partner's, if there is one."""
        return None if self._waiting is None else self._waiting[0].seat

    def commit_waiting(self) -> None:
        """Make the weights of the learner that waits the shared ones, for no partner will come."""
        with self._lock:
            if self._waiting is not None:
                self.weights.commit(self._waiting[1])
                self._waiting = None
                self._save()

    def _turn_to(self, study: optuna.Study) -> None:
        key = (study.study_name, study._study_id)
        if self._study is None and self._last is None and has_scores(study):
            warnings.warn(
                f"study {study.study_name!r} has scores, but the weights begin anew: give the "
                f"first objective and this one a checkpoint to go on with its weights",
                stacklevel=4,
            )
        if self._study != key:
            warn_of_kept_scores(study)
        if self._study not in (None, key):
            if self._waiting is not None:
                self.weights.commit(self._waiting[1])
            self._waiting = self._last = None
        self._study = key

    def _known(self, seat: Seat | None, genotype: Genotype) -> Scored | None:
        """The score of a seat that was reached before, and that the study did not hear of.

        The process died in between, or lost the study's storage.
        """
        last = self._last
        return last if last and (last.seat, last.genotype) == (seat, genotype) else None

    def _settle(self, seat: Seat) -> None:
        """End the wait for a partner that did not come: the one that waits learns alone."""
        if self._waiting is None:
            return
        scored, trained = self._waiting
        if seat not in (scored.seat, scored.seat.partner):
            self.weights.commit(trained)
        if seat != scored.seat.partner:
            self._waiting = None

    def _commit(self, scored: Scored, trained: Trained, *, paired: bool) -> None:
        self._last = scored
        if not paired:
            self.weights.commit(trained)
        elif self._waiting is None:
            self._waiting = scored, trained
        else:
            # The sampler's rule: the first of the pair is the fast learner in a tie.
            (_, fast), (_, slow) = sorted(
                [self._waiting, (scored, trained)],
                key=lambda learner: (learner[0].loss, learner[0].seat),
            )
            self._waiting = None
            self.weights.commit_pair(fast, slow)

    def _save(self) -> None:
        if self._checkpoint is not None and self._last is not None:
            self._checkpoint.save(self.weights, Progress(last=self._last, waiting=self._waiting))


def _instance(name: str, value: object, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}; got {value!r}")
    return value


def _scored(place: Seat, genotype: Genotype, outcome: Outcome) -> Scored:
    return Scored(
        seat=place,
        genotype=genotype,
        loss=outcome.score.loss,
        accuracy=outcome.score.accuracy,
        train_loss=outcome.training.loss,
    )
