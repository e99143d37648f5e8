"""The sampler in studies: against a second implementation, and on every storage."""

from __future__ import annotations

import uuid
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import PartialFixedSampler, RandomSampler
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import Claim, Seat, seat_of
from relativenas_optuna.samplers.seats.worker import this_worker
from tests.helpers.samplers import relative_nas_reference as reference
from tests.helpers.samplers import strategies
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    loss,
    loss_of,
    new_sampler,
    population,
    scored,
    search,
    seated,
    state,
)

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


@given(
    space=strategies.spaces(),
    size=st.sampled_from([2, 4, 6]),
    seed=st.integers(0, 2**32 - 1),
    maximize=st.booleans(),
)
@settings(max_examples=25)
def test_a_study_is_the_independent_algorithm_to_the_last_bit(
    space: dict[str, BaseDistribution], size: int, seed: int, maximize: bool
) -> None:
    generations = 5
    positions, velocities, params = reference.search(
        space,
        lambda p: loss(p, space),
        population_size=size,
        generations=generations,
        seed=seed,
        maximize=maximize,
    )
    study = search(
        space=space,
        trials=size * generations,
        population_size=size,
        seed=seed,
        objective=loss_of(space),
        direction="maximize" if maximize else "minimize",
    )
    assert [t.params for t in study.trials] == [p for generation in params for p in generation]
    found = population(study, size)
    assert len(found.generations) == generations + 1
    for generation, x, v in zip(found.generations, positions, velocities, strict=True):
        assert generation.positions.tolist() == x.tolist()
        assert generation.velocities.tolist() == v.tolist()


def travels_with_a_wide_space(storage: BaseStorage, name: str) -> None:
    """Continue a search whose space has more characters than an attribute on MySQL."""
    wide = {f"p{i}": CategoricalDistribution(["x" * 50, "y" * 50]) for i in range(1000)}
    study = optuna.create_study(storage=storage, study_name=f"{name}-wide")
    try:
        whole: dict[str, Any] = {"population_size": np.int64(2), "seed": np.int64(1)}
        for space in (wide, None):
            sampler = study.sampler = RelativeNASSampler(space, **whole)
            study.tell(study.ask({"p999": wide["p999"]}), 0.0)
        second = sampler.population(study)
        assert second is not None
        assert list((second.settings.space or {}).items()) == list(wide.items())
        assert second.scored_seats(1) == 2
    finally:
        optuna.delete_study(study_name=f"{name}-wide", storage=storage)


@pytest.mark.slow_except("postgresql", "sqlite")
def test_every_storage_gives_the_same_search(storage: BaseStorage) -> None:
    # One test for both spaces: two processes cannot create tables at the same time.
    for space in (SPACE, None):
        name = f"relativenas-test-{uuid.uuid4().hex}"
        try:
            search(space=space, trials=9, storage=storage, study_name=name)
            study = optuna.load_study(
                storage=storage, study_name=name, sampler=RelativeNASSampler(population_size=4)
            )
            study.optimize(OBJECTIVE, n_trials=4)
            undisturbed = search(space=space, trials=13)
            assert seated(study) == seated(undisturbed)
            assert state(study) == state(undisturbed)
            travels_with_a_wide_space(storage, name)
        finally:
            optuna.delete_study(storage=storage, study_name=name)


@pytest.mark.parametrize("space", [SPACE, None], ids=["known", "learned"])
def test_the_search_improves_on_its_first_generation(space: Space | None) -> None:
    objective = lambda trial: sum(  # noqa: E731
        (trial.suggest_float(name, -1, 1) - 0.3) ** 2 for name in "abcd"
    )
    bowl: Space = {name: FloatDistribution(-1, 1) for name in "abcd"}
    study = search(
        space=bowl if space else None, trials=160, population_size=8, objective=objective
    )
    values = [t.value for t in study.trials if t.value is not None]
    assert min(values[-8:]) < min(values[:8]) / 10


@pytest.mark.parametrize("space", [SPACE, None], ids=["known", "learned"])
def test_an_enqueued_trial_takes_the_next_seat_and_moves_its_member(
    space: Space | None,
) -> None:
    wanted = {"x": 0.875, "rate": 0.01, "width": 9, "even": 2, "op": None}
    study = search(space=space, trials=2)
    study.enqueue_trial(wanted)
    study.enqueue_trial({"op": "b"})
    study.optimize(OBJECTIVE, n_trials=4)
    assert seat_of(study.trials[2]) == Seat(0, 2)
    assert seat_of(study.trials[3]) == Seat(0, 3)
    assert study.trials[2].params == wanted
    # Parameters that were not enqueued are the proposed ones.
    plain = search(space=space, trials=4).trials[3].params
    assert study.trials[3].params == {**plain, "op": "b"}
    generation = population(study).generations[0]
    assert generation.encoding is not None
    for seat in range(4):
        decoded = generation.encoding.decode(generation.positions[generation.member(seat)])
        params = study.trials[seat].params
        assert decoded.pop("rate") == pytest.approx(params.pop("rate"), rel=1e-12)
        assert decoded == params


def test_a_fixed_parameter_moves_its_member() -> None:
    base = new_sampler(SPACE)
    study = optuna.create_study(sampler=base)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = PartialFixedSampler({"op": "b", "x": 0.5}, base)
    study.optimize(OBJECTIVE, n_trials=12)
    assert all(t.params["op"] == "b" and t.params["x"] == 0.5 for t in study.trials)
    found = population(study)
    assert found.scored_seats(3) == 12
    for generation in found.generations[:3]:
        assert (generation.positions[:, list(SPACE).index("x")] == 0.5).all()
    free = search(space=SPACE, trials=4)
    for fixed, other in zip(study.trials[:4], free.trials, strict=True):
        assert fixed.params == {**other.params, "op": "b", "x": 0.5}


