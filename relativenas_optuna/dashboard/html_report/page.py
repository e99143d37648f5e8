"""Write the report of a study as one self-contained HTML page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna.dashboard.html_report.best import best_of
from relativenas_optuna.dashboard.html_report.facts import (
    environment,
    overview,
    search_command,
    settings,
)
from relativenas_optuna.dashboard.html_report.figures import figures_of
from relativenas_optuna.search.choice import readable_choice, readable_plan
from relativenas_optuna.search.finals.table import finals_headings, finals_rows, target_text
from relativenas_optuna.search.status import status_of
from relativenas_optuna.spaces.names import network_size
from relativenas_optuna.visualization._snapshot import StudySnapshot
from relativenas_optuna.visualization._style import GRID, INK, PALE

if TYPE_CHECKING:
    from pathlib import Path

    import optuna


def write_report(study: optuna.Study, path: Path, *, storage: str, made_by: str, top: int) -> None:
    """Write a study as one HTML page, whole or not at all; nothing is written to the study.

    The page shows the best cells, figures, settings and environment. If a study of another sampler
    or program lacks one of them, the page says so in its place.

    Args:
        study: Study to show.
        path: Path of the page; an existing file is replaced.
        storage: URL of the study's storage; its password is not shown.
        made_by: Command that makes the report, shown on the page.
        top: Number of best architectures to show, from 1.

    Raises:
        OSError: The page cannot be written.
    """
    write_whole(path, page_of(study, storage=storage, made_by=made_by, top=top).encode())


def page_of(study: optuna.Study, *, storage: str, made_by: str, top: int) -> str:
    """Return the page of `write_report` as HTML."""
    status, plan, seen = status_of(study), readable_plan(study), StudySnapshot.of(study)
    best, figures = best_of(study, top), figures_of(study, seen)
    surroundings = Environment(
        loader=PackageLoader("relativenas_optuna.dashboard.html_report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def own(name: str) -> Markup:
        """Return one of our own files, which is markup and is not escaped."""
        assert surroundings.loader is not None
        return Markup(surroundings.loader.get_source(surroundings, name)[0])

    return surroundings.get_template("page.html").render(
        status=status,
        storage=without_password(storage),
        overview=overview(status),
        best=best,
        finals=_finals(study) if status.finished else None,
        has_accuracy=any(one.accuracy for one in best),
        has_cost=any(one.parameters for one in best),
        has_drawings=any(one.drawing for one in best),
        # Losses may be those of trials or those with the final weights, so no direction is named.
        value_names=["loss"] if plan is not None else _value_names(status.directions),
        figures=figures,
        figures_data={figure.name: figure.data for figure in figures if not figure.why},
        # The figures' colours are made for white paper; the page replaces them in dark mode.
        colours={INK: "--ink", PALE: "--pale", GRID: "--line"},
        settings=settings(plan, seen.view),
        environment=environment(),
        search_command=search_command(plan, storage=storage, study=study.study_name),
        made_by=made_by,
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=own("style.css"),
        script=own("figures.js"),
        plotly=Markup(get_plotlyjs()),
    )


def _finals(study: optuna.Study) -> dict[str, object] | None:
    """Return the table of a finished search's finals; None without finals."""
    choice = readable_choice(study)
    if choice is None or choice.finals is None:
        return None
    return {
        "size": network_size(
            choice.space, cells=choice.finals.cells, channels=choice.finals.channels
        ),
        "target": target_text(choice.finals),
        "headings": finals_headings(choice),
        "rows": finals_rows(choice),
    }


def _value_names(directions: tuple[str, ...]) -> list[str]:
    if len(directions) == 1:
        return [f"value ({directions[0]}d)"]
    return [f"objective {n} ({direction}d)" for n, direction in enumerate(directions)]
