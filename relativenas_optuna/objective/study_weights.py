"""The shared weights of the study whose trials an objective scores."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
from relativenas_optuna.objective.checkpoints.ledger import store_of
from relativenas_optuna.objective.checkpoints.pointer import WEIGHTS_KEY, pointer_of
from relativenas_optuna.objective.shared_weights import SharedWeights
from relativenas_optuna.objective.trials import has_scores, warn_of_kept_scores
from relativenas_optuna.storages.study_attributes import StudyPointer, agreed

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    from optuna.artifacts._protocol import ArtifactStore

    from relativenas_optuna.objective.checkpoints.pointer import Pointer
    from relativenas_optuna.objective.weight_set import WeightSet

IDENTITY = "relative_nas:study"  # user attribute
SEED = "relative_nas:objective_seed"  # user attribute
IMAGES = "relative_nas:objective_images"  # user attribute
UNIFORM_EPOCHS = "relative_nas:objective_uniform_epochs"  # user attribute


class StudyWeights:
    """The shared weights of one study at a time, which must keep its seed and its images.

    Args:
        weights: Weight set of the objective.
        checkpoint: Place of the weights of every study, or the checkpoint of one study; None to
            keep the weights in memory.
        parse: Function that returns the architecture of a text.
        seed: Seed of the objective.
        images: Fingerprint of the objective's images.
        uniform_epochs: Epochs on uniform paths, see `SearchSettings`.

    Raises:
        OSError: The folder of the checkpoint cannot be made or written to.
        ValueError: The weights of the checkpoint are of another supernet, or cannot be read.
    """

    def __init__(
        self,
        weights: WeightSet,
        checkpoint: Checkpoint | ArtifactStore | str | Path | None,
        parse: Callable[[str], Any],
        *,
        seed: int,
        images: str,
        uniform_epochs: int = 0,
    ) -> None:
        self._weights, self._parse = weights, parse
        self._seed, self._images = seed, images
        self._uniform_epochs = uniform_epochs
        self._study: str | None = None
        self._place = None if isinstance(checkpoint, Checkpoint) else checkpoint
        given = checkpoint if isinstance(checkpoint, Checkpoint) else None
        if self._place is not None:
            store_of(self._place)  # creates the folder or raises now, not after hours of search
        self.shared = SharedWeights(weights, given, parse)
        self.shared.begin(None)  # raises now if the stored weights do not fit

    def open(self, study: optuna.Study) -> None:
        """Change to the shared weights of a study; do nothing for the same study again.

        Raises:
            DataError: The study was started with other images.
            ValueError: The study was started with another seed or number of epochs.
        """
        # A new study can have the name and number of a deleted one, so they do not identify it.
        key = str(agreed(study, IDENTITY, uuid4().hex))
        if self._study == key:
            return
        seed = agreed(study, SEED, self._seed)
        if seed != self._seed:
            raise ValueError(
                f"seed must be {seed}, with which study {study.study_name!r} was started: another "
                f"one divides the images otherwise, and weights would be scored with those that "
                f"they were trained on; got {self._seed}"
            )
        self._compare_images(study, agreed(study, IMAGES, self._images))
        epochs = agreed(study, UNIFORM_EPOCHS, self._uniform_epochs)
        if epochs != self._uniform_epochs:
            raise ValueError(
                f"uniform_epochs must be {epochs}, with which study {study.study_name!r} was "
                f"started, so that its scores compare; got {self._uniform_epochs}"
            )
        if self._study is not None:
            self.shared.leave()
        if self._place is not None:
            pointer: Pointer = (
                pointer_of(study, self._place)
                if isinstance(self._place, str | Path)
                else StudyPointer(study, WEIGHTS_KEY)
            )
            checkpoint = Checkpoint(self._place, pointer=pointer, search=key)
            self.shared = SharedWeights(self._weights, checkpoint, self._parse)
        # Weights of uniform paths are trained again to the same bits, and their scores compare.
        if self._uniform_epochs > 0:
            self._study = key
            return
        if self._study is None and not self.shared.kept and has_scores(study):
            warnings.warn(
                f"study {study.study_name!r} has scores, but the weights begin anew: give the "
                f"first objective and this one a checkpoint to go on with its weights",
                stacklevel=4,
            )
        warn_of_kept_scores(study)
        self._study = key

    def check_images(self, study: optuna.Study) -> None:
        """Raise `DataError` if the study was started with other images."""
        self._compare_images(study, study.user_attrs.get(IMAGES, self._images))

    def _compare_images(self, study: optuna.Study, stored: object) -> None:
        if stored != self._images:
            raise DataError(
                f"study {study.study_name!r} was started with other images, labels or class names: "
                f"its weights would be scored with images that they were trained on. Give the "
                f"images as they were then (by --data where they have another path now), or begin "
                f"a new study"
            )
