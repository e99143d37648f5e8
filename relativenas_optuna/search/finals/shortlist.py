"""Make the shortlist of the finals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna.search.choosing import nothing_scored
from relativenas_optuna.search.finals.halving import rung_epochs, rung_sizes
from relativenas_optuna.search.finals.prediction import by_prediction
from relativenas_optuna.search.finals.records import Entrant
from relativenas_optuna.search.finals.target_order import for_target
from relativenas_optuna.spaces.canonical import canonical
from relativenas_optuna.spaces.space_genotype import genotype_from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from optuna.trial import FrozenTrial

    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.search.candidates import Candidates
    from relativenas_optuna.search.finals.records import FinalsRecord
    from relativenas_optuna.search.finals.training import FinalsTrainer
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.loop import Evaluation

EVALUATED = 2
"""Trials that are evaluated again for each architecture of the shortlist."""
_POOL = 1000  # random architectures whose quality is predicted


@dataclass(frozen=True)
class _Scored:
    """An architecture with its score with the final shared weights, and its best trial."""

    score: Evaluation
    trial: FrozenTrial | None


def with_shortlist(
    record: FinalsRecord,
    objective: SupernetObjective[Any],
    candidates: Candidates,
    trainer: Callable[[tuple[int, ...]], FinalsTrainer],
    passes: Callable[[Sequence[AnyGenotype]], int],
    *,
    plan: SearchPlan,
    study_name: str,
    on_scored: Callable[[], None],
) -> FinalsRecord:
    """Return the record of the finals with its shortlist.

    The best trials of all generations are evaluated again with the final shared weights, twice as
    many as the shortlist has architectures. The best of them are one half of the shortlist. A model
    learns these scores and those of random architectures. It predicts the quality of all trials and
    of 1,000 random architectures, and the best of them are the other half. Architectures that
    compute the same are listed once. Under "migo" the shortlist has the most likely architecture.
    The target "full" counts the number of parameters in both halves, and before it: on
    NAS-Bench-201 shared scores and parameters together choose better than either of them.

    Args:
        record: Record without a shortlist.
        objective: Objective with the final weights.
        candidates: Candidates of the search.
        trainer: Function that returns the trainer for the epochs of the rungs.
        passes: Function that returns the passes of all trainings for the shortlist.
        plan: Plan of the search.
        study_name: Name of the study, for the error message.
        on_scored: Called after each evaluation.

    Raises:
        SearchError: No candidate has a finite loss.
        SpaceError: The space has no stand-alone networks.
    """
    settings, space = record.settings, candidates.space
    visited = candidates.visited()
    ordered = for_target(objective, list(visited), target=settings.target)
    best = {one: visited[one] for one in ordered[: EVALUATED * settings.shortlist]}
    expected = candidates.most_likely()
    if expected is not None:
        best.setdefault(expected, candidates.trial_of(expected))
    scored = _evaluated(objective, best, on_scored)
    if not scored:
        raise nothing_scored(plan, study_name)
    drawn = {}
    accuracies = []
    for architecture in candidates.random():
        score = objective.evaluate(architecture)
        on_scored()
        accuracies.append(score.accuracy)
        if math.isfinite(score.loss):
            drawn[architecture] = _Scored(score, candidates.trial_of(architecture))
    known = drawn | scored
    by_loss = sorted(scored, key=lambda architecture: scored[architecture].score.loss)
    by_score = for_target(objective, by_loss, target=settings.target)
    own = (list(_distinct(space, by_score)) or by_score)[: math.ceil(settings.shortlist / 2)]
    if expected in scored and expected not in own:
        own[-1] = expected
    losses = {architecture: found.score.loss for architecture, found in known.items()}
    if plan.scores_compare:  # the scores of the search are with the final weights too
        for architecture, trial in visited.items():
            if trial is not None and trial.value is not None:
                losses.setdefault(architecture, trial.value)
    predicted = by_prediction(
        objective,
        losses,
        list(dict.fromkeys([*visited, *known, *candidates.more_random(_POOL)])),
        target=settings.target,
    )
    chosen = list(own)
    for architecture in _distinct(space, [*own, *predicted]):
        if len(chosen) == settings.shortlist:
            break
        if architecture not in known:
            trial = candidates.trial_of(architecture)
            known |= _evaluated(objective, {architecture: trial}, on_scored)
        if architecture in known and architecture not in own:
            chosen.append(architecture)
    sizes = rung_sizes(len(chosen), rungs=settings.rungs, keep=settings.keep)
    networks = [genotype_from_text(space.text(one), plan.space) for one in chosen]
    epochs = rung_epochs(sizes, passes(networks))
    counter = trainer(epochs)

    def entrant(architecture: Any) -> Entrant:
        found, text = known[architecture], space.text(architecture)
        return Entrant(
            genotype=text,
            trial=None if found.trial is None else found.trial.number,
            search_loss=None if found.trial is None else found.trial.value,
            loss=found.score.loss,
            accuracy=found.score.accuracy,
            parameters=counter.parameters(genotype_from_text(text, plan.space)),
            predicted=architecture not in own,
            most_likely=architecture == expected,
        )

    return replace(
        record,
        sizes=sizes,
        epochs=epochs,
        entrants=tuple(map(entrant, chosen)),
        random_accuracies=tuple(accuracies),
    )


def _distinct(space: Any, architectures: Iterable[Any]) -> Iterator[Any]:
    """Yield the first of the architectures that compute the same; skip those that ignore images."""
    seen = set()
    for architecture in architectures:
        same = canonical(space, architecture)
        if same is not None and same not in seen:
            seen.add(same)
            yield architecture


def _evaluated(
    objective: SupernetObjective[Any],
    best: dict[Any, FrozenTrial | None],
    on_scored: Callable[[], None],
) -> dict[Any, _Scored]:
    """Return the architectures with a finite loss with the final weights, in the same order."""
    found = {}
    for architecture, trial in best.items():
        score = objective.evaluate(architecture)
        on_scored()
        if math.isfinite(score.loss):
            found[architecture] = _Scored(score, trial)
    return found
