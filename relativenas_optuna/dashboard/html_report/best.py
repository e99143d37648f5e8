"""The best architectures of a study, formatted for the report."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relativenas_optuna._utils.json_data import finite
from relativenas_optuna.search.choice import best_architectures
from relativenas_optuna.search.study_facts import architecture_lines, best_trials, genotype_of
from relativenas_optuna.spaces.genotype import node_lines
from relativenas_optuna.spaces.space_genotype import cells_of
from relativenas_optuna.visualization.drawing._figure import draw_genotype
from relativenas_optuna.visualization.drawing._save import figure_bytes

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_LONGEST = 2000  # characters of a text from a trial, which any program can write


@dataclass(frozen=True, kw_only=True)
class Best:
    """One of the best architectures of a study, with its figures as texts.

    Attributes:
        trial: Number of the trial; None for an architecture that no trial scored.
        name: Name for people, by the trial.
        values: Values of the objectives; for a finalist the loss with the final weights.
        accuracy: Accuracy of a finalist in percent; empty for other trials.
        parameters: Number of parameters of the network; empty if unknown.
        multiply_adds: Multiply-adds of the network for one image; empty if unknown.
        text: Genotype, or the trial's parameters with one per line.
        drawing: Drawing of the two cells as a `data:` URL; None if the architecture has no cells.
    """

    trial: int | None
    name: str
    values: tuple[str, ...]
    accuracy: str
    parameters: str
    multiply_adds: str
    text: str
    drawing: str | None


def best_of(study: optuna.Study, top: int) -> list[Best]:
    """Return the best architectures of a study, or its best trials if they have no genotypes.

    Only feasible trials count without genotypes; with several objectives, only the Pareto front.

    Args:
        study: The study.
        top: Largest number of architectures, from 1.
    """
    trials = study.get_trials(deepcopy=False)
    try:
        ranked = best_architectures(study, for_show=True)
    except ValueError:  # texts that are not architectures
        ranked = {}
    if ranked:
        return [
            _best(
                None if one.trial is None else trials[one.trial],
                genotype,
                name=one.name,
                values=(f"{one.loss:.4f}",),
                accuracy="" if one.accuracy is None else f"{100 * one.accuracy:.2f} %",
            )
            for genotype, one in list(ranked.items())[:top]
            if one.trial is None or one.trial < len(trials)
        ]
    return [
        _best(
            trial,
            genotype_of(trial),
            name=f"trial {trial.number}",
            values=tuple(f"{value:.6g}" for value in trial.values),
        )
        for trial in best_trials(study)[:top]
    ]


def _best(
    trial: FrozenTrial | None,
    genotype: AnyGenotype | None,
    *,
    name: str,
    values: tuple[str, ...],
    accuracy: str = "",
) -> Best:
    cells = None if genotype is None else cells_of(genotype)
    return Best(
        trial=None if trial is None else trial.number,
        name=name,
        values=values,
        accuracy=accuracy,
        parameters=_count(trial, "parameters"),
        multiply_adds=_count(trial, "multiply_adds"),
        text=_lines(trial, genotype)[:_LONGEST],
        drawing=None if cells is None else drawing_of(cells),
    )


def _lines(trial: FrozenTrial | None, genotype: AnyGenotype | None) -> str:
    if trial is not None:
        return architecture_lines(trial)
    return "" if genotype is None else node_lines(genotype.to_text())


def drawing_of(genotype: Genotype) -> str:
    """Return an SVG drawing of the two cells of an architecture as a data URL.

    As a separate image, its ids and styles cannot collide with those of the page.
    """
    drawn = figure_bytes(lambda: draw_genotype(genotype), "svg")
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn).decode()}"


def _count(trial: FrozenTrial | None, name: str) -> str:
    number = None if trial is None else finite(trial.user_attrs.get(name))
    return "" if number is None else f"{number:,.0f}"