@pytest.mark.parametrize("started", [True, False], ids=["started", "empty"])
def test_trials_of_other_samplers_are_ignored(
    started: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.optimize(OBJECTIVE, n_trials=3)
    waiting = study.ask()  # never reported, and nothing shows that it is lost
    if started:
        waiting.suggest_float("x", -1, 1)
    else:  # it may be about to claim a seat
        monkeypatch.setattr("relativenas_optuna.samplers.seats.replay.ARRIVAL_AGE", 0.0)
    ours = new_sampler(SPACE)
    for k in range(12):
        study.sampler = ours
        study.optimize(OBJECTIVE, n_trials=1)
        if k % 3 == 0:
            study.sampler = RandomSampler(seed=k)
            study.optimize(OBJECTIVE, n_trials=1)
            study.add_trial(
                optuna.create_trial(value=-99.0, params={"x": 0}, distributions={"x": SPACE["x"]})
            )
    undisturbed = search(space=SPACE, trials=12)
    assert state(study) == state(undisturbed)
    assert scored(study) == scored(undisturbed)
    assert study.trials[waiting.number].state == TrialState.RUNNING


def test_a_parameter_outside_the_known_space_is_drawn_for_each_seat() -> None:
    def objective(trial: optuna.Trial) -> float:
        trial.suggest_int("extra", 0, 10**6)
        return OBJECTIVE(trial)

    study = search(space=SPACE, trials=12, objective=objective)
    extras = [t.params["extra"] for t in study.trials]
    assert len(set(extras)) == 12
    assert state(study) == state(search(space=SPACE, trials=12))
    assert extras == [
        t.params["extra"] for t in search(space=SPACE, trials=12, objective=objective).trials
    ]


def test_a_parameter_suggested_with_another_range_stays_in_it() -> None:
    sampler = new_sampler(SPACE)
    study = optuna.create_study(sampler=sampler)
    study.ask()
    other: Space = {"x": FloatDistribution(5, 9), "new": IntDistribution(20, 30)}
    sampled = sampler.sample_relative(study, study.trials[0], other)
    assert list(sampled) == list(other)
    assert all(other[name]._contains(value) for name, value in sampled.items())


@pytest.mark.parametrize("space", [{}, {"one": IntDistribution(4, 4)}], ids=["none", "single"])
def test_a_space_without_variables_gives_out_seats(space: Space) -> None:
    study = search(space=space, trials=8, objective=loss_of({**SPACE, **space}))
    assert [seat_of(t) for t in study.trials] == [Seat(k // 4, k % 4) for k in range(8)]


@pytest.mark.filterwarnings("ignore:1 of the study's trials .number 4. have a claim:UserWarning")
@pytest.mark.parametrize("place", [(-1, 0), (0, 4), (0, -1)])
def test_a_claim_on_a_seat_that_does_not_exist_scores_nothing(place: tuple[int, int]) -> None:
    study = search(space=SPACE, trials=4)
    claim = Claim(Seat(*place), this_worker(), "RelativeNASSampler")
    study.ask()
    claim.write(study._storage, study.trials[-1]._trial_id)
    study.tell(4, -99.0)
    assert population(study).scored_seats(generations=1) == 4
    assert state(study) == state(search(space=SPACE, trials=4))


def test_one_sampler_serves_two_studies_at_once() -> None:
    sampler = new_sampler(SPACE)
    one, other = (optuna.create_study(sampler=sampler) for _ in range(2))
    for _ in range(9):
        one.optimize(OBJECTIVE, n_trials=1)
        other.optimize(lambda trial: -OBJECTIVE(trial), n_trials=1)
    assert seated(one) == seated(search(space=SPACE, trials=9))
    negated: Any = lambda trial: -OBJECTIVE(trial)  # noqa: E731
    assert seated(other) == seated(search(space=SPACE, trials=9, objective=negated))


def test_studies_without_a_seed_get_different_seeds_and_keep_them() -> None:
    studies = []
    for _ in range(2):
        sampler = RelativeNASSampler(SPACE, population_size=4, preset="paper")
        study = optuna.create_study(sampler=sampler)
        study.optimize(OBJECTIVE, n_trials=4)
        seed = population(study).settings.seed
        study.sampler = RelativeNASSampler(population_size=4, seed=seed)
        study.optimize(OBJECTIVE, n_trials=4)
        assert seated(study) == seated(search(space=SPACE, trials=8, seed=seed))
        studies.append(study)
    assert studies[0].trials[0].params != studies[1].trials[0].params


def test_there_is_no_population_before_the_first_trial() -> None:
    sampler = RelativeNASSampler(population_size=4)
    study = optuna.create_study(sampler=sampler)
    assert sampler.population(study) is None
    study.ask()
    assert sampler.population(study) is not None


def test_threads_of_one_sampler_take_every_seat_once() -> None:
    study = optuna.create_study(sampler=new_sampler(SPACE))
    study.optimize(OBJECTIVE, n_trials=24, n_jobs=2)
    undisturbed = search(space=SPACE, trials=24)
    everyone = scored(undisturbed)
    for seat, (params, value) in scored(study).items():
        if seat in everyone:
            assert (params, value) == everyone[seat]
    assert len(scored(study)) >= 20
