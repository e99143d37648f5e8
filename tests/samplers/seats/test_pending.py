"""Pending proposals of a generation, which the model of its pairs counts as known."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import PartialFixedSampler

from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import GaussianProcess
from relativenas_optuna.samplers.relative_nas.surrogate.settings import PLAIN
from relativenas_optuna.samplers.seats.claims import CLAIM_KEY, claim_data
from tests.helpers.samplers.searches import (
    SPACE,
    Space,
    bits,
    followed,
    loss,
    new_sampler,
    search,
    seated,
    state,
    suggest,
    trials_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 6


def narrow(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest with other ranges than in the space, where the parameters are drawn uniformly."""
    space = SPACE | {"x": FloatDistribution(-1, 0.3), "even": IntDistribution(-4, 2, step=2)}
    return {name: trial._suggest(name, space[name]) for name in space}


def whole(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest the proposed parameters."""
    return suggest(trial, SPACE)


def scored_in_any_order(
    dice: Random,
    trials: int,
    ask: Callable[[], optuna.Trial],
    suggests: Callable[[optuna.Trial], dict[str, Any]],
) -> None:
    """Run up to three trials at once, which end in any order."""
    running: list[tuple[optuna.Trial, float]] = []
    for _ in range(3 * trials):
        if running and dice.random() < 0.6:
            trial, value = running.pop(dice.randrange(len(running)))
            trial.study.tell(trial, value)
        elif len(running) < 3:
            trial = ask()
            running.append((trial, loss(suggests(trial), SPACE)))
    for trial, value in running:
        trial.study.tell(trial, value)


@pytest.mark.slow
@given(seed=st.integers(0, 99), dice=st.randoms(use_true_random=False))
def test_a_score_of_other_parameters_affects_its_own_pair_only(seed: int, dice: Random) -> None:
    study = optuna.create_study(sampler=new_sampler(SPACE, SIZE, "plain", seed=seed))
    scored_in_any_order(dice, trials_of(SIZE, 6), study.ask, narrow)
    alone = search(
        space=SPACE,
        trials=len(study.trials),
        population_size=SIZE,
        seed=seed,
        preset="plain",
        objective=lambda trial: loss(narrow(trial), SPACE),
    )
    expected = dict(seated(alone))
    for seat, params in seated(study):
        assert seat not in expected or expected[seat] == params
    assert len(dict(seated(study)).keys() & expected.keys()) >= trials_of(SIZE, 2)


@pytest.mark.slow_except("fixed-whole")
@pytest.mark.filterwarnings("ignore:PartialFixedSampler is experimental")
@pytest.mark.parametrize("suggests", [narrow, whole])
@pytest.mark.parametrize("fixed", [{}, {"op": None, "rate": 0.02}], ids=["free", "fixed"])
@settings(max_examples=8)  # of each of the four
@given(seed=st.integers(0, 99), learned=st.booleans(), dice=st.integers(0, 10**6))
def test_a_new_process_continues_like_one_that_saw_everything(
    suggests: Callable[[optuna.Trial], dict[str, Any]],
    fixed: dict[str, Any],
    seed: int,
    learned: bool,
    dice: int,
) -> None:
    def searched(*, fresh: bool) -> optuna.Study:
        def ask() -> optuna.Trial:
            if fresh:
                study.sampler = sampler()
            if enqueues.random() < 0.1:
                study.enqueue_trial({"x": 0.1, "width": 7})
            return study.ask()

        def sampler() -> optuna.samplers.BaseSampler:
            made = new_sampler(space, SIZE, "plain", seed=seed)
            return PartialFixedSampler(fixed, made) if fixed else made

        enqueues = Random(dice)
        study = optuna.create_study(sampler=sampler())
        scored_in_any_order(Random(dice), trials_of(SIZE, 4), ask, suggests)
        return study

    space = None if learned else SPACE
    one, other = searched(fresh=False), searched(fresh=True)
    # The proposal of an extra trial depends on what its process saw.
    found = [[(seat, seat and params) for seat, params in seated(study)] for study in (one, other)]
    assert found[0] == found[1]
    assert state(one) == state(other)
    if not fixed:
        assert bits(followed(one)) == state(one)


def test_a_claim_stores_the_fingerprint_of_a_computed_proposal() -> None:
    study = search(space=SPACE, trials=20, preset="plain")
    claims = [claim_data(trial.system_attrs) for trial in study.trials]
    assert [claim["generation"] > 0 for claim in claims] == ["proposed" in c for c in claims]
    before = search(
        space=SPACE, trials=20, preset="plain", screening=replace(PLAIN, models_pending=False)
    )
    assert not any("proposed" in claim_data(trial.system_attrs) for trial in before.trials)


def test_popping_a_waiting_trial_keeps_its_fingerprint() -> None:
    study = search(space=SPACE, trials=20, preset="plain")
    numbers = new_sampler(SPACE, preset="plain").enqueue_generation(study)
    before = [claim_data(study.trials[number].system_attrs)["proposed"] for number in numbers]
    study.sampler = new_sampler(None, preset="plain")  # has read nothing yet
    asked = [study.ask().number for _ in numbers]
    assert asked == numbers
    assert [claim_data(study.trials[n].system_attrs)["proposed"] for n in numbers] == before


@pytest.mark.parametrize("junk", [None, "text"])  # of another type the claim counts as none
def test_a_claim_without_a_readable_fingerprint_costs_only_time(junk: object) -> None:
    study, spoilt = search(space=SPACE, trials=31, preset="plain"), optuna.create_study()
    for trial in study.trials:
        claim = claim_data(trial.system_attrs) | {"proposed": junk}
        trial.system_attrs[CLAIM_KEY] = json.dumps(claim)
        spoilt.add_trial(trial)
    assert state(spoilt) == state(study)


@pytest.mark.slow
def test_pending_proposals_make_repeats_rarer() -> None:
    space: Space = {f"v{i}": CategoricalDistribution(list("abcde")) for i in range(6)}

    def repeats(*, pending: bool) -> int:
        found = 0
        for seed in range(6):
            study = search(
                space=space,
                trials=100,
                population_size=8,
                seed=seed,
                preset="plain",
                screening=replace(PLAIN, models_pending=pending, max_scores=1),
                objective=lambda trial: sum(
                    (i + 1) * (value != "c") + (value == "a")
                    for i, value in enumerate(suggest(trial, space).values())
                ),
            )
            found += 100 - len({tuple(trial.params.values()) for trial in study.trials})
        return found

    before, now = repeats(pending=False), repeats(pending=True)
    assert before > 0
    assert now < 0.8 * before, (now, before)


def test_a_large_generation_models_only_the_nearest_proposals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    original = GaussianProcess.condition_on

    def condition_on(
        self: GaussianProcess, positions: Any, losses: Any, pending: Any
    ) -> GaussianProcess:
        seen.append(len(pending))
        return original(self, positions, losses, pending)

    monkeypatch.setattr(GaussianProcess, "condition_on", condition_on)
    search(space=SPACE, trials=220, population_size=100, preset="plain")
    assert max(seen) == 32


def test_a_fingerprint_depends_on_the_scores_behind_the_proposal() -> None:
    def searched(last: float) -> optuna.Study:
        return search(
            space=SPACE,
            trials=16,
            population_size=4,
            preset="plain",
            objective=lambda trial: (
                last if trial.number == 0 else loss(suggest(trial, SPACE), SPACE)
            ),
        )

    one, other = searched(90.0), searched(91.0)
    assert seated(one)[1:] == seated(other)[1:]  # the worst it is in both, and only ranks count
    proposed = [
        [claim_data(t.system_attrs).get("proposed") for t in study.trials if t.number > 8]
        for study in (one, other)
    ]
    assert None not in proposed[0]
    assert not set(proposed[0]) & set(proposed[1])
