"""Studies for tests of figures and notes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.spaces.cell_space import CellSpace

if TYPE_CHECKING:
    from relativenas_optuna.spaces.genotype import Genotype

SPACE = CellSpace(nodes=2)
HOSTILE = "\"><img src=x onerror=alert(1)>'`$%{x}/..\\|*_[a](b)&amp;<b>"


def cost(genotype: Genotype) -> int:
    """Return a cost that follows from the architecture."""
    edges = (*genotype.normal.edges, *genotype.reduce.edges)
    return sum(1 + SPACE.operations.index(e.operation) + e.input for e in edges)


def score(trial: optuna.Trial) -> float:
    """Return a noisy loss, and store what `SupernetObjective` stores with a trial."""
    genotype = SPACE.suggest(trial)
    expense = cost(genotype)
    trial.set_user_attr("genotype", genotype.to_text())
    trial.set_user_attr("parameters", 1000 * expense)
    trial.set_user_attr("multiply_adds", 1_000_000 * expense)
    trial.set_user_attr("weights_version", trial.number // 2)
    return 2 - expense / 100 + Random(trial.number).random() / 10


def searched(trials: int, *, size: int = 4, preset: str = "paper", **options: Any) -> optuna.Study:
    """Return a study with a search of some trials."""
    sampler = RelativeNASSampler(SPACE.distributions, population_size=size, seed=0, preset=preset)
    study = optuna.create_study(**{"sampler": sampler} | options)
    study.optimize(score, n_trials=trials)
    return study


def scrambled(seed: int, trials: int, **options: Any) -> optuna.Study:
    """Return a study whose trials overlap, fail, are pruned, are infinite, or still run."""
    dice = Random(seed)
    sampler = RelativeNASSampler(SPACE.distributions, population_size=4, seed=seed)
    study = optuna.create_study(**{"sampler": sampler} | options)
    running: list[optuna.Trial] = []
    for _ in range(trials):
        if not running or dice.random() < 0.55:
            running.append(study.ask())
            score(running[-1])
            continue
        trial = running.pop(dice.randrange(len(running)))
        kind = dice.random()
        if kind < 0.2:
            study.tell(trial, state=TrialState.FAIL)
        elif kind < 0.4:
            if len(study.directions) == 1:
                trial.report(dice.random(), step=0)
            study.tell(trial, state=TrialState.PRUNED)
        else:
            values = [dice.choice([1.0, 2.0, 3.0, float("inf")]) for _ in study.directions]
            study.tell(trial, values)
    return study
