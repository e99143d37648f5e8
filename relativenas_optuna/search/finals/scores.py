"""The score of an architecture in the finals."""

from __future__ import annotations

from dataclasses import dataclass

from relativenas_optuna._utils.checked_fields import Finite, Share


@dataclass(frozen=True, kw_only=True)
class RungScore:
    """Score of an architecture on the validation images after a rung.

    Attributes:
        loss: Cross-entropy in nats; None if the training diverged or failed.
        accuracy: Share of images that are classified correctly, 0 to 1; 0 if it diverged.
    """

    loss: Finite | None
    accuracy: Share

    @property
    def diverged(self) -> bool:
        """True if the training diverged or failed."""
        return self.loss is None


DIVERGED = RungScore(loss=None, accuracy=0.0)
