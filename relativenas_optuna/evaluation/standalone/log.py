"""Log a training as JSON lines, for TensorBoard, and as a learning curve."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from torch.utils.tensorboard import SummaryWriter

    from relativenas_optuna.evaluation.standalone.result import Epoch

LINES, EVENTS, CURVE = "log.jsonl", "tensorboard", "curve.png"
_BETWEEN_CURVES = 30.0  # seconds; drawing a curve takes about half a second


class Log:
    """The log of a training in its folder.

    At the start the log is written anew from the history, since a process that was killed may
    have logged an epoch twice or not at all.

    Args:
        folder: Folder of the training.
        title: Title of the curve.
        writes: True if this process writes; one of several processes does.
    """

    def __init__(self, folder: Path, title: str, *, writes: bool = True) -> None:
        self._folder, self._title, self._writes = folder, title, writes
        self._history: Sequence[Epoch] = ()
        self._writer: SummaryWriter | None = None
        self._drawn = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._history:
            self._draw()

    def begin(self, history: Sequence[Epoch]) -> None:
        """Write the log of the epochs in `history`, to which the training then adds epochs."""
        if not self._writes:
            return
        from torch.utils.tensorboard import SummaryWriter

        events = self._folder / EVENTS
        if events.is_dir():
            for file in events.glob("events.out.tfevents.*"):
                file.unlink()
        self._writer = SummaryWriter(str(events))
        self._history = history
        for epoch in history:
            self._add(epoch)
        self._write_lines()

    def after(self) -> None:
        """Log the last epoch of the history."""
        if not self._writes:
            return
        self._add(self._history[-1])
        self._write_lines()
        if monotonic() - self._drawn > _BETWEEN_CURVES:
            self._draw()

    def _draw(self) -> None:
        write_whole(self._folder / CURVE, _curve(self._history, self._title))
        self._drawn = monotonic()

    def _add(self, epoch: Epoch) -> None:
        assert self._writer is not None
        for name, value in asdict(epoch).items():
            if name in ("epoch", "validation_figures") or value is None:
                continue
            part, _, figure = name.partition("_")
            tag = f"{figure}/{part}" if figure in ("loss", "accuracy") else name
            self._writer.add_scalar(tag, value, epoch.epoch)
        for name, value in (epoch.validation_figures or {}).items():
            self._writer.add_scalar(f"{name}/validation", value, epoch.epoch)
        self._writer.flush()

    def _write_lines(self) -> None:
        lines = "".join(f"{json.dumps(asdict(epoch))}\n" for epoch in self._history)
        write_whole(self._folder / LINES, lines.encode())


def _curve(history: Sequence[Epoch], title: str) -> bytes:
    """Draw the loss, and the accuracy or the task's main figure, over the epochs, as a PNG.

    Args:
        history: All epochs from the first, at least one.
        title: Title of the figure.
    """
    # The import takes a second, and few programs draw.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    # A dollar sign in a name does not start a formula.
    figure.suptitle(title, fontsize=10, parse_math=False)
    numbers = [epoch.epoch + 1 for epoch in history]
    figures = [epoch.validation_figures or {} for epoch in history]
    main = next(iter(figures[0]), None)
    classifies = history[0].training_accuracy is not None
    second = "accuracy, %" if classifies else main or ""
    for axes, name, unit in zip(
        figure.subplots(1, 2 if second else 1, squeeze=False)[0],
        ("loss", "accuracy"),
        ("loss, nats" if classifies else "loss", second),
        strict=False,
    ):
        scale = 100 if name == "accuracy" else 1
        curves: dict[str, list[Any]] = {
            part: [getattr(epoch, f"{part}_{name}") for epoch in history]
            for part in ("training", "validation")
        }
        if name == "accuracy" and main is not None:
            scale, curves = 1, {"validation": [found[main] for found in figures]}
        for part, values in curves.items():
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
