"""Test the measurement of shared scores on the smallest search."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import optuna
import pytest

from relativenas_optuna.evaluation.fidelity import measure as module
from relativenas_optuna.evaluation.fidelity import rank_correlation as fidelity_figures
from relativenas_optuna.evaluation.fidelity.measure import measure
from relativenas_optuna.evaluation.fidelity.record import FIDELITY_ATTRIBUTE, Architecture, Fidelity
from relativenas_optuna.evaluation.fidelity.train_standalone import train_standalone
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.spaces import CellSpace
from tests.helpers.tiny_search import SEED, SPACE, objective, searched, study

SEATS = 8


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity_figures, "RESAMPLES", 30)


@cache
def scored() -> tuple[SupernetObjective[Any], optuna.Study]:
    return searched(SEATS)


@pytest.fixture
def scoring() -> SupernetObjective[Any]:
    return scored()[0]


@pytest.fixture
def found() -> optuna.Study:
    """Return the study that was searched, never measured."""
    copy = study()
    copy.add_trials(scored()[1].trials)
    return copy


def begun_elsewhere() -> SupernetObjective[Any]:
    """Other shared weights for the same images."""
    other = objective()
    other.weights.restore(objective(seed=SEED + 1).weights.snapshot(), version=99)
    return other


def trains(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with every stand-alone training."""
    seeds: list[int] = []

    def counted(*arguments: Any, seed: int, **options: Any) -> Any:
        seeds.append(seed)
        return train_standalone(*arguments, seed=seed, **options)

    monkeypatch.setattr(module, "train_standalone", counted)
    return seeds


def test_half_of_the_sample_comes_from_trials(
    found: optuna.Study, scoring: SupernetObjective[Any]
) -> None:
    measured = measure(found, scoring, sample=6, epochs=1, seed=3)
    assert [a.drawn for a in measured.sample] == [False, True] * 3
    assert len({a.text for a in measured.sample}) == 6
    for architecture in measured.sample:
        genotype = SPACE.parse(architecture.text)
        shared = scoring.evaluate(genotype)
        assert architecture.shared is not None
        assert architecture.shared.value == shared.loss
        assert architecture.shared.accuracy == shared.accuracy
        trials = [t for t in found.trials if SPACE.genotype(t.params) == genotype]
        assert trials or architecture.drawn
        if trials:
            assert (architecture.trial, architecture.searched) == (
                trials[-1].number,
                trials[-1].value,
            )
    assert Fidelity.stored_in(found) == measured


