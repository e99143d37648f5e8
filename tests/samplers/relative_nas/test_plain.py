"""Preset "plain" without screening, against a second implementation.

Fast learners keep their scores, and nothing is proposed twice.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.surrogate.settings import OFF
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from tests.helpers.samplers import relative_nas_reference as reference
from tests.helpers.samplers import strategies
from tests.helpers.samplers.searches import (
    Space,
    both_spaces,
    loss,
    loss_of,
    new_sampler,
    population,
    scored,
    search,
    suggest,
    trials_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL: list[BaseDistribution] = [
    CategoricalDistribution(["a", None, 2]),
    CategoricalDistribution(["alone"]),
    IntDistribution(1, 6, log=True),
    IntDistribution(3, 3),
    IntDistribution(-4, 4, step=4),
    FloatDistribution(0.0, 0.3, step=0.1),
    FloatDistribution(-1.0, -1.0),
]


@st.composite
def small_spaces(draw: st.DrawFn) -> Space:
    """Draw finite spaces of 1 to about 100 architectures, some with single-valued parameters."""
    kinds = draw(st.lists(st.sampled_from(SMALL), min_size=1, max_size=4))
    return {f"p{i}": distribution for i, distribution in enumerate(kinds)}


def only(space: Space, params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a space has."""
    return {name: params[name] for name in space}


def follows_the_reference(space: Space, size: int, seed: int, *, more: bool = False) -> list[Any]:
    """Check a search against the second implementation; return how often it left the rule."""
    generations = 7

    def objective(trial: optuna.Trial) -> float:
        if more:
            trial.suggest_int("more", 0, 1)
        return loss_of(space)(trial)

    study = search(
        space=space,
        trials=trials_of(size, generations),
        population_size=size,
        seed=seed,
        preset="plain",
        screening=OFF,
        objective=objective,
    )
    found = population(study, size)

    def real(generation: int, member: int) -> NDArray[Any]:
        position: NDArray[Any] = found.generations[generation].positions[member]
        return position

    expected = reference.synchronous(
        space,
        lambda params: reference.Member(params, (loss(params, space),)),
        lambda first, second, _: first.values <= second.values,
        population_size=size,
        generations=generations,
        seed=seed,
        real=real,
        described=not more,
    )
    proposed = [only(space, trial.params) for trial in study.trials]
    assert proposed == [params for generation in expected.scored for params in generation]
    # A pair whose members both keep their scores moves on at once and may start a generation.
    assert len(found.generations) > generations
    for index, generation in enumerate(found.generations[: generations + 1]):
        assert generation.positions.tolist() == expected.positions[index].tolist()
        assert generation.velocities.tolist() == expected.velocities[index].tolist()
        if index < generations:
            assert generation.kept.tolist() == expected.kept[index].tolist()
    return expected.moved


@given(
    space=strategies.spaces(max_size=3),
    size=st.sampled_from([2, 4, 6]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25)
def test_a_study_is_the_independent_algorithm_to_the_last_bit(
    space: Space, size: int, seed: int
) -> None:
    follows_the_reference(space, size, seed)


@given(space=small_spaces(), size=st.sampled_from([2, 4, 6]), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_only_visited_architectures_leave_the_learning_rule(
    space: Space, size: int, seed: int
) -> None:
    follows_the_reference(space, size, seed)


def test_a_small_space_often_leaves_the_learning_rule() -> None:
    space: Space = {name: CategoricalDistribution(list("abcde")) for name in "xy"}
    assert sum(len(follows_the_reference(space, 4, seed)) for seed in range(9)) > 9
    # With a further parameter, the space does not describe the architecture.
    assert not any(follows_the_reference(space, 4, seed, more=True) for seed in range(9))


@given(space=small_spaces(), size=st.sampled_from([2, 4]), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_preset_paper_never_leaves_the_learning_rule(space: Space, size: int, seed: int) -> None:
    varying = {name: d for name, d in space.items() if not d.single()}
    _, _, expected = reference.search(
        varying,
        lambda params: loss(params, varying),
        population_size=size,
        generations=6,
        seed=seed,
    )
    study = search(
        space=space,
        trials=6 * size,
        population_size=size,
        seed=seed,
        objective=lambda trial: loss(only(varying, suggest(trial, space)), varying),
    )
    proposed = [only(varying, trial.params) for trial in study.trials]
    assert proposed == [params for generation in expected for params in generation]


@given(space=small_spaces(), learned=st.booleans(), seed=st.integers(0, 99), dice=st.randoms())
@settings(max_examples=12)
def test_nothing_repeats_while_an_architecture_is_unvisited(
    space: Space, learned: bool, seed: int, dice: Random
) -> None:
    size = 4
    sampler = new_sampler(None if learned else space, size, "plain")
    study = optuna.create_study(sampler=sampler)
    whole = reference.size_of(space)
    running: list[optuna.Trial] = []
    for _ in range(60):
        if running and dice.random() < 0.5:
            trial = running.pop(dice.randrange(len(running)))
            study.tell(trial, loss(trial.params, space))
        else:
            trial = study.ask()
            suggest(trial, space)
            running.append(trial)
    first: dict[tuple[Any, ...], int] = {}
    for frozen in study.trials:
        seat = seat_of(frozen)
        if seat is None:  # an extra trial, which the population ignores
            continue
        key = tuple(frozen.params[name] for name in space)
        before = {known for known, generation in first.items() if generation <= seat.generation - 2}
        if frozen.state == TrialState.COMPLETE:
            first[key] = min(first.get(key, seat.generation), seat.generation)
        if seat.generation > 1 and len(before) < whole:
            assert key not in before


@both_spaces
def test_the_seat_of_a_kept_score_is_never_given_out(space: Space | None) -> None:
    study = search(space=space, trials=trials_of(6, 9), population_size=6, preset="plain")
    found = population(study, 6)
    kept = {
        Seat(generation.index, number)
        for generation in found.generations
        for number in range(6)
        if generation.kept[generation.member(number)]
    }
    again = sum(int(generation.reevaluated.sum()) for generation in found.generations)
    learned = sum(int(generation.learned.sum()) for generation in found.generations)
    assert len(kept) + again == learned  # all fast learners that are not re-evaluated
    assert again <= 4 < learned
    assert not kept & {seat_of(trial) for trial in study.trials}
    assert len(scored(study)) == len(study.trials) == trials_of(6, 9)
    for generation, following in zip(found.generations, found.generations[1:], strict=False):
        for member in range(6):
            if following.kept[member]:
                before = generation.seat_scores[generation.seat(member)]
                assert following.seat_scores[following.seat(member)] is before
                assert following.positions[member].tolist() == (
                    generation.positions[member].tolist()
                )
