"""Contents that optuna-dashboard would show of a study, read by its own functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from optuna_dashboard._note import get_note_from_system_attrs
from optuna_dashboard.artifact._backend import list_trial_artifacts

if TYPE_CHECKING:
    import optuna

FIGURES = {
    f"relativenas-{n}" for n in ("generations", "diversity", "operations", "costs", "fast-learners")
}


def attributes(study: optuna.Study) -> dict[str, Any]:
    return study._storage.get_study_system_attrs(study._study_id)


def figures(study: optuna.Study) -> dict[str, dict[str, Any]]:
    found = get_plotly_graph_objects(attributes(study))
    return {name: json.loads(text) for name, text in found.items()}


def note(study: optuna.Study, number: int | None = None) -> str:
    """Return the note of a trial, or of the study."""
    trial_id = None if number is None else study.trials[number]._trial_id
    body: str = get_note_from_system_attrs(attributes(study), trial_id)["body"]
    return body


def noted(study: optuna.Study) -> list[int]:
    """Return the numbers of the trials that have a note."""
    return [number for number in range(len(study.trials)) if note(study, number)]


def artifacts(study: optuna.Study, number: int) -> list[dict[str, Any]]:
    trial = study.trials[number]
    found: list[dict[str, Any]] = list_trial_artifacts(attributes(study), trial.system_attrs, trial)
    return found
