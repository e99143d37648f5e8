"""Samplers of the comparison, and one study with each."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import optuna
from against_baselines import by_size, described, local_search
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)

from relativenas_optuna import MIGOSampler, RelativeNASSampler
from relativenas_optuna.samplers import RegularizedEvolutionSampler
from relativenas_optuna.samplers.relative_nas.settings import Arguments
from relativenas_optuna.samplers.relative_nas.surrogate.settings import OFF, PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from against_problems import Problem
    from numpy.typing import NDArray

OURS = "RelativeNAS"
PAPER = "RelativeNAS, preset paper"
ONCE = "ours without scoring again"
RIVALS: dict[str, Callable[[int], BaseSampler]] = {
    "Random": lambda seed: RandomSampler(seed=seed),
    "TPE": lambda seed: TPESampler(seed=seed),  # multivariate, by default since Optuna 5
    "TPE, univariate": lambda seed: TPESampler(seed=seed, multivariate=False),
    "NSGA-II": lambda seed: NSGAIISampler(seed=seed),
    "CMA-ES": lambda seed: CmaEsSampler(seed=seed),
    "GP": lambda seed: GPSampler(seed=seed),
}
# Arguments of MIGOSampler.
MIGO: dict[str, dict[str, bool]] = {"MIGO": {}, "MIGO, not fair": {"fair_sampling": False}}
# What each part of preset "plain" is worth: the population and what else is other.
VARIANTS = {
    "ours without a spread start": (8, replace(PLAIN, latin_hypercube=False)),
    "ours without variables drawn anew": (8, replace(PLAIN, redraw_probability=0.0)),
    "ours without pending trials": (8, replace(PLAIN, models_pending=False)),
    "ours with 24 draws": (8, replace(PLAIN, draws=24)),
    "ours with 20 members": (20, PLAIN),
    "ours as before, unscreened": (20, OFF),
    ONCE: (8, replace(PLAIN, max_scores=1)),
}
DESCRIBED = "RelativeNAS, descriptors"
EVOLUTION = "Regularized evolution"
# Searches that are not samplers.
SEARCHES = {"Local search": local_search, "Size order": by_size}
# Rows of NAS-Bench-201 alone, by which claims of sample efficiency there can be judged.
ANCHORS = (DESCRIBED, EVOLUTION, *SEARCHES)
GP_SEEDS = 3
TRIALS = {"GP": 100, DESCRIBED: 100}  # where the others have more


def takes_part(name: str, problem: Problem, seed: int) -> bool:
    """Return True if a sampler is run on a problem with this seed.

    GP is too slow for more than a few seeds. Variants of this package's sampler run only on
    NAS-Bench-201, and so do the anchors. The variant without re-evaluation runs on all tables with
    noise.
    """
    if name == ONCE:
        return problem.is_table and problem.noisy
    if name == "GP":
        return problem.is_nasbench201 and not problem.noisy and seed < GP_SEEDS
    return name not in (*VARIANTS, *ANCHORS) or problem.is_nasbench201


def searched(name: str, problem: Problem, seed: int) -> dict[str, NDArray[np.float64]]:
    """Run one study.

    The noise of trial i is the same for every sampler.

    Returns:
        `points` `[trials, variables]`, what they truly are worth (`true`) and what was `told`,
        both `[trials]`.
    """
    trials = TRIALS.get(name, problem.trials)
    points: list[list[float]] = []
    told: list[float] = []

    def score(point: list[float]) -> float:
        points.append(point)
        told.append(problem.observed(point, np.random.default_rng((seed, len(told)))))
        return told[-1]

    def objective(trial: optuna.Trial) -> float:
        params = {n: trial._suggest(n, d) for n, d in problem.space.items()}
        return score(problem.unit(params))

    if name in SEARCHES:
        steps = SEARCHES[name](problem, seed)
        point = next(steps)
        while len(told) < trials:
            point = steps.send(score(point))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental; CMA-ES cannot search categoricals
            study = optuna.create_study(sampler=made(name, problem, seed))
            study.optimize(objective, n_trials=trials)
    return {
        "points": np.array(points),
        "true": np.array([problem.true(point) for point in points]),
        "told": np.array(told),
    }


def made(name: str, problem: Problem, seed: int) -> BaseSampler:
    """Return a sampler for one study."""
    if name in RIVALS:
        return RIVALS[name](seed)
    if name in MIGO:
        return MIGOSampler(problem.space, seed=seed, **MIGO[name])  # type: ignore[arg-type]
    if name == EVOLUTION:
        return RegularizedEvolutionSampler(problem.space, seed=seed)
    if name == DESCRIBED:
        return RelativeNASSampler(problem.space, seed=seed, descriptors=described(problem))
    size, screening = VARIANTS.get(name, (None, None))
    preset = "paper" if name == PAPER else None
    ours = RelativeNASSampler(problem.space, seed=seed, preset=preset, population_size=size)
    ours._arguments = Arguments(size, seed, problem.space, preset, screening=screening)
    return ours
