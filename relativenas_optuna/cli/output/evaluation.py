"""Output of `relativenas evaluate`, in the terminal and in files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.spaces.names import network_size
from relativenas_optuna.spaces.published_cells import published
from relativenas_optuna.spaces.space_genotype import space_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from relativenas_optuna.evaluation.measurement.latency import Latency
    from relativenas_optuna.evaluation.measurement.measure import Measured
    from relativenas_optuna.networks.io.description import NetworkDescription

_WIDTH = 11
FILES = ("evaluation.json", "confusion.png")
_MOST_CONFUSED = 5
# Test errors in percent, and multiply-adds apart the sizes, of Tan et al. 2021.
_PUBLISHED = {"cifar10": (36, 20, 2.26), "cifar100": (36, 20, 15.86), "imagenet": (46, 14, 24.88)}


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """The report of an evaluation.

    Attributes:
        file: Path of the network's file, for display.
        taken_for: Line about assumptions on the network; None without any, see `NetworkIn`.
        description: Description of the network, with the names of the data's classes.
        data: Name or folder of the images.
        part: "test", "validation" or "training".
        side: Width and height of the images in pixels, such as "32x32".
        device: Device of the measurement.
        measured: Measured figures.
    """

    file: str
    taken_for: str | None
    description: NetworkDescription
    data: str
    part: str
    side: str
    device: str
    measured: Measured

    @property
    def published_error(self) -> float | None:
        """Test error in percent that the paper reports for this network and data.

        It is None if the paper has no figure for them.
        """
        of = self.description
        channels, cells, error = _PUBLISHED[of.dataset]
        same = (of.genotype, of.channels, of.cells) == (published("RelativeNAS"), channels, cells)
        # A folder of ImageNet can have any name, so the number of classes decides.
        there = len(of.classes) == 1000 if of.dataset == "imagenet" else self.data == of.dataset
        return error if same and there and self.part == "test" else None

    def to_data(self) -> dict[str, Any]:
        """Return all figures as JSON data; `error` and `published_error` are shares, 0 to 1."""
        known = self.published_error
        return {
            "network": self.file,
            "data": self.data,
            "part": self.part,
            "device": self.device,
            "classes": list(self.description.classes),
            **self.measured.to_data(),
            "published_error": None if known is None else round(known / 100, 6),
        }

    def lines(self) -> list[str]:
        """Return all figures as lines of text."""
        of, found = self.description, self.measured
        scored = found.scored
        top5 = "" if found.top5 is None else f", top-5 {100 * found.top5:.2f} %"
        known = self.published_error
        error = "" if known is None else f"; published: {known:.2f} %"
        size = network_size(space_of(of.genotype), cells=of.cells, channels=of.channels)
        lines = [
            f"{self.file}: {size}, {len(of.classes)} classes",
            *([] if self.taken_for is None else [self.taken_for]),
            f"{scored.count:,} {self.part} images of {self.data}, {self.side}",
            "",
            f"accuracy   {100 * scored.accuracy:.2f} %{top5}",
            f"error      {100 * found.error:.2f} % "
            f"({round(found.error * scored.count):,} of {scored.count:,}){error}",
            f"loss       {scored.loss:.4f}",
            f"cost       {found.cost.parameters:,} parameters, "
            f"{found.cost.multiply_adds:,} multiply-adds an image",
            *latency_lines(found.latencies, self.device, _WIDTH),
        ]
        pairs = found.most_confused(_MOST_CONFUSED)
        for number, pair in enumerate(pairs):
            true, taken = of.classes[pair.true], of.classes[pair.taken]
            lines.append(
                f"{'' if number else 'confused':<10} {pair.count:,} of {pair.of:,} {true!r} "
                f"taken for {taken!r}"
            )
        return lines

    def write(self, folder: Path) -> None:
        """Write `FILES` into an existing folder."""
        from relativenas_optuna.visualization.drawing._confusion import draw_confusion
        from relativenas_optuna.visualization.drawing._save import save_figure

        text = json.dumps(self.to_data(), indent=1, allow_nan=False)
        write_whole(folder / FILES[0], f"{text}\n".encode())
        scored = self.measured.scored
        save_figure(
            lambda: draw_confusion(
                self.measured.confusion,
                self.description.classes,
                title=f"{100 * scored.accuracy:.2f} % classified right",
                note=f"{scored.count:,} {self.part} images of {self.data}",
            ),
            folder / FILES[1],
        )


def latency_lines(latencies: Sequence[Latency], device: str, width: int) -> list[str]:
    """Return a line for each measured latency.

    Args:
        latencies: The measured latencies.
        device: Device of the measurement.
        width: Width of the names at the beginning of the lines.
    """
    threads = latencies[0].threads
    counted = f", {threads} thread{'s' if threads > 1 else ''}"
    where = f"; device {device}{counted if device == 'cpu' else ''}"
    return [
        f"{'' if number else 'latency':<{width}}{_latency(one)}{'' if number else where}"
        for number, one in enumerate(latencies)
    ]


def _latency(of: Latency) -> str:
    images = f"{of.batch_size} image{'s' if of.batch_size > 1 else ''}"
    spread = f"{1000 * of.interquartile_range:.2f}"
    return f"{images}: {1000 * of.median:.2f} ms (interquartile range {spread} ms)"
