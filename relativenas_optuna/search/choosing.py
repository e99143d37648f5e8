"""Choose the result of a search: its best candidates, evaluated again with the final weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.samplers.seats.population import Proposal
from relativenas_optuna.search.choice import FINALISTS, RANDOM_ARCHITECTURES, Choice, Finalist
from relativenas_optuna.search.defaults import RELATIVENAS
from relativenas_optuna.spaces.protocol import most_likely
from relativenas_optuna.spaces.space_genotype import genotype_from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from optuna.trial import FrozenTrial

    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.search.plan import SearchPlan


def chosen(
    objective: SupernetObjective[Any],
    population: Population,
    plan: SearchPlan,
    study_name: str,
    on_scored: Callable[[], None],
) -> Choice:
    """Return the result of a search whose generations are scored.

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
    best = _best(population, plan, space.genotype)
    expected = None
    if isinstance(population, DistributionPopulation):
        expected = _most_likely(population, plan, space)
        best.setdefault(expected, _scored_trial(population, plan, space.genotype, expected))
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
        raise SearchError(
            f"no architecture of {plan.finalists_of} of study {study_name!r} could be scored, for "
            f"every loss was infinite or not a number; begin a new study with a lower learning_rate"
        )
    accuracies = []
    for architecture in _random_architectures(population, plan, space):
        accuracies.append(objective.evaluate(architecture).accuracy)
        on_scored()
    return Choice(
        finalists=tuple(sorted(finalists, key=_rank)),
        random_accuracies=tuple(accuracies),
        generations=plan.settings.generations,
        space=plan.space,
    )


def _random_architectures(population: Population, plan: SearchPlan, space: Any) -> Iterator[Any]:
    """Yield random architectures to compare with; with limits they keep them too."""
    generation, size = plan.settings.generations, plan.settings.population
    rng = np.random.default_rng([plan.seed, generation])
    limited, encoding = population.settings.within_limits(), Encoding.of(space.distributions)
    for number in range(RANDOM_ARCHITECTURES):
        if limited is None:
            yield space.random(rng)
        else:
            anywhere = rng.uniform(encoding.low, encoding.high)
            # Numbers beyond the seats of a generation, whose redraws have their own keys.
            position = limited.drawn(anywhere, generation, size + number)
            yield space.genotype(population.parameters_at(Proposal(encoding, position)))


def _rank(finalist: Finalist) -> tuple[Any, ...]:
    scored = (finalist.search_loss, finalist.trial)
    return not finalist.most_likely, finalist.loss, *(math.inf if x is None else x for x in scored)


def _best(
    population: Population, plan: SearchPlan, genotype_of: Callable[[dict[str, Any]], Any]
) -> dict[Any, FrozenTrial | None]:
    """Return the best distinct architectures that finalists are chosen from, the best first."""
    last = plan.settings.generations - 1
    trials = _complete(population, plan, first=last if plan.sampler == RELATIVENAS else 0)
    distinct: dict[Any, FrozenTrial | None] = {}
    for trial in trials:
        distinct.setdefault(genotype_of(trial.params), trial)
    return dict(list(distinct.items())[:FINALISTS])


def _complete(population: Population, plan: SearchPlan, *, first: int = 0) -> list[FrozenTrial]:
    """Return the complete trials of the seats from generation `first` on, the best first."""
    counted = [
        population.counted(Seat(generation, number))
        for generation in range(first, plan.settings.generations)
        for number in range(plan.settings.population)
    ]
    complete = [t for t in counted if t is not None and t.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda trial: (trial.value, trial.number))


def _most_likely(population: DistributionPopulation, plan: SearchPlan, space: Any) -> Any:
    """Return the most likely architecture after the last generation of a search."""
    params = population.most_likely()
    if population.settings.limits:  # the strongest edges may break them
        return space.genotype(params)
    marginals = population.marginals(plan.settings.generations)
    probabilities = {
        marginal.name: dict(zip(marginal.values, marginal.probabilities, strict=True))
        for marginal in marginals
    }
    return most_likely(space, probabilities, params)


def _scored_trial(
    population: Population,
    plan: SearchPlan,
    genotype_of: Callable[[dict[str, Any]], Any],
    genotype: Any,
) -> FrozenTrial | None:
    """Return the best trial that scored an architecture; None if no trial did."""
    trials = _complete(population, plan)
    return next((t for t in trials if genotype_of(t.params) == genotype), None)
