"""The note of a trial against what the trials say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler, SearchView
from relativenas_optuna.dashboard.trial_note import Best, trial_note
from relativenas_optuna.samplers.seats.claims import seat_of
from relativenas_optuna.visualization import plot_all
from tests.helpers.visualization_studies import SPACE, score, scrambled, searched

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def rows(study: optuna.Study, number: int) -> dict[str, str]:
    """Return the table of a trial's note."""
    view = SearchView.of(study)
    note = trial_note(study.trials[number], view, Best.of(view, 100))
    lines = [line for line in note.splitlines() if line.startswith("| ")][1:]
    return {cells[1]: cells[2] for cells in ([c.strip() for c in ln.split("|")] for ln in lines)}


def title(study: optuna.Study, number: int) -> str:
    view = SearchView.of(study)
    return trial_note(study.trials[number], view, Best.of(view, 100)).partition("\n")[0]


def pair_of(study: optuna.Study) -> tuple[FrozenTrial, FrozenTrial]:
    """Return the first pair: its fast and its slow learner."""
    view = SearchView.of(study)
    assert view is not None
    generation = view.generations[0]
    pair = generation.pairs[0]
    assert pair.fast is not None
    assert pair.slow is not None
    numbers = [generation.members[m].counted for m in (pair.fast, pair.slow)]
    assert numbers[0] is not None
    assert numbers[1] is not None
    return study.trials[numbers[0]], study.trials[numbers[1]]


def test_it_says_who_won_by_how_much_and_against_whom() -> None:
    study = searched(8)
    fast, slow = pair_of(study)
    margin = f"{slow.values[0] - fast.values[0]:.4g}"
    won, lost = rows(study, fast.number), rows(study, slow.number)
    assert won["outcome"].startswith(f"**won by {margin}**: the fast learner")
    assert lost["outcome"].startswith(f"**lost by {margin}**: the slow learner, which moves toward")
    assert f"trial {slow.number} of member" in won["partner"]
    assert f"trial {fast.number} of member" in lost["outcome"]
    assert won["generation"] == "0 (the first is 0)"
    assert won["pair"] == "0"
    assert {won["seat"][0], lost["seat"][0]} == {"0", "1"}


def test_it_says_what_the_architecture_costs_and_with_which_weights_it_began() -> None:
    study = searched(3)
    attributes = study.trials[2].user_attrs
    found = rows(study, 2)
    assert found["multiply-adds"].endswith(f"({attributes['multiply_adds']:,})")
    assert found["parameters"] == f"{attributes['parameters']:,}"
    assert found["weight set"] == "version 1"


def test_the_note_of_a_best_trial_names_its_generations() -> None:
    study = searched(4)
    (best,) = [n for n in range(4) if title(study, n) == "**The best of generation 0**"]
    assert study.trials[best].value == study.best_value
    kept = searched(12, preset="plain")
    view = SearchView.of(kept)
    assert view is not None
    titles = [title(kept, n) for n in range(12)]
    for generation in view.generations:
        if generation.complete and generation.best is not None:
            counted = generation.members[generation.best].counted
            assert counted is not None
            assert str(generation.index) in titles[counted] or " to " in titles[counted]
    assert any("generations" in line for line in titles)


def test_a_pair_that_is_not_scored_is_open() -> None:
    study = searched(0)
    trial = study.ask()
    assert rows(study, 0)["outcome"] == "open: this trial is running"
    study.tell(trial, 1.0)
    assert rows(study, 0)["outcome"] == "open: the partner is not scored yet"
    assert "not scored yet" in rows(study, 0)["partner"]
    study.ask()
    assert "being scored" in rows(study, 0)["partner"]


def test_equal_and_infinite_scores_and_failures_are_said() -> None:
    study = optuna.create_study(
        sampler=RelativeNASSampler(SPACE.distributions, population_size=2, seed=0, preset="paper")
    )
    study.tell(study.ask(), 1.0)
    study.tell(study.ask(), 1.0)
    assert rows(study, 0)["outcome"].startswith("**won though both are equal**")
    failed = study.ask()
    study.tell(failed, state=TrialState.FAIL)
    assert rows(study, 2)["outcome"] == "none: this trial has no score"
    study.tell(study.ask(), 1.0)
    assert rows(study, 2)["outcome"] == "does not count: trial 3 scored this seat"
    study.tell(study.ask(), math.inf)
    assert "by infinity" in rows(study, 4)["outcome"]


def test_a_random_search_moves_nobody() -> None:
    study = searched(4, preset="random")
    fast, slow = pair_of(study)
    assert rows(study, fast.number)["outcome"].endswith("the fast learner")
    assert rows(study, slow.number)["outcome"].endswith("the slow learner")


def test_a_trial_of_another_sampler_says_that_it_has_no_seat() -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.optimize(score, n_trials=1)
    found = rows(study, 0)
    assert "the sampler of this trial gives no seats" in found["seat"]
    assert found["weight set"] == "version 0"


def str_of(value: object) -> str:
    return str(value)[:9]


@pytest.mark.parametrize("value", [math.nan, "x", None, True, [1], 10**400], ids=str_of)
def test_attributes_of_any_kind_end_nothing(value: object) -> None:
    study = searched(1)
    trial = study.ask()
    for name in ("parameters", "multiply_adds", "weights_version", "stale_commits", "genotype"):
        trial.set_user_attr(name, value)
    study.tell(trial, 1.0)
    assert "seat" in rows(study, 1)
    assert plot_all(study)


@given(
    seed=st.integers(0, 9999),
    trials=st.integers(1, 40),
    directions=st.sampled_from([["minimize"], ["minimize", "maximize"]]),
)
@settings(max_examples=10)
def test_every_trial_has_a_note(seed: int, trials: int, directions: list[str]) -> None:
    study = scrambled(seed, trials, directions=directions)
    for number in range(len(study.trials)):
        found = rows(study, number)
        if seat_of(study.trials[number]) is None:
            assert found["seat"].startswith("none: an extra trial")
        else:
            assert {"generation", "seat", "pair", "partner", "outcome"} <= found.keys()
