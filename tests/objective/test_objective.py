from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Collection
from functools import cache
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState

from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.spaces import CellSpace
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from relativenas_optuna.training import DataError, Images
from tests.helpers import supernet_reference as reference
from tests.helpers.tiny_search import (
    SEATS,
    SEED,
    SETTINGS,
    SPACE,
    Scoring,
    objective,
    positions,
    same_bits,
    scores,
    searched,
    study,
    tiny_images,
)

Way = dict[str, Any]
RATE = 200.0  # at which most searches have seats that diverge, alone or in pairs
DIVERGING: Way = {"learning_rate": RATE, "learning_rate_end": RATE, "clip": 1e6, "drop_path": 0.0}


def expected(scoring: Scoring) -> reference.Found:
    assert isinstance(scoring.space, CellSpace)
    return reference.search(
        scoring.space,
        scoring.training,
        scoring.validation,
        scoring.settings,
        seed=scoring.seed,
    )


def assert_is(found: optuna.Study, scoring: Scoring, oracle: reference.Found) -> None:
    losses = {
        Seat(generation, seat): loss
        for generation, row in enumerate(oracle.losses)
        for seat, loss in enumerate(row)
        if math.isfinite(loss)
    }
    assert scores(found) == losses
    for mine, theirs in zip(positions(found), oracle.positions, strict=False):
        assert mine[: SETTINGS.population] == theirs
    assert same_bits(scoring.supernet.state_dict(), oracle.supernet.state_dict())


def test_a_search_is_the_plain_algorithm_to_the_last_bit() -> None:
    scoring, found = searched()
    oracle = expected(scoring)
    assert_is(found, scoring, oracle)
    assert scoring.weights.version == SEATS // 2
    for trial in found.trials:
        seat = seat_of(trial)
        assert seat is not None
        attrs = trial.user_attrs
        assert (attrs["generation"], attrs["seat"]) == (seat.generation, seat.number)
        assert attrs["genotype"] == SPACE.genotype(trial.params).to_text()
        assert {name for name in attrs if name.startswith("seconds_")} == {
            f"seconds_{phase}" for phase in ("inherit", "train", "validate", "commit")
        }
        assert 0 <= attrs["accuracy"] <= 1


def test_in_a_tie_the_first_of_the_pair_is_the_fast_learner_of_the_weights_too() -> None:
    one_class = dataclasses.replace(tiny_images(), labels=torch.zeros_like(tiny_images().labels))
    scoring, found = searched(
        data=one_class.subset(range(30)),
        validation=one_class.subset(range(30, 60)),
        learning_rate=10.0,
        clip=1e6,
        drop_path=0.0,
    )
    oracle = expected(scoring)
    assert {loss for row in oracle.losses for loss in row} == {0.0}
    assert_is(found, scoring, oracle)


@cache
def diverged_with(seed: int) -> set[Seat | None]:
    _, found = searched(seed=seed, **DIVERGING)
    return {seat_of(trial) for trial in found.trials if trial.state == TrialState.FAIL}


LAST_PAIR = SETTINGS.generations - 1, SETTINGS.population // 2 - 1


def fates(diverged: Collection[Seat | None]) -> set[str]:
    """Return which members of their pairs diverged, in words, for the seats that did."""
    found = set()
    for seat in diverged:
        assert seat is not None
        if seat.partner in diverged:
            found.add("both of a pair")
        elif (seat.generation, seat.pair) == LAST_PAIR:
            found.add("one of the last pair")
        else:
            found.add("the second of a pair" if seat.number % 2 else "the first of a pair")
    return found


@pytest.mark.slow_except("the first")
@pytest.mark.parametrize(
    "fate",
    [
        "both of a pair",
        "the first of a pair",
        pytest.param("one of the last pair", marks=pytest.mark.slow),
        pytest.param("the second of a pair", marks=pytest.mark.slow),
    ],
)
def test_a_seat_that_diverges_three_times_is_slowest_and_its_partner_is_committed_alone(
    fate: str,
) -> None:
    # Which training overflows is decided by how the CPU rounds: no seed shows a fate everywhere.
    seed = next(seed for seed in range(50) if fate in fates(diverged_with(seed)))
    scoring, found = searched(seed=seed, **DIVERGING)
    oracle = expected(scoring)
    diverged = [
        Seat(generation, seat)
        for generation, row in enumerate(oracle.losses)
        for seat, loss in enumerate(row)
        if math.isinf(loss)
    ]
    assert fate in fates(diverged)
    failed = [t for t in found.trials if t.state == TrialState.FAIL]
    assert [seat_of(trial) for trial in failed] == [seat for seat in diverged for _ in range(3)]
    assert not any(INTERRUPTED_KEY in trial.system_attrs for trial in failed)
    assert bool(scoring.waiting) == ("one of the last pair" in fates(diverged))
    for waiting in scoring.waiting:
        assert waiting.partner in diverged
        assert waiting.pair == SETTINGS.population // 2 - 1
    scoring.settle(found)
    assert not scoring.waiting
    assert_is(found, scoring, oracle)
    widowed = scoring.weights.version
    scoring.settle(found)
    assert scoring.weights.version == widowed