def test_standalone_scores_do_not_depend_on_shared_weights(
    found: optuna.Study, scoring: SupernetObjective[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = measure(found, scoring, sample=4, epochs=2)
    seeds = trains(monkeypatch)
    second = measure(found, begun_elsewhere(), sample=4, epochs=2)
    assert not seeds
    assert (second.weights, first.weights) == (99, scoring.weights.version)
    assert [a.shared for a in second.sample] != [a.shared for a in first.sample]
    anew = measure(found, begun_elsewhere(), sample=4, epochs=2, anew=True)
    assert len(seeds) == 4
    assert anew == second


@pytest.mark.slow
def test_a_sample_grown_in_steps_equals_one_drawn_at_once(
    found: optuna.Study, scoring: SupernetObjective[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = trains(monkeypatch)
    heard: list[Architecture] = []
    few = measure(found, scoring, sample=3, epochs=1)
    many = measure(found, scoring, sample=7, epochs=1, on_scored=heard.append)
    assert many.sample[:3] == few.sample
    assert len(seeds) == len(set(seeds)) == 7
    assert tuple(heard) == many.sample
    assert measure(found, scoring, sample=3, epochs=1) == few
    assert Fidelity.stored_in(found) == many  # of which nothing is lost
    assert measure(found, scoring, sample=7, epochs=1, anew=True) == many


def test_more_architectures_than_trials_are_drawn_at_random(
    found: optuna.Study, scoring: SupernetObjective[Any]
) -> None:
    distinct = {SPACE.text(SPACE.genotype(trial.params)) for trial in found.trials}
    drawn = module._sample(SPACE, module._scored_trials(found, SPACE), count=40, seed=0, known=())
    assert {a.text for a in drawn if not a.drawn} <= distinct <= {a.text for a in drawn}
    assert len(drawn) == 40


def test_agreements_follow_from_the_scores(
    found: optuna.Study, scoring: SupernetObjective[Any]
) -> None:
    measured = measure(found, scoring, sample=6, epochs=1)
    pairs = [
        (a.shared.value, a.standalone.value) for a in measured.sample if a.shared and a.standalone
    ]
    shared, alone = zip(*pairs, strict=True)
    assert measured.by_value(found) == fidelity_figures.agreement(shared, alone, seed=0)
    halves = [measured.of(found, drawn=drawn) for drawn in (False, True)]
    assert [half and half.count for half in halves] == [3, 3]
    of_search = measured.of_search(found)
    assert of_search is not None
    assert of_search.count == sum(a.trial is not None for a in measured.sample)


def test_a_maximised_metric_ranks_in_reverse() -> None:
    up = study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    scores = [{"value": value, "accuracy": value} for value in (0.1, 0.2, 0.3)]
    common = {"trial": None, "drawn": True, "searched": None}
    sample = [
        common | {"text": str(n), "shared": score, "standalone": score}
        for n, score in enumerate(scores)
    ]
    up.set_user_attr(FIDELITY_ATTRIBUTE, {"epochs": 1, "seed": 0, "weights": 0, "sample": sample})
    stored = Fidelity.stored_in(up)
    assert stored is not None
    assert stored.by_value(up).tau == pytest.approx(1)
    assert stored.by_value(up) == stored.by_accuracy()


def test_a_diverged_training_counts_as_worst(
    found: optuna.Study, scoring: SupernetObjective[Any]
) -> None:
    wild = objective(learning_rate=1e30, learning_rate_end=1e30, clip=1e30)
    measured = measure(found, wild, sample=2, epochs=1)
    assert all(a.standalone is not None and math.isnan(a.standalone.value) for a in measured.sample)
    stored = Fidelity.stored_in(found)
    assert stored is not None
    assert str(stored) == str(measured)  # NaN equals nothing
    assert math.isnan(stored.by_value(found).tau)


def random_study(**options: Any) -> optuna.Study:
    return study(sampler=optuna.samplers.RandomSampler(seed=0), **options)


def test_studies_of_other_samplers_can_be_measured() -> None:
    other, own = random_study(), objective()
    other.optimize(own, n_trials=3)
    measured = measure(other, own, sample=4, epochs=1)
    assert {a.trial for a in measured.sample if not a.drawn} <= {0, 1, 2}


def test_trials_that_no_supernet_scored_are_refused(scoring: SupernetObjective[Any]) -> None:
    other = random_study()
    with pytest.raises(
        SearchError, match=r"it has no scores: run the search first, or name another"
    ):
        measure(other, scoring)
    other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(SearchError, match="it has only other trials"):
        measure(other, scoring)


def test_trials_of_another_space_are_refused(found: optuna.Study) -> None:
    wider = objective(space=CellSpace(nodes=2))
    with pytest.raises(SearchError, match=r"has trials of another search space \(trial 0: "):
        measure(found, wider)


def test_a_sample_larger_than_the_space_is_refused() -> None:
    space = CellSpace(nodes=1, operations=("skip_connect",), inputs=1)  # of 4 architectures
    own = objective(space=space)
    small = random_study()
    small.optimize(own, n_trials=2)
    with pytest.raises(SearchError, match=r"sample must be at most 4, .*; got 5"):
        measure(small, own, sample=5, epochs=1)
    assert FIDELITY_ATTRIBUTE not in small.user_attrs
    assert len(measure(small, own, sample=4, epochs=1).sample) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sample": 1}, "sample must be a whole number from 2 to 100; got 1"),
        ({"sample": 101}, "sample must be a whole number from 2 to 100; got 101"),
        ({"sample": 2.0}, "sample must be a whole number from 2 to 100; got 2.0"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1; got 0"),
        ({"seed": -1}, "seed must be a whole number from 0 to"),
    ],
)
def test_arguments_out_of_range_are_refused(
    found: optuna.Study, scoring: SupernetObjective[Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        measure(found, scoring, **options)


@pytest.mark.parametrize("option", ["epochs", "seed"])
def test_scores_of_other_settings_are_not_mixed(
    found: optuna.Study, scoring: SupernetObjective[Any], option: str
) -> None:
    measure(found, scoring, sample=2, epochs=1, seed=5)
    asked: dict[str, Any] = {"sample": 2, "epochs": 1, "seed": 5} | {option: 2}
    with pytest.raises(SearchError, match=rf"was measured with {option} \d, .* 2: .* --anew"):
        measure(found, scoring, **asked)
    assert measure(found, scoring, anew=True, **asked) == Fidelity.stored_in(found)


@pytest.mark.parametrize("data", [7, {}, {"epochs": 1, "seed": 0, "weights": 0, "sample": [{}]}])
def test_an_unreadable_attribute_is_refused(
    found: optuna.Study, scoring: SupernetObjective[Any], data: Any
) -> None:
    found.set_user_attr(FIDELITY_ATTRIBUTE, data)
    with pytest.raises(SearchError, match=r"has an unreadable attribute .* measure it --anew"):
        measure(found, scoring, sample=2, epochs=1)
    measure(found, scoring, sample=2, epochs=1, anew=True)
