"""The Gaussian process, against scikit-learn's and by its properties."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern
from threadpoolctl import threadpool_info, threadpool_limits

from relativenas_optuna.samplers.relative_nas.surrogate.candidate_moves import _last_fit
from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import (
    SHARES,
    GaussianProcess,
    _best_and_latest,
    _likeliest,
    _log_improvement,
)

ROTATION = np.linalg.qr(np.random.default_rng(1).standard_normal((30, 30)))[0]


def same(positions: np.ndarray) -> tuple[np.ndarray, ...]:
    return (positions,)


def scored(seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    positions = random.random((number, 3))
    return positions, np.sin(4 * positions[:, 0]) + positions[:, 1] ** 2 + random.random(number) / 9


def reference(model: GaussianProcess, positions: np.ndarray, scores: np.ndarray) -> object:
    """Return scikit-learn's process with the hyperparameters of a model."""
    length = 1 / model.hyperparameters.scale
    shape = RBF(length) if model.hyperparameters.smooth else Matern(length, nu=0.5)
    process = GaussianProcessRegressor(
        ConstantKernel(model._variance) * shape,
        alpha=model.hyperparameters.noise * model._variance,
        optimizer=None,
    )
    return process.fit(positions, scores - model._mean)


@pytest.mark.parametrize("number", [3, 20, 60])
@pytest.mark.parametrize("seed", range(3))
def test_means_and_expected_improvements_match_scikit_learn(seed: int, number: int) -> None:
    positions, losses = scored(seed, number)
    model = GaussianProcess(same, positions, losses)
    scores = norm.ppf((np.argsort(np.argsort(losses)) + 0.5) / number)
    process = reference(model, positions, scores)
    asked = np.random.default_rng(9).random((40, 3))
    means, deviations = process.predict(asked, return_std=True)  # type: ignore[attr-defined]
    assert model.predict(asked)[0] == pytest.approx(means, abs=1e-5)
    best = process.predict(positions).min()  # type: ignore[attr-defined]
    z = (best - means) / deviations
    improvement = deviations * (z * norm.cdf(z) + norm.pdf(z))
    assert np.exp(model.log_expected_improvement(asked)) == pytest.approx(
        improvement, rel=1e-3, abs=1e-5
    )


@pytest.mark.parametrize("seed", range(3))
def test_conditioning_on_scores_equals_fitting_them(seed: int) -> None:
    positions, losses = scored(seed, 30)
    model = GaussianProcess(same, positions[:28], losses[:28])
    ranks = [np.sum(losses[:28] < loss) for loss in losses[28:]]
    scores = norm.ppf((np.argsort(np.argsort(losses[:28])) + 0.5) / 28)
    both = np.append(scores, norm.ppf((np.array(ranks) + 0.5) / 29))
    process = reference(model, positions, both)
    asked = np.random.default_rng(9).random((40, 3))
    expected = process.predict(asked)  # type: ignore[attr-defined]
    given = model.condition_on(positions[28:], losses[28:], positions[:0])
    assert given.predict(asked)[0] == pytest.approx(expected, abs=1e-5)
    assert model.predict(asked)[0] != pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("scored_later", [0, 2])
def test_pending_architectures_change_deviations_but_no_means(
    scored_later: int,
) -> None:
    positions, losses = scored(0, 36)
    model = GaussianProcess(same, positions[:30], losses[:30])
    later = positions[30 : 30 + scored_later], losses[30 : 30 + scored_later]
    random = np.random.default_rng(9)
    pending, asked = positions[32:], random.random((40, 3))
    pending[1] = pending[0]  # two pairs may choose one architecture
    before = model.condition_on(*later, positions[:0])
    means, deviations = model.condition_on(*later, pending).predict(asked)
    assert means == pytest.approx(before.predict(asked)[0], abs=1e-9)
    process = reference(
        model,
        np.concatenate([positions[:30], later[0], pending]),
        random.random(30 + scored_later + len(pending)),  # deviations do not depend on scores
    )
    expected = process.predict(asked, return_std=True)[1]  # type: ignore[attr-defined]
    assert deviations == pytest.approx(expected, abs=1e-5)
    assert (deviations <= before.predict(asked)[1] + 1e-12).all()
    assert deviations.sum() < 0.99 * before.predict(asked)[1].sum()


