"""The searches of the study `worth_nasbench201` that train every network stand-alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import optuna
from nasbench201_table import SPACE, table_parameters
from worth_nasbench201_bench import DRAWS

from relativenas_optuna.samplers.regularized_evolution import RegularizedEvolutionSampler
from relativenas_optuna.spaces.nasbench201 import NASBENCH201_OPERATIONS, NASBench201Cell
from relativenas_optuna.spaces.space_genotype import genotype_from_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worth_nasbench201_bench import Bench


class Alone:
    """Losses of cells that are trained stand-alone, each once; equal cells count one by one.

    Attributes:
        losses: Losses by cell.
        most: Number of trainings that the passes are enough for.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench, self._trainer = bench, bench.trainer((bench.arguments.alone,))
        self.losses: dict[NASBench201Cell, float] = {}
        self.most = bench.arguments.passes // bench.arguments.alone

    def __call__(self, cell: NASBench201Cell) -> float:
        """Return the validation loss of a cell; infinite if it diverged."""
        if cell not in self.losses:
            genotype = genotype_from_text(cell.to_text(), "nasbench201")
            loss = self._trainer.train(genotype, 0).loss
            self.losses[cell] = math.inf if loss is None else loss
            self._bench.passes += self._bench.arguments.alone
        return self.losses[cell]

    def best(self) -> NASBench201Cell:
        """Return the cell with the lowest loss."""
        return min(self.losses, key=lambda cell: self.losses[cell])


def evolved(bench: Bench) -> NASBench201Cell:
    """Return what regularised evolution finds with stand-alone scores."""
    sampler = RegularizedEvolutionSampler(
        SPACE.distributions,
        population_size=10,
        tournament_size=10,
        seed=bench.seed,
        limits={"parameters": bench.limit} if bench.limit else None,
        costs={"parameters": table_parameters()},
    )
    study = optuna.create_study(sampler=sampler)
    alone = Alone(bench)
    while len(alone.losses) < alone.most and len(study.trials) < 10 * alone.most:
        trial = study.ask(dict(SPACE.distributions))
        study.tell(trial, alone(SPACE.genotype(trial.params)))
    return alone.best()


def climbed(bench: Bench) -> NASBench201Cell:
    """Return what local search finds with stand-alone scores.

    It moves to the first better neighbour, which differs in one operation, and restarts at a
    random cell where there is none.
    """
    rng = np.random.default_rng([bench.seed, DRAWS + 1])
    alone = Alone(bench)
    for _ in range(10 * alone.most):
        here = SPACE.random(rng)
        if len(alone.losses) >= alone.most:
            break
        if not bench.allows(here):
            continue
        loss, moved = alone(here), True
        while moved:
            moved = False
            for other in _neighbours(here, rng):
                if len(alone.losses) >= alone.most:
                    return alone.best()
                if bench.allows(other) and alone(other) < loss:
                    here, loss, moved = other, alone(other), True
                    break
    return alone.best()


def _neighbours(cell: NASBench201Cell, rng: np.random.Generator) -> Iterator[NASBench201Cell]:
    others = [
        (edge, operation)
        for edge, own in enumerate(cell.operations)
        for operation in NASBENCH201_OPERATIONS
        if operation != own
    ]
    for index in rng.permutation(len(others)).tolist():
        edge, operation = others[index]
        changed = [*cell.operations[:edge], operation, *cell.operations[edge + 1 :]]
        yield NASBench201Cell(tuple(changed))
