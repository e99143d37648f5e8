"""Choose the result of a search: its best candidates, evaluated again with the final weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.candidates import Candidates
from relativenas_optuna.search.choice import FINALISTS, Choice, Finalist
from relativenas_optuna.spaces.space_genotype import genotype_from_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.search.finals.records import Entrant, FinalsRecord
    from relativenas_optuna.search.plan import SearchPlan


def chosen(
    objective: SupernetObjective[Any],
    population: Population,
    plan: SearchPlan,
    study_name: str,
    on_scored: Callable[[], None],
) -> Choice:
    """Return the result of a search without finals, whose generations are scored.

    Args:
        objective: Objective with the final weights.
        population: The generations.
        plan: Plan of the search.
        study_name: Name of the study, for the error message.
        on_scored: Called after each evaluation.

    Raises:
        SearchError: No candidate has a finite loss.
    """
    space = objective.space
    candidates = Candidates(population, plan, space)
    best = candidates.best(FINALISTS, first=plan.first_generation)
    expected = candidates.most_likely()
    if expected is not None:
        best.setdefault(expected, candidates.trial_of(expected))
    finalists = []
    for genotype, trial in best.items():
        score = objective.evaluate(genotype)
        on_scored()
        if math.isfinite(score.loss):
            finalists.append(
                Finalist(
                    trial=None if trial is None else trial.number,
                    genotype=genotype_from_text(space.text(genotype), plan.space),
                    search_loss=None if trial is None else trial.value,
                    loss=score.loss,
                    accuracy=score.accuracy,
                    most_likely=genotype == expected,
                )
            )
    if not finalists:
        raise nothing_scored(plan, study_name)
    accuracies = []
    for architecture in candidates.random():
        accuracies.append(objective.evaluate(architecture).accuracy)
        on_scored()
    return Choice(
        finalists=tuple(sorted(finalists, key=_rank)),
        random_accuracies=tuple(accuracies),
        generations=plan.settings.generations,
        space=plan.space,
    )


def chosen_by_finals(record: FinalsRecord) -> Choice:
    """Return the result of a search whose finals are finished."""
    return Choice(
        finalists=tuple(_finalist(record, number) for number in record.order()),
        random_accuracies=record.random_accuracies,
        generations=record.generations,
        space=record.space,
        finals=record.settings,
        epochs=record.epochs,
    )


def nothing_scored(plan: SearchPlan, study_name: str) -> SearchError:
    """Return the error of a search none of whose best candidates has a finite loss."""
    return SearchError(
        f"no architecture of {plan.finalists_of} of study {study_name!r} could be scored, for "
        f"every loss was infinite or not a number; begin a new study with a lower learning_rate"
    )


def _finalist(record: FinalsRecord, number: int) -> Finalist:
    entrant: Entrant = record.entrants[number]
    scores = [record.scores(rung) for rung in range(len(record.sizes))]
    return Finalist(
        trial=entrant.trial,
        genotype=genotype_from_text(entrant.genotype, record.space),
        search_loss=entrant.search_loss,
        loss=entrant.loss,
        accuracy=entrant.accuracy,
        most_likely=entrant.most_likely,
        chosen_by=entrant.chosen_by,
        parameters=entrant.parameters,
        finals=tuple(rung[number] for rung in scores if number in rung),
    )


def _rank(finalist: Finalist) -> tuple[Any, ...]:
    scored = (finalist.search_loss, finalist.trial)
    return not finalist.most_likely, finalist.loss, *(math.inf if x is None else x for x in scored)
