"""Run the finals of a search whose generations are scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relativenas_optuna.search.budget import FINALS, REST
from relativenas_optuna.search.candidates import Candidates
from relativenas_optuna.search.finals.loop import FinalsWorker
from relativenas_optuna.search.finals.records import FinalsRecord
from relativenas_optuna.search.finals.shortlist import with_first, with_predicted
from relativenas_optuna.search.finals.store import FinalsStore
from relativenas_optuna.search.speed import finals_trainer, seconds_per_image
from relativenas_optuna.search.time_used import store_passes, stored_passes
from relativenas_optuna.spaces.space_genotype import genotype_from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import optuna

    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.search.finals.records import Entrant, Work
    from relativenas_optuna.search.finals.scores import RungScore
    from relativenas_optuna.search.finals.training import FinalsTrainer
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.search.time_used import TimeUsed
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_FOLDER = "finals"  # in the folder of results
_LEAST = 0.25  # of their share of the time, which finals get even if no time is left


@dataclass(frozen=True, kw_only=True)
class FinalsHooks:
    """Functions that are called while finals run.

    Attributes:
        on_scored: Called after each evaluation for the shortlist.
        on_change: Called with the record when work was done, here or by another worker.
        on_batch: Called after each batch of a training.
        on_failure: Called with the work and its error if a training failed. The training is then
            repeated, at most three times in all. None to raise the first error.
    """

    on_scored: Callable[[], None] = lambda: None
    on_change: Callable[[FinalsRecord], None] = lambda _: None
    on_batch: Callable[[], None] = lambda: None
    on_failure: Callable[[Work, Exception], None] | None = None


def run_finals(
    study: optuna.Study,
    plan: SearchPlan,
    objective: SupernetObjective[Any],
    population: Callable[[], Population | None],
    *,
    leads: bool,
    hooks: FinalsHooks,
    clock: TimeUsed | None = None,
) -> FinalsRecord | None:
    """Run the finals together with the other workers of the study, to their end.

    Args:
        study: Study of the search, whose generations are scored.
        plan: Plan of the search, which has finals.
        objective: Objective of the search.
        population: Function that returns the generations.
        leads: False in a worker that joins a search; it does not replace finals of other settings.
        hooks: Functions to call.
        clock: Clock of the time that the search has used, for a plan with a time. The trainings
            then take the time that is left, by the measured speed of some of the first networks.

    Returns:
        The finished record; None if the study has other finals now.

    Raises:
        Exception: See `FinalsWorker.run`.
    """
    assert plan.finals is not None
    store = FinalsStore(study)
    trainers: dict[tuple[int, ...], FinalsTrainer] = {}

    def trainer(epochs: tuple[int, ...]) -> FinalsTrainer:
        if epochs not in trainers:
            folder = Path(plan.out, _FOLDER) if leads or Path(plan.out).is_dir() else None
            trainers[epochs] = finals_trainer(objective, plan, epochs, folder)
        return trainers[epochs]

    def passes(networks: Sequence[AnyGenotype]) -> int:
        assert plan.finals is not None
        generations = plan.settings.generations
        if plan.finals.passes is not None:
            return plan.finals.passes
        if clock is None:
            return plan.training_passes
        if (stored := stored_passes(study, generations)) is not None:
            return stored
        of_image = seconds_per_image(trainer(()), networks, objective.device)
        found = _passes_left(plan, clock, of_image * len(objective.training))
        store_passes(study, generations, found)
        return found

    def shortlist(record: FinalsRecord, alive: Callable[[], None]) -> FinalsRecord:
        def scored() -> None:
            alive()
            hooks.on_scored()

        objective.settle(study)
        members = population()
        assert members is not None
        candidates = Candidates(members, plan, objective.space)
        if record.entrants:
            return with_predicted(
                record, objective, candidates, trainer, plan=plan, on_scored=scored
            )
        return with_first(
            record,
            objective,
            candidates,
            trainer,
            passes,
            plan=plan,
            study_name=study.study_name,
            on_scored=scored,
        )

    def train(
        record: FinalsRecord, entrant: Entrant, rung: int, alive: Callable[[], None]
    ) -> RungScore:
        def on_batch() -> None:
            alive()
            hooks.on_batch()

        genotype = genotype_from_text(entrant.genotype, plan.space)
        return trainer(record.epochs).train(genotype, rung, on_batch)

    worker = FinalsWorker(
        store,
        FinalsRecord(generations=plan.settings.generations, settings=plan.finals, space=plan.space),
        leads=leads,
        shortlist=shortlist,
        train=train,
        on_change=hooks.on_change,
        on_failure=hooks.on_failure,
    )
    return worker.run()


def _passes_left(plan: SearchPlan, clock: TimeUsed, of_pass: float) -> int:
    """Return the passes of finals that fit into the time that is left.

    Args:
        plan: Plan of the search, with a time.
        clock: Time that the search has used.
        of_pass: Seconds of one pass.
    """
    assert plan.time is not None
    assert plan.speed is not None
    left = plan.time * (1 - REST / 2) - clock.seconds
    least = _LEAST * FINALS * plan.time
    return plan.budget(plan.speed).passes(max(left, least), of_pass=of_pass)
