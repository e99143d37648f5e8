"""Check MIGO on a grid whose scores are noisy by how unequally categories were used.

    python benchmarks/migo_rastrigin.py

The function is Rastrigin's on 10 variables with the values -5 to 4, whose best index is 5. As in
shared weights, a score is worth little if its categories were used unequally often: it is
multiplied by 1 + (most uses - fewest uses) z, where z is a standard normal number, and the uses are
those of the variables' categories in all trials so far. The function and its noise are those of the
test functions of MIGO-NAS's authors. The measure is the mean squared distance, in indices, of the
most likely categories from the best ones after 1,000 trials; for random categories it is 8.5.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from rich.console import Console
from rich.table import Table

from relativenas_optuna import MIGOSampler
from relativenas_optuna.samplers.migo.fair_sampling import draw_sweep
from relativenas_optuna.samplers.migo.natural_gradient import (
    bounded,
    fisher_norm,
    natural_gradient,
    uniform,
)
from relativenas_optuna.samplers.migo.population import DistributionPopulation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

VARIABLES, VALUES, TRIALS, BEST = 10, 10, 1_000, 5
SPACE: dict[str, BaseDistribution] = {
    f"x{i}": IntDistribution(0, VALUES - 1) for i in range(VARIABLES)
}


class VisitNoise:
    """The function, and the uses that make its noise.

    Args:
        seed: Seed of the noise.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng((seed, 1))
        self._uses = np.zeros((VARIABLES, VALUES))

    def __call__(self, indices: NDArray[np.intp]) -> float:
        """Return the score of a trial, lower is better."""
        x = indices - BEST
        value = float((x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum())
        places = np.arange(VARIABLES), indices
        self._uses[places] += 1
        spread = np.ptp(self._uses[places])
        return value * (1 + spread * self._random.standard_normal())


def distance(indices: NDArray[np.intp]) -> float:
    """Return the mean squared distance from the best index."""
    return float(((indices - BEST) ** 2).mean())


def migo(seed: int, **arguments: float) -> float:
    """Return the distance that MIGOSampler reaches."""
    score, sampler = VisitNoise(seed), MIGOSampler(SPACE, seed=seed, **arguments)  # type: ignore[arg-type]
    study = optuna.create_study(sampler=sampler)
    for _ in range(TRIALS):
        trial = study.ask(SPACE)
        study.tell(trial, score(np.array([trial.params[name] for name in SPACE])))
    population = sampler.population(study)
    assert isinstance(population, DistributionPopulation)
    found = population.most_likely()
    return distance(np.array([found[name] for name in SPACE]))


def sng(seed: int) -> float:
    """Return the distance that SNG reaches: two samples, steps of length 1."""
    return _natural_gradient_search(seed, size=2, adapts=False)


def asng(seed: int) -> float:
    """Return the distance that ASNG (Akimoto et al., ICML 2019) reaches with six samples."""
    return _natural_gradient_search(seed, size=6, adapts=True)


def _natural_gradient_search(seed: int, *, size: int, adapts: bool) -> float:
    """Search with the utilities of SNG: 1 / mu for the best mu = size / 4 samples, -1 / mu."""
    score, random = VisitNoise(seed), np.random.default_rng((seed, 0))
    theta, mu = uniform([VALUES] * VARIABLES), math.ceil(size / 4)
    by_rank = np.repeat([1 / mu, 0, -1 / mu], [mu, size - 2 * mu, mu])
    path, gamma, caution = np.zeros_like(theta), 0.0, 1.0
    for _ in range(TRIALS // size):
        samples = draw_sweep(theta, size, random, uses=None)
        ranks = np.argsort(np.argsort([score(sample) for sample in samples]))
        gradient = natural_gradient(theta, samples, by_rank[ranks])
        norm = fisher_norm(gradient, theta)
        if norm == 0:
            continue  # two equal samples
        step = 1 / caution
        if adapts:
            beta = step / math.sqrt(VARIABLES * (VALUES - 1))
            direction = gradient / (np.sqrt(theta) * norm)
            path = (1 - beta) * path + math.sqrt(beta * (2 - beta)) * direction
            gamma = (1 - beta) ** 2 * gamma + beta * (2 - beta)
            caution *= math.exp(beta * (gamma - float((path**2).sum()) / 1.5))
        theta = bounded(theta + step / norm * gradient, theta > 0)
    return distance(theta.argmax(axis=1))


METHODS: dict[str, Callable[[int], float]] = {
    "MIGO, fair, pruning every 4 updates": lambda s: migo(s, pruning_interval=4),
    "MIGO, fair, every 5 (default)": migo,
    "MIGO, fair, every 8": lambda s: migo(s, pruning_interval=8),
    "MIGO, fair, every 11": lambda s: migo(s, pruning_interval=11),  # decided after 990 trials
    "MIGO, fair, no pruning": lambda s: migo(s, pruning_interval=0),
    "MIGO, not fair, 6 samples": lambda s: migo(s, fair_sampling=False, population_size=6),
    "the same, momentum 0.9": lambda s: migo(
        s, fair_sampling=False, population_size=6, momentum=0.9
    ),
    "SNG": sng,
    "ASNG": asng,
}


def main() -> None:
    """Print the distances of all methods."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=30, help="searches of each method")
    seeds = parser.parse_args().seeds
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    table = Table(title=f"mean squared index distance to the optimum, {seeds} seeds")
    table.add_column("method")
    for column in ("mean", "95 % interval", "quartiles"):
        table.add_column(column, justify="right")
    for name, method in METHODS.items():
        found = np.array([method(seed) for seed in range(seeds)])
        error = 1.96 * found.std(ddof=1) / math.sqrt(seeds)
        low, high = np.percentile(found, [25, 75])
        interval = f"{found.mean() - error:.2f} to {found.mean() + error:.2f}"
        table.add_row(name, f"{found.mean():.2f}", interval, f"{low:.2f} to {high:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
