"""A run of the paper's published code, reproduced in a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest

from relativenas_optuna import CellSpace, RelativeNASSampler
from relativenas_optuna.samplers.relative_nas.slow_fast import diversity
from relativenas_optuna.samplers.seats.claims import Seat

if TYPE_CHECKING:
    from relativenas_optuna import Genotype
    from relativenas_optuna.samplers.relative_nas.population import PairedPopulation

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "search_seed7.json").read_text())
SPACE = CellSpace()


def golden_loss(trial: optuna.Trial) -> float:
    """Return the loss that the golden file describes, from the decoded indices."""
    genotype = SPACE.suggest(trial)
    trial.set_user_attr("edges", as_golden(genotype))
    k = np.array(
        [
            distribution.to_internal_repr(trial.params[name])
            for name, distribution in SPACE.distributions.items()
        ]
    )
    return float(np.sum(np.cos(1 + np.arange(len(k)) * k) + 0.1 * k))


def as_golden(genotype: Genotype) -> list[list[list[Any]]]:
    """Return the edges of both cells as the golden file writes them."""
    return [
        [[edge.operation, edge.input] for node in cell.nodes for edge in node]
        for cell in (genotype.normal, genotype.reduce)
    ]


@pytest.fixture(scope="module")
def population() -> PairedPopulation:
    sampler = RelativeNASSampler(SPACE.distributions, population_size=20, seed=7, preset="paper")
    study = optuna.create_study(sampler=sampler)
    study.optimize(golden_loss, n_trials=20 * GOLDEN["generations"])
    population = sampler.population(study)
    assert population is not None
    return population


@pytest.mark.parametrize("snapshot", GOLDEN["snapshots"], ids=lambda s: f"{s['generation']}")
def test_a_study_follows_the_published_run_to_the_last_bit(
    population: PairedPopulation, snapshot: dict[str, Any]
) -> None:
    index = snapshot["generation"]
    generation = population.generations[index]
    assert generation.positions.tolist() == snapshot["positions"]
    assert generation.velocities.tolist() == snapshot["velocities"]
    if "pairs" not in snapshot:  # the last generation was not scored
        return
    assert generation.pairs.tolist() == snapshot["pairs"]
    assert diversity(generation.positions) == snapshot["diversity"]
    for number in range(20):
        member = generation.member(number)
        trial = population.counted(Seat(index, number))
        assert trial is not None
        assert trial.value == snapshot["losses"][member]
        assert trial.user_attrs["edges"] == snapshot["genotypes"][member]
