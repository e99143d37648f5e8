"""Output of `relativenas evaluate` for other tasks than classification."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.cli.output.evaluation import latency_lines
from relativenas_optuna.spaces.names import network_size
from relativenas_optuna.spaces.space_genotype import space_of

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from relativenas_optuna.evaluation.tasks.measuring import TaskMeasured
    from relativenas_optuna.networks.io.description import NetworkDescription

TASK_FILES = ("evaluation.json", "predictions.png")


@dataclass(frozen=True, kw_only=True)
class TaskEvaluationReport:
    """The report of an evaluation of a task's network.

    Attributes:
        file: Path of the network's file, for display.
        description: Description of the network.
        protocol: One line that says how the figures are measured.
        data: Folder of the images.
        part: "test", "validation" or "training".
        device: Device of the measurement.
        measured: Measured figures.
        drawn: Some drawn predictions.
    """

    file: str
    description: NetworkDescription
    protocol: str
    data: str
    part: str
    device: str
    measured: TaskMeasured
    drawn: list[Image]

    def to_data(self) -> dict[str, Any]:
        """Return all figures as JSON data."""
        return {
            "network": self.file,
            "task": self.description.task,
            "protocol": self.protocol,
            "data": self.data,
            "part": self.part,
            "device": self.device,
            "classes": list(self.description.classes),
            **self.measured.to_data(),
        }

    def lines(self) -> list[str]:
        """Return all figures as lines of text."""
        of, found = self.description, self.measured
        names = [*found.figures, "latency"]
        width = max(map(len, names)) + 2
        size = network_size(space_of(of.genotype), cells=of.cells, channels=of.channels)
        return [
            f"{self.file}: {of.task}, backbone of {size}, {len(of.classes)} classes",
            f"{found.images:,} {self.part} images of {self.data}; {self.protocol}",
            "",
            *(f"{name:<{width}}{value:.4f}" for name, value in found.figures.items()),
            f"{'cost':<{width}}{found.cost.parameters:,} parameters, "
            f"{found.cost.multiply_adds:,} multiply-adds for {of.size[1]}x{of.size[0]} pixels",
            *latency_lines(found.latencies, self.device, width),
        ]

    def write(self, folder: Path) -> None:
        """Write `TASK_FILES` into an existing folder."""
        text = json.dumps(self.to_data(), indent=1, allow_nan=False)
        write_whole(folder / TASK_FILES[0], f"{text}\n".encode())
        content = io.BytesIO()
        _column(self.drawn).save(content, format="png")
        write_whole(folder / TASK_FILES[1], content.getvalue())


def _column(images: list[Image]) -> Image:
    """Return images below each other, on white."""
    from PIL import Image as module

    whole = module.new(
        "RGB",
        (max(image.width for image in images), sum(image.height for image in images)),
        "white",
    )
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    return whole
