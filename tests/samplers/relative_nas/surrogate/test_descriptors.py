"""Descriptors as inputs of the model: their scales, their use in a search, and users' mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.stats import kendalltau, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers import SearchView
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.relative_nas.surrogate.descriptors import Descriptors
from relativenas_optuna.samplers.relative_nas.surrogate.features import Features
from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import (
    GaussianProcess,
    Hyperparameters,
)
from relativenas_optuna.samplers.relative_nas.surrogate.score_predictor import ScorePredictor

SPACE: dict[str, BaseDistribution] = {
    **{f"op{i}": CategoricalDistribution(("a", "b", "c")) for i in range(8)},
    "width": IntDistribution(1, 4),
    "rate": FloatDistribution(0.0, 1.0),
    "fixed": IntDistribution(3, 3),
}


def describe(params: Mapping[str, Any]) -> dict[str, float]:
    ops = [params[f"op{i}"] for i in range(8)]
    return {"a": ops.count("a"), "b": ops.count("b"), "size": 1e6 * params["fixed"] * len(ops)}


def loss(params: Mapping[str, Any]) -> float:
    numbers = describe(params)
    return abs(numbers["a"] - 6) + abs(numbers["b"] - 2) + 0.1 * float(params["rate"])


def searched(*stops: int, seed: int = 0, **arguments: Any) -> optuna.Study:
    """Return a study that a new sampler continues after each stop."""
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="s")
    for stop in stops:
        study.sampler = RelativeNASSampler(SPACE, seed=seed, **arguments)
        study.optimize(
            lambda trial: loss({n: trial._suggest(n, d) for n, d in SPACE.items()}),
            n_trials=stop - len(study.trials),
        )
    return study


def test_a_search_with_descriptors_is_the_same_after_restarts() -> None:
    whole = searched(45, descriptors=describe)
    restarted = searched(7, 20, 33, 45, descriptors=describe)
    assert [t.params for t in whole.trials] == [t.params for t in restarted.trials]
    plain = searched(45)
    assert [t.params for t in whole.trials] != [t.params for t in plain.trials]


def test_descriptors_that_tell_the_loss_speed_up_a_search() -> None:
    known, unknown = (
        np.mean([searched(40, seed=seed, **given).best_value for seed in range(4)])
        for given in ({"descriptors": describe}, {})
    )
    assert known < 0.5 * unknown


def test_a_study_with_descriptors_can_be_looked_at_without_them() -> None:
    study = searched(20, descriptors=describe)
    view = SearchView.of(study)
    assert view is not None
    assert len(view.generations) > 2


@pytest.mark.parametrize(
    ("started", "continued", "message"),
    [
        ({"descriptors": describe}, {}, r"descriptors must be given.*it returns a, b, size"),
        ({}, {"descriptors": describe}, "started without any"),
        (
            {"descriptors": describe},
            {"descriptors": lambda params: {"a": 1.0}},
            "descriptors a do not fit study 's', which was started with a, b, size",
        ),
    ],
)
def test_a_process_without_the_studys_descriptors_is_told_so(
    started: dict[str, Any], continued: dict[str, Any], message: str
) -> None:
    study = searched(3, **started)
    study.sampler = RelativeNASSampler(SPACE, **continued)
    with pytest.raises(SettingsError, match=message):
        study.ask()


def fails(params: Mapping[str, Any]) -> dict[str, float]:
    raise KeyError("width")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "must be a function"),
        (fails, "descriptors failed for .* KeyError: 'width'"),
        (lambda params: [1.0], "must return 1 to 1000 numbers by name"),
        (lambda params: {}, "must return 1 to 1000 numbers by name"),
        (lambda params: {1: 1.0}, "must have names"),
        (lambda params: {"a": math.nan}, "must return finite numbers for a"),
        (lambda params: {"a": "many"}, "must return finite numbers for a"),
    ],
)
def test_descriptors_that_are_no_numbers_are_refused_in_one_line(given: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        RelativeNASSampler(SPACE, descriptors=given)
    assert "\n" not in str(error.value)


def test_descriptors_need_preset_plain_and_the_search_space() -> None:
    with pytest.raises(SettingsError, match="preset 'paper' does not have"):
        RelativeNASSampler(SPACE, preset="paper", descriptors=describe)
    study = optuna.create_study(sampler=RelativeNASSampler(descriptors=describe))
    with pytest.raises(SettingsError, match="pass search_space too"):
        study.ask()


def test_names_that_change_between_architectures_are_refused() -> None:
    descriptors = Descriptors(("a",), lambda params: dict.fromkeys(params["width"] * "a" + "b", 1))
    with pytest.raises(SettingsError, match="must return finite numbers for a"):
        descriptors.values({"width": 1})


def test_descriptors_have_mean_0_and_deviation_1_over_the_space() -> None:
    encoding = Encoding.of(SPACE)
    random = np.random.default_rng(5)
    positions = encoding.low + random.random((4000, len(encoding.low))) * (
        encoding.high - encoding.low
    )
    own, found = Features(encoding, Descriptors.of(describe, SPACE), SPACE)(positions)
    assert np.array_equal(own, encoding.features(positions))
    assert found.mean(axis=0) == pytest.approx([0, 0, 0], abs=0.15)
    assert found.std(axis=0) == pytest.approx([1, 1, 0], rel=0.15)


class Columns(Kernel):  # type: ignore[misc]
    """A kernel of scikit-learn on some columns."""

    def __init__(self, kernel: Kernel, first: int, end: int) -> None:
        self.kernel, self.first, self.end = kernel, first, end

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        part = slice(self.first, self.end)
        return self.kernel(X[:, part], None if Y is None else Y[:, part])

    def diag(self, X: Any) -> Any:
        return np.ones(len(X))

    def is_stationary(self) -> bool:
        return True


def blocks(positions: np.ndarray) -> tuple[np.ndarray, ...]:
    return positions[:, :3], positions[:, 3:]


def test_predictions_with_descriptors_match_scikit_learn() -> None:
    random = np.random.default_rng(3)
    positions = random.random((50, 5))
    losses = positions[:, 0] + 3 * positions[:, 4]
    given = Hyperparameters(smooth=True, scale=2.0, noise=0.01, share=0.6, descriptor_scale=1.5)
    model = GaussianProcess(blocks, positions[:30], losses[:30], given)
    kernel = 0.4 * Columns(RBF(1 / 2.0), 0, 3) + 0.6 * Columns(RBF(1 / 1.5), 3, 5)
    process = GaussianProcessRegressor(
        ConstantKernel(model._variance) * kernel, alpha=0.01 * model._variance, optimizer=None
    )
    order = np.argsort(np.argsort(losses[:30]))
    process.fit(positions[:30], norm.ppf((order + 0.5) / 30))
    means, deviations = process.predict(positions[30:], return_std=True)
    assert model.predict(positions[30:])[0] == pytest.approx(means, rel=1e-6, abs=1e-9)
    assert model.predict(positions[30:])[1] == pytest.approx(deviations, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(("told_by", "least", "most"), [(4, 0.6, 1), (0, 0, 0.3)])
def test_the_share_of_the_descriptors_is_learnt(told_by: int, least: float, most: float) -> None:
    positions = np.random.default_rng(1).random((60, 5))
    found = GaussianProcess(blocks, positions, np.sin(3 * positions[:, told_by]))
    assert least <= found.hyperparameters.share <= most


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_predictor_learns_the_sign_of_a_descriptor(sign: int) -> None:
    random = np.random.default_rng(2)

    def drawn(number: int) -> list[dict[str, Any]]:
        encoding = Encoding.of(SPACE)
        points = random.random((number, len(encoding.low)))
        positions = encoding.low + points * (encoding.high - encoding.low)
        return [encoding.decode(position) | {"fixed": 3} for position in positions]

    def told(params: Mapping[str, Any]) -> float:
        return sign * describe(params)["a"] + float(params["rate"])

    known, others = drawn(16), drawn(200)
    given: Callable[[Mapping[str, Any]], Mapping[str, float]] | None
    taus = []
    for given in (describe, None):
        means, deviations = ScorePredictor(SPACE, known, [*map(told, known)], given).predict(others)
        assert (deviations > 0).all()
        taus.append(kendalltau(means, [*map(told, others)]).statistic)
    assert taus[0] > max(0.75, taus[1] + 0.1)