def test_a_finite_loss_over_weights_that_are_not_finite_fails_and_leaves_no_trace() -> None:
    scoring, found = objective(), study()
    with torch.no_grad():  # variances overflow, and what is divided by them is zero
        for name, parameter in scoring.supernet.named_parameters():
            if parameter.dim() == 4 and "stem" in name:
                parameter.copy_(torch.randn_like(parameter) * 1e30)
    before = scoring.weights.snapshot()
    outcome = scoring._trainer.train(SPACE.random(np.random.default_rng(0)), Seat(0, 0))
    assert math.isfinite(outcome.score.loss)
    assert outcome.diverged
    found.optimize(scoring, n_trials=2)
    assert [trial.state for trial in found.trials] == [TrialState.FAIL] * 2
    assert same_bits(scoring.weights.snapshot(), before)


def test_weights_are_to_the_last_bit_as_before_a_training_that_diverges() -> None:
    scoring, found = objective(learning_rate=1e9), study()
    before = scoring.weights.snapshot()
    found.optimize(scoring, n_trials=2)
    assert [t.state for t in found.trials] == [TrialState.FAIL] * 2
    assert seat_of(found.trials[0]) == seat_of(found.trials[1]) == Seat(0, 0)
    assert same_bits(scoring.weights.snapshot(), before)
    assert scoring.weights.version == 0
    assert not scoring.waiting


def numpy_state() -> str:
    return repr(np.random.get_state(legacy=False))  # noqa: NPY002


def test_the_seed_decides_a_search_and_global_random_states_are_neither_read_nor_changed() -> None:
    results = []
    for world in (1, 2):
        torch.manual_seed(world)
        np.random.seed(world)  # noqa: NPY002
        random.seed(world)
        before = torch.get_rng_state(), numpy_state(), random.getstate()
        scoring, found = searched(8)
        scoring.evaluate(SPACE.genotype(found.best_params))
        assert torch.equal(before[0], torch.get_rng_state())
        assert numpy_state() == before[1]
        assert before[2] == random.getstate()
        results.append((scores(found), positions(found), scoring.weights.snapshot()))
    assert results[0][:2] == results[1][:2]
    assert same_bits(results[0][2], results[1][2])

    scoring, found = searched(8, seed=SEED + 1)
    assert scores(found) != results[0][0]
    assert not same_bits(scoring.weights.snapshot(), results[0][2])


def test_both_of_a_pair_start_from_the_same_weights() -> None:
    scoring, found = objective(), study()
    before = scoring.weights.snapshot()
    found.optimize(scoring, n_trials=1)
    assert scoring.waiting == [Seat(0, 0)]
    assert same_bits(scoring.weights.snapshot(), before)
    found.optimize(scoring, n_trials=1)
    assert not scoring.waiting
    assert not same_bits(scoring.weights.snapshot(), before)
    assert scoring.weights.version == 1


# --- evaluation and arguments


def test_an_evaluation_leaves_the_weights_as_they_were_and_repeats_itself() -> None:
    scoring, found = searched(4)
    genotypes = [SPACE.genotype(trial.params) for trial in found.trials]
    before = scoring.weights.snapshot()
    first = [scoring.evaluate(genotype) for genotype in genotypes]
    assert same_bits(scoring.weights.snapshot(), before)
    assert [scoring.evaluate(genotype) for genotype in genotypes] == first
    assert len({score.loss for score in first}) > 1
    assert {score.count for score in first} == {len(scoring.validation)}
    with pytest.raises(ValueError, match="not in this space"):
        scoring.evaluate(CellSpace(nodes=2).random(np.random.default_rng(0)))
    assert same_bits(scoring.weights.snapshot(), before)


def other_classes(given: Images) -> Images:
    return dataclasses.replace(given, classes=tuple("abcdefghij"))


def other_shape(given: Images) -> Images:
    return dataclasses.replace(given, images=given.images[..., :6])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be a whole number from 0 to 2"),
        ({"seed": 2**32}, "seed must be a whole number from 0 to 2"),
        ({"seed": True}, "seed must be a whole number from 0 to 2"),
        ({"cutout": 9}, "cutout must be at most 8 for images of 8x8, got 9"),
        ({"padding": 8}, "padding must be at most 7 for images of 8x8, got 8"),
        ({"validation": other_classes(tiny_images())}, "validation images must have the classes"),
        ({"validation": other_shape(tiny_images())}, "validation images must have the shape"),
        ({"validation": tiny_images().subset([])}, "1 to score with; got 60 and 0"),
        ({"data": tiny_images().subset([0]), "validation": tiny_images()}, "2 images to train on"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_trial(options: Way, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        objective(**options)
    assert "\n" not in str(caught.value)


def test_images_that_are_too_small_are_refused_before_the_first_trial() -> None:
    small = dataclasses.replace(tiny_images(), images=tiny_images().images[..., :3, :3])
    with pytest.raises(DataError, match="at least 4x4 pixels; got 3x3"):
        objective(data=small)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="device must be one of"):
        SupernetObjective(SPACE, tiny_images(), settings=SETTINGS, device="cuda:99")
