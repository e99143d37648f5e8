"""The searches that the study `worth_nasbench201` compares, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
from worth_nasbench201_alone import climbed, evolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from worth_nasbench201_bench import Bench

    from relativenas_optuna.spaces.nasbench201 import NASBench201Cell

ROWS: dict[str, Callable[[Bench], NASBench201Cell]] = {
    "RelativeNAS, this preset": lambda bench: bench.search("relativenas"),
    "RelativeNAS, paper": lambda bench: bench.search("relativenas", paper=True),
    "random search and the same finals": lambda bench: bench.search("random"),
    "random search, shared weights and halving": lambda bench: bench.by_sampler(
        optuna.samplers.RandomSampler(seed=bench.seed)
    ),
    "TPE, shared weights and halving": lambda bench: bench.by_sampler(
        optuna.samplers.TPESampler(seed=bench.seed)
    ),
    "NSGA-II, shared weights and halving": lambda bench: bench.by_sampler(
        optuna.samplers.NSGAIISampler(population_size=8, seed=bench.seed)
    ),
    "random cells trained stand-alone, halving": lambda bench: bench.halved(
        bench.random_cells(bench.arguments.entrants), bench.arguments.passes
    ),
    "regularised evolution, trained stand-alone": evolved,
    "local search, trained stand-alone": climbed,
    "largest by parameters": lambda bench: bench.largest(),
    "one random cell": lambda bench: bench.random_cells(1)[0],
}
