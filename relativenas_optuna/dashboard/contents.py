"""Makes all that a dashboard is to show of a study at one moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from optuna_dashboard import save_plotly_graph_object

from relativenas_optuna.dashboard.drawings import add_drawing
from relativenas_optuna.dashboard.staged_attributes import Draft
from relativenas_optuna.dashboard.study_note import study_note
from relativenas_optuna.dashboard.trial_note import Best, trial_note
from relativenas_optuna.visualization._all import plot_all
from relativenas_optuna.visualization._seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    from optuna.artifacts._protocol import ArtifactStore

    from relativenas_optuna.dashboard.writer_lock import Written

NEWEST = 100  # trials that have a note
MOST_GENERATIONS = 1000  # of which the best has a note


def drafted(
    study: optuna.Study,
    written: Written,
    store: Callable[[], ArtifactStore | None],
    failed: Callable[[str, Exception], None],
    *,
    seconds: float,
) -> Draft:
    """The study's attributes as they are to be.

    Args:
        study: The study.
        written: What was given to the dashboard so far; the versions of the notes are kept there.
        store: Opens where drawings go; `None` for none.
        failed: Told what failed, and how, where the rest goes on without it.
        seconds: After which no further drawing is begun; those that are missing then come later.
    """
    attributes = study._storage.get_study_system_attrs(study._study_id)
    draft, seen = Draft(study, attributes), Seen.of(study)
    best = Best.of(seen.view, MOST_GENERATIONS)
    for name, figure in plot_all(seen).items():
        save_plotly_graph_object(draft.study, figure, graph_object_id=name)
    try:
        _draw(draft, seen, best, store, seconds)
    except Exception as error:
        failed("drawings", error)
    _note_trials(draft, seen, best, written)
    body = study_note(study, seen, best)
    written.study_note = draft.notes().put(None, body, written.study_note)
    return draft


def _note_trials(draft: Draft, seen: Seen, best: Best, written: Written) -> None:
    notes, ours = draft.notes(), dict[str, int]()
    newest = range(max(0, len(seen.trials) - NEWEST), len(seen.trials))
    for number in sorted({*newest, *best.generations}):
        trial = seen.trials[number]
        key = str(trial._trial_id)
        body = trial_note(trial, seen.view, best)
        for artifact in draft.artifacts(trial._trial_id) if number in best.generations else ():
            body += f"\n\n{_drawing(draft.study, trial._trial_id, artifact)}"
        version = notes.put(trial._trial_id, body, written.notes.get(key))
        if version is not None:
            ours[key] = version
    for key, version in written.notes.items():
        if key not in ours:
            notes.remove(int(key), version)
    written.notes = ours


def _drawing(study: optuna.Study, trial_id: int, artifact: str) -> str:
    """The drawing, or where the dashboard has none what may be the reason."""
    instead = "the drawing of its two cells, for which optuna-dashboard needs --artifact-dir"
    return f"![{instead}](/artifacts/{study._study_id}/{trial_id}/{artifact})"


def _draw(
    draft: Draft,
    seen: Seen,
    best: Best,
    opened: Callable[[], ArtifactStore | None],
    seconds: float,
) -> None:
    """Draw what is not drawn yet, the newest generation first."""
    missing = [
        generations[0]
        for number, generations in best.generations.items()
        if not draft.artifacts(seen.trials[number]._trial_id)
    ]
    if not missing or seen.view is None or (store := opened()) is None:
        return
    end = time.monotonic() + seconds
    for index in sorted(missing, reverse=True):
        drawn = add_drawing(draft, store, seen.view.generations, index, seen.trials)
        if drawn and time.monotonic() > end:
            return
