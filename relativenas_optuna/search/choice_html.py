"""Show the result of a search in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.visualization._notebook import architecture_html, table_html

if TYPE_CHECKING:
    from relativenas_optuna.search.choice import Choice


def choice_html(choice: Choice) -> str:
    """Return a table of the finalists, and the winner's cells, as HTML."""
    lines = (str(finalist).split(": ", 1) for finalist in choice.finalists)
    rows = {f"{place}. {name}": score for place, (name, score) in enumerate(lines, start=1)}
    title = f"Result of the search: {choice.winner.name}"
    return table_html(rows) + architecture_html(choice.winner.genotype, title)
