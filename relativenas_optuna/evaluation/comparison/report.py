"""Write a comparison as a table, as Markdown and as JSON."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.text import duration
from relativenas_optuna.evaluation.comparison.figures import (
    FOUND,
    RANDOM,
    Compared,
    Training,
    beaten,
    deviation,
    differences,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS = (
    "architecture",
    "test accuracy, %",
    "validation, %",
    "parameters",
    "multiply-adds, M",
    "seconds",
)
TIMED_COLUMNS = (
    "network",
    "test accuracy, %",
    "params, M",
    "multiply-adds, M",
    "ms per image",
    "epochs",
    "seconds",
)
"""Columns with equal time; for the found architecture "seconds" is "search + training"."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A comparison of architectures that were trained with one recipe and the same seeds.

    Attributes:
        study: Name of the study of the search.
        data: Name or folder of the images.
        recipe: Fields of the recipe by name.
        seeds: Seeds of the trainings.
        baseline: Name of the study of the random search with shared weights; None if left out.
        compared: The architectures, exactly one of them of kind `FOUND`.
        seconds: Wall time that each architecture had for its training in seconds, and the found one
            for its search too; None if all trainings have the epochs of the recipe.
        search_seconds: Wall time of the search in seconds; None without `seconds`.
        held_out: True if training images were held out to test with.
    """

    study: str
    data: str
    recipe: Mapping[str, Any]
    seeds: tuple[int, ...]
    baseline: str | None
    compared: tuple[Compared, ...]
    seconds: float | None = None
    search_seconds: float | None = None
    held_out: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Titles of the columns of the table."""
        return COLUMNS if self.seconds is None else TIMED_COLUMNS

    def rows(self) -> list[tuple[str, ...]]:
        """Return the rows of the table, each with one text per column of `columns`.

        If there are several random architectures, two more rows show them as a group.
        """
        if self.search_seconds is not None:
            return [_timed_row(one, self.search_seconds) for one in self.compared]
        group = [one for one in self.compared if one.kind == RANDOM]
        rows = [_row(one) for one in self.compared]
        if len(group) < 2:
            return rows
        accuracies = [one.accuracy for one in group]
        validation = [statistics.fmean(one.validation) for one in group if one.validation]
        mean = [
            round(statistics.fmean(getattr(one, name) for one in group))
            for name in ("parameters", "multiply_adds", "seconds")
        ]
        costs = f"{mean[0]:,}", f"{mean[1] / 1e6:.2f}", f"{mean[2]:,}"
        of_all = (f"all {len(group)} random", _spread(accuracies), _spread(validation), *costs)
        return [*rows, of_all, ("best random", _percent(max(accuracies)), *[""] * 4)]

    def sentences(self) -> list[str]:
        """Return sentences on the found architecture and on the deviations in the table."""
        won, of = beaten(self.compared)
        words = [] if not of else [f"The found architecture beats {won} of {of} random ones."]
        words += [difference.meaning for difference in differences(self.compared)]
        return [
            *self._conditions(),
            *words,
            "A deviation (±) is the standard deviation of trainings over seeds; for all random "
            "ones together it is that of their means over architectures.",
        ]

    def _conditions(self) -> list[str]:
        """Return sentences on the time and the test images of a comparison with equal time."""
        if self.seconds is None or self.search_seconds is None:
            return []
        told = [
            f"Each network had about {duration(self.seconds)}; the search of the found one took "
            f"{duration(self.search_seconds)} of it."
        ]
        if self.held_out:
            told.append(
                "There are no test images, so a fifth of the images was held out of all trainings; "
                "the search has seen them."
            )
        return told

    def to_markdown(self) -> str:
        """Return the comparison as a Markdown page."""
        changed = ", ".join(f"{name} {value}" for name, value in self.recipe.items())
        lines = [
            f"# Was the search of study `{self.study}` worth it?",
            "",
            f"Data: {self.data}. Seeds: {', '.join(map(str, self.seeds))}.",
            "",
            _line(self.columns),
            _line(["---", *["---:"] * (len(self.columns) - 1)]),
            *map(_line, self.rows()),
            "",
            *(f"- {sentence}" for sentence in self.sentences()),
            "",
            f"Recipe: {changed}.",
        ]
        for one in self.compared:
            lines += ["", f"{one.name}:", "```", one.genotype, "```"]
        return "\n".join([*lines, ""])

    def to_data(self) -> dict[str, Any]:
        """Return the comparison as plain JSON data; accuracies are shares, 0 to 1."""
        won, of = beaten(self.compared)
        group = [one.accuracy for one in self.compared if one.kind == RANDOM]
        return {
            "study": self.study,
            "data": self.data,
            "recipe": dict(self.recipe),
            "seeds": list(self.seeds),
            "baseline": self.baseline,
            "time": self.seconds,
            "search_seconds": self.search_seconds,
            "held_out": self.held_out,
            "architectures": [_data(one) for one in self.compared],
            "random": {
                "count": of,
                "beaten": won,
                "mean": statistics.fmean(group) if group else None,
                "deviation": deviation(group),
                "best": max(group, default=None),
            },
            "differences": [
                asdict(difference) | {"sure": difference.is_sure}
                for difference in differences(self.compared)
            ],
        }


def training_line(name: str, training: Training) -> str:
    """Return one line on a training."""
    validation = training.validation_accuracy
    beside = "" if validation is None else f", validation {_percent(validation)} %"
    return (
        f"{name}, seed {training.seed}: test accuracy {_percent(training.test_accuracy)} %"
        f"{beside}, {training.seconds:.0f} s"
    )


def _row(one: Compared) -> tuple[str, ...]:
    return (
        one.name,
        _spread(one.accuracies),
        _spread(one.validation),
        f"{one.parameters:,}",
        f"{one.multiply_adds / 1e6:.2f}",
        f"{one.seconds:,.0f}",
    )


def _timed_row(one: Compared, search_seconds: float) -> tuple[str, ...]:
    return (
        one.name,
        _spread(one.accuracies),
        f"{one.parameters / 1e6:.3f}",
        f"{one.multiply_adds / 1e6:.2f}",
        "" if one.latency is None else f"{1000 * one.latency:.2f}",
        f"{one.epochs:,}",
        f"{search_seconds:.0f} + {one.seconds:.0f}" if one.kind == FOUND else f"{one.seconds:.0f}",
    )


def _data(one: Compared) -> dict[str, Any]:
    return asdict(one) | {
        "trainings": [asdict(training) for training in one.trainings],
        "accuracy": one.accuracy,
        "deviation": deviation(one.accuracies),
        "validation_accuracy": statistics.fmean(one.validation) if one.validation else None,
        "validation_deviation": deviation(one.validation),
        "seconds": one.seconds,
    }


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = deviation(values)
    mean = _percent(statistics.fmean(values))
    return mean if spread is None else f"{mean} ± {_percent(spread)}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
