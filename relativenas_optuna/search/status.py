"""Compute the status of a study: counts, times and workers."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from optuna.storages import RDBStorage
from optuna.trial import TrialState

from relativenas_optuna.samplers.populations import starting_claim
from relativenas_optuna.samplers.search_view import SearchView
from relativenas_optuna.search.choice import readable_choice, readable_plan
from relativenas_optuna.search.finals.halving import planned_passes
from relativenas_optuna.search.finals.progress import (
    finals_seconds_left,
    finals_status,
    readable_finals,
)
from relativenas_optuna.search.status_record import (
    BestStatus,
    GenerationStatus,
    Status,
    WorkerStatus,
)
from relativenas_optuna.search.study_facts import best_trials, last_written, sampler_of
from relativenas_optuna.search.time_used import TimeUsed
from relativenas_optuna.search.uniform_status import trained_epochs
from relativenas_optuna.storages.interruption import was_interrupted
from relativenas_optuna.storages.search_storage import SearchStorage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.view_records import GenerationView
    from relativenas_optuna.search.choice import Choice

_RECENT = 20  # trials that the time left is estimated from; a whole generation if it has more


def status_of(study: optuna.Study) -> Status:
    """Return the status of a study, without writing to it.

    An unreadable plan or choice is ignored with a warning.
    """
    plan, choice = readable_plan(study), readable_choice(study)
    view = SearchView.of(study)
    trials = study.get_trials(deepcopy=False)
    states = Counter(trial.state for trial in trials)
    generations = None if plan is None else plan.settings.generations
    finished = choice is not None and plan is not None and choice.is_of(plan)
    seen = () if view is None else view.generations[:generations]
    scored = sum(
        member.state in ("scored", "failed") and (plan is not None or not member.kept)
        for generation in seen
        for member in generation.members
    )
    total = None if plan is None else plan.settings.population * plan.settings.generations
    lost = _lost(study, trials, view)
    running = [t for t in trials if t.state == TrialState.RUNNING and t.number not in lost]
    left = None if total is None else total - scored
    if left is not None and plan is not None and view is not None and view.preset == "plain":
        # Fast learners keep their scores, so half of the seats of a generation need no trial.
        left -= (plan.settings.generations - len(seen)) * plan.settings.population // 2
    one = len(study.directions) == 1
    finals = None if plan is None else readable_finals(study, plan)
    passes = 0
    if plan is not None and plan.finals is not None and not plan.settings.uniform_epochs:
        # A pass of the finals takes about as long as a candidate that is trained.
        passes = planned_passes(plan.finals, plan.training_passes)
    population = 0 if view is None else view.population_size
    time = None if plan is None else plan.time
    used = None if time is None else TimeUsed(study, leads=False).seconds
    if time is not None and used is not None:
        left_of_time: float | None = max(0.0, time - used)
    elif running and left:
        left_of_time = seconds_left(trials, left=left + passes, population=population)
    else:
        left_of_time = finals_seconds_left(finals)
    return Status(
        study=study.study_name,
        directions=tuple(direction.name.lower() for direction in study.directions),
        sampler=sampler_of(trials),
        preset=None if view is None else view.preset,
        data=None if plan is None else plan.data,
        space=None if plan is None else plan.space,
        search_preset=None if plan is None else plan.preset,
        population=_population_size(trials, view),
        generations=generations,
        complete_generations=None if view is None else sum(g.complete for g in seen),
        total=total,
        scored=states[TrialState.COMPLETE] if view is None else scored,
        running=len(running),
        lost=len(lost),
        failed=sum(t.state == TrialState.FAIL and not was_interrupted(t) for t in trials),
        interrupted=sum(t.state == TrialState.FAIL and was_interrupted(t) for t in trials),
        pruned=states[TrialState.PRUNED],
        workers=_workers(view, lost),
        best=_best(study, choice if finished else None) if one else None,
        front=None if one else len(best_trials(study)),
        history=_history(seen) if one else (),
        finals=None if finals is None else finals_status(finals),
        trained_epochs=None if plan is None else trained_epochs(study, plan),
        uniform_epochs=(plan.settings.uniform_epochs or None) if plan is not None else None,
        seconds_left=left_of_time,
        time=time,
        seconds_used=used,
        finished=finished,
        last_written=last_written(trials),
    )


def _population_size(trials: Sequence[FrozenTrial], view: SearchView | None) -> int | None:
    """Return the members of a generation, also under a sampler that this process does not know."""
    if view is not None:
        return view.population_size
    claim = starting_claim(trials)
    settings = {} if claim is None or claim.settings is None else claim.settings
    size = settings.get("population_size")
    return size if isinstance(size, int) else None


def _lost(
    study: optuna.Study, trials: Sequence[FrozenTrial], view: SearchView | None
) -> Collection[int]:
    """Return the numbers of the running trials whose worker is gone."""
    generations = () if view is None else view.generations
    gone = {
        trial.number
        for generation in generations
        for member in generation.members
        for trial in member.running
        if trial.gone
    }
    storage = getattr(study._storage, "_backend", study._storage)
    if isinstance(storage, RDBStorage) and storage.heartbeat_interval is not None:
        if isinstance(storage, SearchStorage):
            stale = set(storage.trials_without_heartbeat(study._study_id))
        else:
            stale = set(storage._get_stale_trial_ids(study._study_id))
        gone |= {trial.number for trial in trials if trial._trial_id in stale}
    running = {trial.number for trial in trials if trial.state == TrialState.RUNNING}
    return gone & running


def _workers(view: SearchView | None, lost: Collection[int]) -> tuple[WorkerStatus, ...]:
    trials: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for generation in () if view is None else view.generations:
        for member in generation.members:
            for trial in member.running:
                if trial.machine is not None and trial.number not in lost:
                    trials[trial.machine, trial.pid].append(trial.number)
    return tuple(
        # The first word of the machine's identifier is its name.
        WorkerStatus(machine=machine.split(" ")[0], pid=pid, trials=tuple(sorted(numbers)))
        for (machine, pid), numbers in sorted(trials.items(), key=str)
    )


def _best(study: optuna.Study, choice: Choice | None) -> BestStatus | None:
    if choice is not None:
        won = choice.winner
        return BestStatus(
            trial=won.trial,
            loss=won.loss,
            accuracy=won.accuracy,
            standalone=won.ranked.standalone,
            genotype=won.genotype.to_text(),
            chosen_by=won.chosen_by,
        )
    trial = next(iter(best_trials(study)), None)
    if trial is None:
        return None
    assert trial.value is not None
    genotype = trial.user_attrs.get("genotype")
    return BestStatus(
        trial=trial.number,
        loss=trial.value,
        accuracy=None,
        genotype=genotype if isinstance(genotype, str) else None,
    )


def _history(generations: Sequence[GenerationView]) -> tuple[GenerationStatus, ...]:
    rows = []
    for generation in generations:
        values = [m.values[0] for m in generation.members if m.values is not None]
        if generation.complete and generation.best is not None and values:
            best = generation.members[generation.best].values
            assert best is not None
            rows.append(
                GenerationStatus(
                    number=generation.index + 1,
                    best=best[0],
                    median=statistics.median(values),
                    diversity=generation.diversity,
                )
            )
    return tuple(rows)


def seconds_left(trials: Sequence[FrozenTrial], *, left: int, population: int) -> float | None:
    """Return the seconds that `left` seats take at the speed of the last trials.

    The speed counts the last 20 trials, or one generation if it is larger, of all workers together.
    Pauses in which no trial ran do not count.

    Args:
        trials: Trials of the study.
        left: Number of seats without a score.
        population: Members of a generation.

    Returns:
        The seconds; None if no trial is complete.
    """
    recent = max(_RECENT, population)
    ended = [
        (t.datetime_complete.timestamp(), t.datetime_start.timestamp())
        for t in trials
        if t.state == TrialState.COMPLETE and t.datetime_start and t.datetime_complete
    ]
    # The time counts from the end of the last trial before the recent ones, if there is one.
    spans, until = sorted(ended), None
    if len(spans) > recent:
        until, spans = spans[-recent - 1][0], spans[-recent:]
    busy = 0.0
    for end, start in sorted(spans, key=lambda span: span[1]):
        begun = start if until is None else max(start, until)
        if end > begun:
            busy += end - begun
            until = end
    return busy / len(spans) * left if spans else None
