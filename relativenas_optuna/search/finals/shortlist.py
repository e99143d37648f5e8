"""Choose the architectures of the shortlist of the finals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna.search.choosing import nothing_scored
from relativenas_optuna.search.finals.halving import rung_epochs, rung_sizes, steps_of
from relativenas_optuna.search.finals.prediction import by_prediction
from relativenas_optuna.search.finals.records import CHANCE, PREDICTION, SCORE, Entrant
from relativenas_optuna.search.finals.settings import FULL
from relativenas_optuna.search.finals.target_order import for_target
from relativenas_optuna.spaces.canonical import canonical
from relativenas_optuna.spaces.space_genotype import genotype_from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from optuna.trial import FrozenTrial

    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.search.candidates import Candidates
    from relativenas_optuna.search.finals.records import FinalsRecord
    from relativenas_optuna.search.finals.training import FinalsTrainer
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.loop import Evaluation

_LEAST_CHANCE = 4  # architectures of a shortlist in which some are random
_POOL = 1000  # random architectures whose quality is predicted


@dataclass(frozen=True)
class _Scored:
    """An architecture with its score with the final shared weights, and its best trial."""

    score: Evaluation
    trial: FrozenTrial | None


def with_first(
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
    """Return the record of the finals with the first half of its shortlist.

    The best trials of all generations are evaluated again with the final shared weights, as many as
    the shortlist has architectures. The best of them are one half of the first architectures, and
    random architectures are the other half, from which a model learns more; see `with_predicted`.
    A shortlist of two or three has no random ones. Architectures that compute the same are listed
    once. Under "migo" the most likely architecture is listed. The target "full" counts the number
    of parameters too, because on NAS-Bench-201 shared scores and parameters together choose better
    than either of them.

    Args:
        record: Record without architectures.
        objective: Objective with the final weights.
        candidates: Candidates of the search.
        trainer: Function that returns the trainer for the epochs of the rungs.
        passes: Function that returns the passes of all trainings, given some architectures that
            take about as long as the whole shortlist.
        plan: Plan of the search.
        study_name: Name of the study, for the error message.
        on_scored: Called after each evaluation.

    Raises:
        SearchError: No candidate has a finite loss.
        SpaceError: The space has no stand-alone networks.
    """
    settings, space = record.settings, candidates.space
    number = steps_of(settings)[0]
    visited = candidates.visited()
    ordered = for_target(objective, list(visited), target=settings.target)
    best = {one: visited[one] for one in ordered[: settings.shortlist]}
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
    by_loss = sorted(scored, key=lambda architecture: scored[architecture].score.loss)
    by_score = for_target(objective, by_loss, target=settings.target)
    if expected in scored:
        by_score.insert(0, by_score.pop(by_score.index(expected)))
    share = number if settings.shortlist < _LEAST_CHANCE else math.ceil(number / 2)
    own = (list(_distinct(space, by_score)) or by_score)[:share]
    if expected in scored and expected not in own:  # it ignores images
        own[-1] = expected
    chosen = dict.fromkeys(own, SCORE)
    for architecture in _distinct(space, [*own, *drawn, *by_score]):
        if len(chosen) == number:
            break
        chosen.setdefault(architecture, CHANCE if architecture in drawn else SCORE)
    sizes = rung_sizes(settings.shortlist, rungs=settings.rungs, keep=settings.keep)
    typical = for_target(objective, list(chosen), target=settings.target)
    if settings.target == FULL:  # the model will choose large ones, which take longer
        typical = typical[: math.ceil(number / 2)]
    networks = [genotype_from_text(space.text(one), plan.space) for one in typical]
    epochs = rung_epochs(sizes, passes(networks))
    entrants = _entrants(chosen, drawn | scored, candidates, trainer(epochs), plan)
    return replace(
        record,
        sizes=sizes,
        epochs=epochs,
        entrants=tuple(
            replace(entrant, most_likely=architecture == expected)
            for architecture, entrant in zip(chosen, entrants, strict=True)
        ),
        random_accuracies=tuple(accuracies),
    )


def with_predicted(
    record: FinalsRecord,
    objective: SupernetObjective[Any],
    candidates: Candidates,
    trainer: Callable[[tuple[int, ...]], FinalsTrainer],
    *,
    plan: SearchPlan,
    on_scored: Callable[[], None],
) -> FinalsRecord:
    """Return the record of the finals with another quarter of its shortlist.

    A model learns the losses of the first rung, and predicts the quality of all trials and of
    1,000 random architectures. The best of them that are not listed yet are chosen. Losses of short
    stand-alone trainings tell a model more than shared scores do; see the study `short_trainings`.
    If the search space has no further architecture, the shortlist becomes shorter.

    Args:
        record: Record in which all architectures have a score of the first rung.
        objective: Objective with the final weights.
        candidates: Candidates of the search.
        trainer: Function that returns the trainer for the epochs of the rungs.
        plan: Plan of the search.
        on_scored: Called after each evaluation.
    """
    settings, space = record.settings, candidates.space
    number = min(settings.shortlist - len(record.entrants), steps_of(settings)[1])
    listed = [space.parse(entrant.genotype) for entrant in record.entrants]
    losses = {listed[n]: score.loss for n, score in sorted(record.scores(0).items())}
    predicted = by_prediction(
        objective,
        {one: math.inf if loss is None else loss for one, loss in losses.items()},
        list(dict.fromkeys([*candidates.visited(), *candidates.more_random(_POOL)])),
        target=settings.target,
    )
    known: dict[Any, _Scored] = {}
    for architecture in _distinct(space, [*listed, *predicted]):
        if len(known) == number:
            break
        if architecture not in listed:
            trial = candidates.trial_of(architecture)
            known |= _evaluated(objective, {architecture: trial}, on_scored)
    more = _entrants(
        dict.fromkeys(known, PREDICTION), known, candidates, trainer(record.epochs), plan
    )
    entrants = (*record.entrants, *more)
    whole = settings.shortlist if len(more) == number else len(entrants)
    sizes = rung_sizes(whole, rungs=settings.rungs, keep=settings.keep)
    return replace(record, sizes=sizes, epochs=record.epochs[: len(sizes)], entrants=entrants)


def _entrants(
    chosen: Mapping[Any, str],
    known: Mapping[Any, _Scored],
    candidates: Candidates,
    trainer: FinalsTrainer,
    plan: SearchPlan,
) -> list[Entrant]:
    """Return architectures of the shortlist, given the way in which each was chosen."""
    entrants = []
    for architecture, chosen_by in chosen.items():
        found, text = known[architecture], candidates.space.text(architecture)
        entrants.append(
            Entrant(
                genotype=text,
                trial=None if found.trial is None else found.trial.number,
                search_loss=None if found.trial is None else found.trial.value,
                loss=found.score.loss,
                accuracy=found.score.accuracy,
                parameters=trainer.parameters(genotype_from_text(text, plan.space)),
                chosen_by=chosen_by,
            )
        )
    return entrants


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
