"""The learning curve of a training as a figure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relativenas_optuna.evaluation.standalone.result import Epoch


def curve(history: Sequence[Epoch], title: str) -> bytes:
    """Loss and error over the epochs, as PNG.

    Args:
        history: All epochs from the first; at least one.
        title: What was trained.
    """
    # It takes a second to import, and not all that use this package draw.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    # Dollars and the like in a name are no formula.
    figure.suptitle(title, fontsize=10, parse_math=False)
    numbers = [epoch.epoch + 1 for epoch in history]
    for axes, name, unit in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), ("loss, nats", "accuracy, %"), strict=True
    ):
        scale = 100 if name == "accuracy" else 1
        for part in ("training", "validation"):
            values = [getattr(epoch, f"{part}_{name}") for epoch in history]
            if None not in values:
                marker = "o" if len(values) == 1 else ""
                axes.plot(numbers, [scale * v for v in values], marker=marker, label=part)
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    return content.getvalue()
