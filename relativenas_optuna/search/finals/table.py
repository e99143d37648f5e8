"""The finals of a search as a table of texts, for the terminal, the dashboard and the report."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from relativenas_optuna.search.finals.settings import FULL

if TYPE_CHECKING:
    from relativenas_optuna.search.choice import Choice
    from relativenas_optuna.search.finals.settings import FinalsSettings

_TARGETS = {
    "small": (
        "ranked for a network of about this size (--for small), by the validation loss. Short "
        "trainings of small networks underrate large architectures: for a network that is trained "
        "long and at full size, pass --for full"
    ),
    FULL: (
        "ranked for a network that is trained long and at full size (--for full), by the "
        "validation loss and the number of parameters together, because short trainings of small "
        "networks underrate large architectures. For a network of about this size, pass --for "
        "small"
    ),
}


def finals_headings(choice: Choice) -> tuple[str, ...]:
    """Return the headings of the table of a choice that finals made."""
    after = [
        f"after {epochs} epoch{'s' if epochs > 1 else ''}" for epochs in accumulate(choice.epochs)
    ]
    return ("rank", "architecture", *after, "parameters", "shared loss", "chosen by")


def finals_rows(choice: Choice) -> list[tuple[str, ...]]:
    """Return a row for each finalist: accuracy and loss after each rung, and more columns."""
    rows = []
    for rank, finalist in enumerate(choice.finalists, start=1):
        accuracies = [
            "diverged" if score.loss is None else f"{100 * score.accuracy:.2f} % ({score.loss:.3f})"
            for score in finalist.finals
        ]
        missing = [""] * (len(choice.epochs) - len(accuracies))
        parameters = "" if finalist.parameters is None else f"{finalist.parameters:,}"
        rows.append(
            (
                f"{rank}",
                finalist.name,
                *accuracies,
                *missing,
                parameters,
                f"{finalist.loss:.4f}",
                finalist.chosen_by,
            )
        )
    return rows


def target_text(settings: FinalsSettings) -> str:
    """Return one line about the target of the finals, and when to choose the other one."""
    return _TARGETS[settings.target]
