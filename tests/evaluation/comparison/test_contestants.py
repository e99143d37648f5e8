"""Test the architectures and trainings of a comparison."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from relativenas_optuna.evaluation.comparison.contestants import (
    Contestant,
    TrainingJob,
    compared,
    contestants,
    training_jobs,
)
from relativenas_optuna.evaluation.comparison.figures import DRAWN, FOUND, PUBLISHED, RANDOM
from relativenas_optuna.evaluation.standalone.result import Result
from relativenas_optuna.search.architectures import Named
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.spaces import CellSpace, Genotype, published

PUBLISHED_CELL = Named(published("RelativeNAS"), "RelativeNAS", "a paper")
SPACE = CellSpace()


def plan(seed: int = 0) -> SearchPlan:
    return SearchPlan.of(optuna.create_study(), SearchRequest(seed=seed))


def everyone(random: int, *, seed: int = 0, drawn: bool = True) -> list[Contestant]:
    return contestants(
        plan(seed),
        found=published("DARTS_V1"),
        drawn=published("DARTS_V2") if drawn else None,
        published=PUBLISHED_CELL,
        random=random,
    )


def test_named_ones_come_first_and_random_ones_depend_on_the_seed() -> None:
    five = everyone(5)
    assert [one.kind for one in five] == [FOUND, DRAWN, PUBLISHED, *[RANDOM] * 5]
    assert [one.name for one in five[2:5]] == ["RelativeNAS", "random 1", "random 2"]
    assert five == everyone(8)[:8]
    assert five[3:] == everyone(5, drawn=False)[2:]
    assert not {o.genotype for o in five[3:]} & {o.genotype for o in everyone(5, seed=1)[3:]}
    many = [one.genotype for one in everyone(200)[3:]]
    assert len(set(many)) == 200
    assert all(isinstance(one, Genotype) and SPACE.contains(one) for one in many)


def test_jobs_are_ordered_by_seed() -> None:
    five = everyone(2)
    jobs = training_jobs(five, [0, 1])
    assert list(jobs) == [TrainingJob(one.genotype, seed) for seed in (0, 1) for one in five]
    assert list(jobs.values()) == [one.name for one in five] * 2
    assert len({job.folder for job in jobs}) == len(jobs)


def result(job: TrainingJob) -> Result:
    return Result(
        name="n",
        seed=job.seed,
        epochs=2,
        kept_epoch=1,
        validation_accuracy=None,
        validation_loss=None,
        test_accuracy=0.5 + job.seed / 10,
        test_loss=1.0,
        parameters=7,
        multiply_adds=9,
        seconds=2.0,
        network=Path("n"),
    )


def test_an_architecture_with_two_names_is_trained_once() -> None:
    twice = [
        Contestant(kind=FOUND, name="found", genotype=published("DARTS_V1")),
        Contestant(kind=DRAWN, name="drawn", genotype=published("DARTS_V1")),
    ]
    jobs = training_jobs(twice, range(2))
    assert len(jobs) == 2
    results, latencies = {job: result(job) for job in jobs}, {twice[0].genotype: 0.5}
    found, drawn = compared(twice, range(2), results, latencies)
    assert (found.name, drawn.name) == ("found", "drawn")
    assert found.trainings == drawn.trainings
    assert found.accuracies == pytest.approx([0.5, 0.6])
    assert (found.parameters, found.multiply_adds) == (7, 9)
    assert (found.epochs, found.latency, drawn.latency) == (2, 0.5, 0.5)
