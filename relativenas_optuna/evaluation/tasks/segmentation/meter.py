"""Mean intersection over union of segmentations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relativenas_optuna.evaluation.tasks.segmentation.folders import IGNORED
from relativenas_optuna.exceptions import TaskError

if TYPE_CHECKING:
    from torch import Tensor


class IoUMeter:
    """The intersection over union (IoU) of each class, by torchmetrics; see `Meter`.

    The protocol is that of Cityscapes: pixels of all images are counted together, at the size of
    the masks, from one pass at a single scale without mirror images. Pixels without a class do not
    count. The mean is over the classes that occur in a mask or a prediction.

    Args:
        classes: Names of the classes.

    Raises:
        TaskError: torchmetrics is not installed.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        try:
            from torchmetrics.classification import MulticlassJaccardIndex
        except ImportError as error:
            raise TaskError(
                "segmentation is measured by torchmetrics: pip install 'relativenas-optuna[tasks]'"
            ) from error
        self._classes = classes
        self._metric: Any = MulticlassJaccardIndex(
            # torchmetrics needs two classes; the second one of a single class never occurs.
            max(2, len(classes)),
            ignore_index=IGNORED,
            validate_args=False,
            sync_on_compute=False,
        )

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add a batch; predictions and targets are the classes of pixels, `[b, h, w]`."""
        self._metric.update(predictions.cpu().long(), targets.cpu().long())

    def merge(self, other: IoUMeter) -> None:
        """Add the pixels of another meter."""
        self._metric.confmat += other._metric.confmat
        self._metric._update_count += other._metric._update_count

    def result(self) -> dict[str, float]:
        """Return the mean IoU, the share of right pixels, and the IoU of classes in masks."""
        counts = self._metric.confmat.double()
        right = counts.diagonal()
        true = counts.sum(1)
        union = counts.sum(0) + true - right
        figures = {
            # torchmetrics gives NaN if no pixel has a class.
            "mIoU": float(self._metric.compute()) if union.any() else 0.0,
            "pixel accuracy": float(right.sum() / max(1.0, float(counts.sum()))),
        }
        for number, name in enumerate(self._classes):
            if true[number]:
                figures[f"IoU of {name}"] = float(right[number] / union[number])
        return figures
