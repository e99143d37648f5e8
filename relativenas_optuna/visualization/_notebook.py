"""Show genotypes and searches in notebooks, as SVG and HTML."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING

from relativenas_optuna.spaces.space_genotype import cells_of, genotype_from_text
from relativenas_optuna.visualization.drawing._figure import draw_genotype
from relativenas_optuna.visualization.drawing._save import figure_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relativenas_optuna.samplers.search_view import SearchView
    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.spaces.space_genotype import AnyGenotype


def genotype_svg(genotype: Genotype, *, title: str | None = None) -> str:
    """Return the drawing of an architecture as an SVG element that fits the width of a page.

    Args:
        genotype: The architecture.
        title: Line above the drawing.
    """
    svg = figure_bytes(lambda: draw_genotype(genotype, title=title), "svg").decode()
    # An element inside HTML has no XML declaration.
    return svg[svg.index("<svg ") :].replace("<svg ", '<svg style="max-width:100%" ', 1)


def architecture_html(genotype: AnyGenotype, title: str) -> str:
    """Return the drawing of an architecture, or its text if it is not a pair of cells."""
    cells = cells_of(genotype)
    if cells is None:
        return f"<p><b>{escape(title)}</b></p><pre>{escape(genotype.to_text())}</pre>"
    return genotype_svg(cells, title=title)


def table_html(rows: Mapping[str, object]) -> str:
    """Return an HTML table with a row for each name and its value, both escaped."""
    cells = (
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{''.join(cells)}</table>"


def search_view_html(view: SearchView) -> str:
    """Return the facts of a search, and the best architecture of its newest scored generation."""
    rows: dict[str, object] = {
        "study": view.study,
        "sampler": view.sampler if view.preset is None else f"{view.sampler}, {view.preset}",
        "population size": view.population_size,
        "complete generations": sum(generation.complete for generation in view.generations),
        "seats": f"{view.scored} scored, {view.running} running, {view.failed} failed",
    }
    if view.limits:
        rows["limits"] = ", ".join(f"{name} {most:g}" for name, most in view.limits.items())
    best = view._best
    if best is None:
        return table_html(rows)
    newest = max(g.index for g in view.generations if g.best is not None)
    name = f"best of generation {newest}"
    rows[name] = f"trial {best.number}: {', '.join(f'{value:.6g}' for value in best.values or ())}"
    text = best.user_attrs.get("genotype")
    with suppress(ValueError):  # another program wrote the attribute
        if isinstance(text, str):
            genotype = genotype_from_text(text, None)
            return table_html(rows) + architecture_html(genotype, f"Trial {best.number}, {name}")
    rows["its parameters"] = ", ".join(f"{key} = {value!r}" for key, value in best.params.items())
    return table_html(rows)
