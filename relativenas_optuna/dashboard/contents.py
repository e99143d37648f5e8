"""Prepare the figures, drawings and notes that optuna-dashboard shows for a study."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from optuna_dashboard import save_plotly_graph_object

from relativenas_optuna.dashboard.drawings import add_drawing
from relativenas_optuna.dashboard.staged_attributes import StagedAttributes
from relativenas_optuna.dashboard.study_note import study_note
from relativenas_optuna.dashboard.trial_note import Best, trial_note
from relativenas_optuna.visualization._all import plot_all
from relativenas_optuna.visualization._snapshot import StudySnapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    from optuna.artifacts._protocol import ArtifactStore

    from relativenas_optuna.dashboard.state import DashboardState

NEWEST = 100  # trials that have a note
MOST_GENERATIONS = 1000  # of which the best has a note


def stage_contents(
    study: optuna.Study,
    state: DashboardState,
    store: Callable[[], ArtifactStore | None],
    failed: Callable[[str, Exception], None],
    *,
    seconds: float,
) -> StagedAttributes:
    """Return the study's system attributes with new figures, drawings and notes.

    Args:
        study: The study.
        state: State of the dashboard so far; the versions of its notes are updated.
        store: Function that opens the artifact store of the drawings, or returns None.
        failed: Called with "drawings" and the error if drawing failed; figures and notes are still
            prepared.
        seconds: Processor time in seconds after which no further drawing is started. A later call
            draws the missing ones.
    """
    attributes = study._storage.get_study_system_attrs(study._study_id)
    staged, seen = StagedAttributes(study, attributes), StudySnapshot.of(study)
    best = Best.of(seen.view, MOST_GENERATIONS)
    for name, figure in plot_all(seen).items():
        save_plotly_graph_object(staged.study, figure, graph_object_id=name)
    try:
        _draw(staged, seen, best, store, seconds)
    except Exception as error:
        failed("drawings", error)
    _note_trials(staged, seen, best, state)
    body = study_note(study, seen, best)
    state.study_note = staged.put_note(None, body, state.study_note)
    return staged


def _note_trials(
    staged: StagedAttributes, seen: StudySnapshot, best: Best, state: DashboardState
) -> None:
    ours: dict[str, int] = {}
    newest = range(max(0, len(seen.trials) - NEWEST), len(seen.trials))
    for number in sorted({*newest, *best.generations}):
        trial = seen.trials[number]
        key = str(trial._trial_id)
        body = trial_note(trial, seen.view, best)
        for artifact in staged.artifacts(trial._trial_id) if number in best.generations else ():
            body += f"\n\n{_drawing(staged.study, trial._trial_id, artifact)}"
        version = staged.put_note(trial._trial_id, body, state.notes.get(key))
        if version is not None:
            ours[key] = version
    for key, version in state.notes.items():
        if key not in ours:
            staged.remove_note(int(key), version)
    state.notes = ours


def _drawing(study: optuna.Study, trial_id: int, artifact: str) -> str:
    """Return the Markdown of a drawing, with a text that says why it may be missing."""
    instead = "the drawing of its two cells, for which optuna-dashboard needs --artifact-dir"
    return f"![{instead}](/artifacts/{study._study_id}/{trial_id}/{artifact})"


def _draw(
    staged: StagedAttributes,
    seen: StudySnapshot,
    best: Best,
    opened: Callable[[], ArtifactStore | None],
    seconds: float,
) -> None:
    """Draw what is not drawn yet, the newest generation first."""
    missing = [
        generations[0]
        for number, generations in best.generations.items()
        if not staged.artifacts(seen.trials[number]._trial_id)
    ]
    if not missing or seen.view is None or (store := opened()) is None:
        return
    end = time.process_time() + seconds  # other workers may take most of the processors
    for index in sorted(missing, reverse=True):
        drawn = add_drawing(staged, store, seen.view.generations, index, seen.trials)
        if drawn and time.process_time() > end:
            return
