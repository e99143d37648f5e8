"""The note of a study: how to continue it, its progress and its best architecture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna.dashboard.markdown import block, table, text, wide_table
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.finals.progress import readable_finals
from relativenas_optuna.search.finals.table import finals_headings, finals_rows, target_text
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.search.resume_command import command
from relativenas_optuna.search.study_facts import architecture_lines
from relativenas_optuna.spaces.genotype import node_lines
from relativenas_optuna.storages.transactions import database_of

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.dashboard.trial_note import Best
    from relativenas_optuna.visualization._snapshot import StudySnapshot

_MOST_LISTED = 20  # generations


def study_note(study: optuna.Study, seen: StudySnapshot, best: Best) -> str:
    """Return the note of a study as Markdown.

    Args:
        study: The study.
        seen: Snapshot of the study.
        best: Best trials of the complete generations.
    """
    plan, choice = _kept(study)
    architecture, what = _best(seen, best, choice)
    parts = [f"### How to continue\n\n{_going_on(study, plan)}", _progress(seen, plan)]
    if what:
        parts.append(f"### {what}\n\n{block(architecture)}")
    if choice is not None and choice.finals is not None:
        shown = wide_table(finals_headings(choice), finals_rows(choice))
        ranked = f"Networks trained stand-alone, {target_text(choice.finals)}."
        parts.append(f"### The finals\n\n{ranked}\n\n{shown}")
    elif (running := _finals(study, plan)) is not None:
        parts.append(running)
    listed = _listed(study, seen, best)
    if listed:
        parts.append(f"### The best of each generation\n\n{listed}")
    parts.append(
        "Figures of the search are on the first page of the study; the note of the best trial of "
        "each generation shows its two cells."
    )
    return "\n\n".join(part for part in parts if part)


def _kept(study: optuna.Study) -> tuple[SearchPlan | None, Choice | None]:
    try:
        plan, choice = SearchPlan.stored_in(study), Choice.stored_in(study)
    except SearchError:
        return None, None  # any program can write attributes; the command itself reports the error
    if choice is not None and plan is not None and not choice.is_of(plan):
        choice = None  # it was made with weights that have been trained since
    return plan, choice


def _going_on(study: optuna.Study, plan: SearchPlan | None) -> str:
    try:
        url = database_of(study._storage).engine.url
        storage = without_password(url.render_as_string(hide_password=True))
    except TypeError:
        return "Run the program of the search again: all scores are kept in the study."
    if plan is None:
        lines = [
            f"study = optuna.load_study(study_name={study.study_name!r}, storage={storage!r})",
            "study.optimize(objective, n_trials=100)",
        ]
        return block("\n".join(lines), "python")
    hidden = "\n\n(\\*\\*\\* stands for the password)" if "***" in storage else ""
    return (
        "The same command continues the search, in the folder where it was started:\n\n"
        f"{block(command('search', storage=storage, study=study.study_name), 'sh')}{hidden}"
    )


def _progress(seen: StudySnapshot, plan: SearchPlan | None) -> str:
    if seen.view is None:
        return (
            "No trial of this study has a seat in a generation, because another sampler made them: "
            "there are no pairs and no diversity to show."
        )
    complete = sum(generation.complete for generation in seen.view.generations)
    of = f" of {plan.settings.generations}" if plan else ""
    words = f"{seen.view.sampler}: **{complete}{of} generations are complete**"
    words += f", of {seen.view.population_size} members"
    failed = f"; {seen.view.failed} seats count as failed" if seen.view.failed else ""
    return f"{words}{failed}."


def _finals(study: optuna.Study, plan: SearchPlan | None) -> str | None:
    """Return the progress of finals that are not finished; None if there are none."""
    record = None if plan is None else readable_finals(study, plan)
    if record is None or not record.total:
        return None
    return f"The finals: **{len(record.trainings)} of {record.total} trainings are done**."


def _best(seen: StudySnapshot, best: Best, choice: Choice | None) -> tuple[str, str]:
    """Return the lines of the best architecture, and a heading; empty if nothing is scored."""
    if choice is not None:
        winner = choice.winner
        alone = winner.ranked.standalone
        won = "" if alone is None else f"accuracy {100 * alone:.2f} % trained stand-alone; "
        return node_lines(winner.genotype.to_text()), (
            f"What the search found: {winner.name}, {won}scored again with the final weights: "
            f"loss {winner.loss:.4f}, accuracy {100 * winner.accuracy:.2f} %"
        )
    newest = max(best.generations, key=lambda n: best.generations[n][-1], default=None)
    if newest is None:
        return "", ""
    trial = seen.trials[newest]
    generation = best.generations[newest][-1]
    return architecture_lines(
        trial
    ), f"The best of generation {generation}: trial {newest}{_value(trial, seen)}"


def _value(trial: FrozenTrial, seen: StudySnapshot) -> str:
    if trial.values is None or not all(map(math.isfinite, trial.values)):
        return ""
    pairs = zip(seen.labels, trial.values, strict=True)
    return f", {', '.join(f'{text(label)} {value:.4g}' for label, value in pairs)}"


def _listed(study: optuna.Study, seen: StudySnapshot, best: Best) -> str:
    by_generation = {g: number for number, several in best.generations.items() for g in several}
    rows = {}
    for generation in sorted(by_generation, reverse=True)[:_MOST_LISTED]:
        number = by_generation[generation]
        link = f"/dashboard/studies/{study._study_id}/trials?numbers={number}"
        rows[f"{generation}"] = f"[trial {number}]({link}){_value(seen.trials[number], seen)}"
    if not rows:
        return ""
    left = len(by_generation) - len(rows)
    return table(rows) + (f"\n\nand {left} earlier ones" if left else "")