@given(number=st.integers(0, 30), at=st.integers(0, 9))
def test_equally_near_positions_are_taken_in_order(number: int, at: int) -> None:
    corners = np.random.default_rng(at).permutation(np.eye(30))  # distances have rounding errors
    model = GaussianProcess(lambda x: (x @ ROTATION,), corners[:4], np.arange(4.0))
    found = model.nearest(corners, np.zeros(30), number)
    assert found.tolist() == corners[:number].tolist()


@given(number=st.integers(0, 30), at=st.integers(0, 9))
def test_the_nearest_positions_keep_their_order(number: int, at: int) -> None:
    positions, losses = scored(at, 20)
    found = GaussianProcess(same, positions, losses).nearest(positions, positions[at], number)
    far = np.linalg.norm(positions - positions[at], axis=1)
    near = np.sort(np.argsort(far)[:number])
    assert found.tolist() == positions[near].tolist()


@given(z=st.floats(-30, 8))
def test_log_improvement_matches_numerical_integration(z: float) -> None:
    exact = quad(lambda u: u * math.exp(-0.5 * (u - z) ** 2 + min(z, 0) ** 2 / 2), 0, 40)[0]
    expected = math.log(exact / math.sqrt(2 * math.pi)) - min(z, 0) ** 2 / 2
    assert float(_log_improvement(np.array([z]))[0]) == pytest.approx(expected, abs=0.02)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(2, 12))
def test_the_better_half_and_the_latest_are_kept(losses: list[int], size: int) -> None:
    kept = _best_and_latest(np.array(losses, dtype=float), size).tolist()
    assert len(kept) == min(len(losses), size)
    best = sorted(range(len(losses)), key=lambda i: losses[i])[: size // 2]
    others = [i for i in range(len(losses)) if i not in best]
    rest = others[len(others) - (size - size // 2) :] if len(losses) > size else others
    assert set(kept) == set(best) | set(rest)


@given(seed=st.integers(0, 99))
def test_only_the_order_of_losses_matters(seed: int) -> None:
    positions, losses = scored(seed, 25)
    asked = np.random.default_rng(seed).random((9, 3))
    one = GaussianProcess(same, positions, losses)
    other = GaussianProcess(same, positions, np.exp(9 * losses) * 1e30)
    assert (
        one.log_expected_improvement(asked).tolist()
        == other.log_expected_improvement(asked).tolist()
    )


@pytest.mark.parametrize("losses", [[1.0] * 6, [math.inf] * 5 + [1.0], [0.0, *[math.inf] * 5]])
def test_ties_and_failures_are_accepted(losses: list[float]) -> None:
    positions = np.random.default_rng(0).random((6, 2))
    model = GaussianProcess(same, positions, np.array(losses))
    assert np.isfinite(model.log_expected_improvement(positions)).all()
    given = model.condition_on(positions[:1], np.array([math.inf]), positions[2:])
    assert np.isfinite(given.predict(positions)[0]).all()


def test_noise_is_detected() -> None:
    random = np.random.default_rng(0)
    positions = random.random((60, 2))
    clean = np.sin(3 * positions[:, 0]) + positions[:, 1]
    noisy = clean + 0.7 * random.standard_normal(60)
    found = [_likeliest((positions,), (y - y.mean()) / y.std(), SHARES)[2] for y in (clean, noisy)]
    assert found[0] == 1e-3
    assert found[1] >= 0.1


def test_fits_in_threads_restore_the_blas_thread_count() -> None:
    def threads() -> list[int]:
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    def fit(seed: int) -> None:
        GaussianProcess(same, *scored(seed, 40))

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(fit, range(40)))
        assert threads() == before


def test_given_hyperparameters_are_not_fitted() -> None:
    positions, losses = scored(0, 40)
    fitted = GaussianProcess(same, positions[:20], losses[:20])
    again = GaussianProcess(same, positions, losses, fitted.hyperparameters)
    assert again.hyperparameters == fitted.hyperparameters
    kernel = again._kernel((positions,), (positions,)) + again.hyperparameters.noise * np.eye(40)
    assert np.linalg.inv(kernel) == pytest.approx(again._inverse, rel=1e-6, abs=1e-8)


def test_hyperparameters_are_fitted_less_and_less_often() -> None:
    fits = [index for index in range(300) if _last_fit(index) == index]
    assert fits[:33] == list(range(33))
    assert fits[33:51] == [*range(34, 65, 2), 68, 72]
    assert all(1 <= later - fit <= max(1, fit / 16) for fit, later in pairwise(fits))
    assert all(_last_fit(index) == max(f for f in fits if f <= index) for index in range(300))
