"""A light Gaussian process that predicts the score of an architecture from the scores so far.

Source of the equations, where no other is named: Rasmussen and Williams, "Gaussian Processes for
Machine Learning", MIT Press 2006, chapters 2.2 and 5.4.1.
"""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.relative_nas.surrogate.features import Blocks

    Vector = NDArray[np.float64]

_SCALES = (0.5, 1.0, 2.0, 4.0)  # candidates, in units of the reciprocal mean distance
_NOISES = (1e-3, 1e-2, 1e-1, 0.5)  # candidates, in units of the process variance
SHARES = (0.0, 0.3, 0.6, 0.9)
"""Candidates of the descriptors' share, if there are descriptors."""
_MAX_ARCHITECTURES = 128  # that the process is conditioned on
_MAX_FITTED = 64  # architectures that the hyperparameters are fitted to
_MIN_VARIANCE = 1e-9  # if all scores are equal
_DECIMALS = 6  # of values that are compared: further digits may differ between machines


@cache
def _blas_libraries() -> ThreadpoolController:
    return ThreadpoolController()


# Without it, the last of several threads would restore a limit that another one had set.
_blas_lock = RLock()


def _replace_lock_after_fork() -> None:
    """Replace the lock in a forked process, where the thread that held it does not exist."""
    global _blas_lock  # noqa: PLW0603 - another thread's lock cannot be released
    _blas_lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_lock_after_fork)


@contextmanager
def _single_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread, which is faster for matrices of up to 128 rows."""
    with _blas_lock, _blas_libraries().limit(limits=1, user_api="blas"):
        yield


class Hyperparameters(NamedTuple):
    """The hyperparameters of a Gaussian process.

    Attributes:
        smooth: True for the squared exponential kernel, False for the exponential kernel.
        scale: Reciprocal of the length scale.
        noise: Variance of the noise, in units of the variance of the process.
        share: Share of the descriptors in the variance of the process, 0 to 1.
        descriptor_scale: Reciprocal of the length scale of the descriptors.
    """

    smooth: bool
    scale: float
    noise: float
    share: float = 0.0
    descriptor_scale: float = 1.0


class GaussianProcess:
    """A Gaussian process over the normal scores of the losses' ranks.

    Only the order of the losses matters, not their scale. The process is the sum of one over the
    parameters, with an isotropic kernel, and of one over the descriptors, if there are any, with
    an isotropic squared exponential kernel. So how much the descriptors count, and whether more of
    one is better, is learnt from the losses. Hyperparameters are those of the largest marginal
    likelihood on a small grid. Of many architectures only 128 count: the 64 best and the latest 64
    of the others.

    Args:
        features_of: Function from positions `[n, variables]` to features, see `Features`.
        positions: Positions of the scored architectures, `[scored, variables]`.
        losses: Their losses, `[scored]`, at least one; infinite for a failed one.
        hyperparameters: Hyperparameters of an earlier fit to use; None fits them.
        shares: Shares of the descriptors in the variance to choose from, 0 to 1.

    Attributes:
        hyperparameters: The hyperparameters in use.
    """

    def __init__(
        self,
        features_of: Callable[[Vector], Blocks],
        positions: Vector,
        losses: Vector,
        hyperparameters: Hyperparameters | None = None,
        *,
        shares: Sequence[float] = SHARES,
    ) -> None:
        kept = _best_and_latest(losses, _MAX_ARCHITECTURES)
        self._features_of = features_of
        self._features = features_of(positions[kept])
        self._sorted = np.sort(losses)
        scores = _normal_scores((self._count_below(losses[kept])) / len(losses))
        self._condition: _Condition | None = None
        self._mean = float(scores.mean())
        with _single_blas_thread():
            self._fit(scores - self._mean, hyperparameters, shares)

    def _fit(
        self, scores: Vector, hyperparameters: Hyperparameters | None, shares: Sequence[float]
    ) -> None:
        few = _best_and_latest(scores, _MAX_FITTED)
        self.hyperparameters = hyperparameters or _likeliest(
            tuple(block[few] for block in self._features), scores[few], shares
        )
        kernel = self._kernel(self._features, self._features)
        noise = self.hyperparameters.noise * np.eye(len(scores))
        self._inverse = np.linalg.inv(kernel + noise)
        self._weights = self._inverse @ scores
        self._variance = max(float(scores @ self._weights) / len(scores), _MIN_VARIANCE)
        self._best = float((kernel @ self._weights).min())

    def _count_below(self, losses: Vector) -> Vector:
        """Return how many of the scored losses are lower, plus half of those that are equal."""
        ends = [np.searchsorted(self._sorted, losses, side=side) for side in ("left", "right")]
        below: Vector = (ends[0] + ends[1]) / 2
        return below

    def condition_on(self, positions: Vector, losses: Vector, pending: Vector) -> GaussianProcess:
        """Return a process that also knows further scores and pending architectures.

        A pending architecture is taken to score what the process expects of it (the Kriging
        believer of Ginsbourger et al. 2010). This lowers deviations and changes no mean.

        Args:
            positions: Positions of further scored architectures, `[n, variables]`.
            losses: Their losses, `[n]`.
            pending: Positions of architectures without a loss yet, `[m, variables]`.
        """
        features = self._features_of(np.concatenate([positions, pending]))
        scores = _normal_scores((self._count_below(losses) + 0.5) / (len(self._sorted) + 1))
        number = len(scores)
        with _single_blas_thread():
            cross = self._kernel(features, self._features)
            noise = self.hyperparameters.noise * np.eye(len(features[0]))
            own = self._kernel(features, features) + noise
            regression = cross @ self._inverse
            covariance = own - regression @ cross.T
            weights = np.zeros(len(features[0]))
            residuals = scores - self._mean - cross[:number] @ self._weights
            weights[:number] = np.linalg.solve(covariance[:number, :number], residuals)
            inverse = np.linalg.inv(covariance).astype(np.float64, copy=False)
        conditioned = copy(self)
        conditioned._condition = _Condition(features, regression, inverse, weights)
        return conditioned

    def nearest(self, positions: Vector, to: Vector, number: int) -> Vector:
        """Return the `number` positions that are nearest to a position, in their given order.

        Descriptors do not count.

        Args:
            positions: Positions to choose from, `[n, variables]`.
            to: The position to be near to, `[variables]`.
            number: Number of positions to return; all of them if there are fewer.
        """
        if len(positions) <= number:
            return positions
        near, (point, *_) = self._features_of(positions)[0], self._features_of(to[None])
        far = _squared_distances(near, point)[:, 0]
        order = np.argsort(np.round(far, _DECIMALS), kind="stable")  # many are equally far
        return positions[np.sort(order[:number])]

    def log_expected_improvement(self, positions: Vector) -> Vector:
        """Return the logarithm of the expected improvement `[n]` at positions `[n, variables]`.

        Expected improvement (Jones et al. 1998) over the lowest predicted mean of the scored
        architectures, in normal scores, computed as its logarithm (Ament et al. 2023).
        """
        means, deviations = self.predict(positions)
        z = (self._best - means) / deviations
        improvement: Vector = np.log(deviations) + _log_improvement(z)
        return np.round(improvement, _DECIMALS)

    def predict(self, positions: Vector) -> tuple[Vector, Vector]:
        """Return the predicted losses at positions `[n, variables]`.

        Returns:
            Means and standard deviations, both `[n]`, in normal scores: lower is better, and a
            typical architecture of the scored ones has about 0.
        """
        with _single_blas_thread():
            features, condition = self._features_of(positions), self._condition
            kernel = self._kernel(features, self._features)
            means = kernel @ self._weights
            explained = np.einsum("ij,ij->i", kernel @ self._inverse, kernel)
            if condition is not None:
                left = self._kernel(features, condition.features) - kernel @ condition.regression.T
                means += left @ condition.weights
                explained += np.einsum("ij,ij->i", left @ condition.inverse, left)
        return means, np.sqrt(np.maximum(self._variance * (1 - explained), 1e-12))

    def _kernel(self, one: Blocks, other: Blocks) -> Vector:
        smooth, scale, _, share, descriptor_scale = self.hyperparameters
        kernel = _kernel(scale**2 * _squared_distances(one[0], other[0]), smooth=smooth)
        if not share:
            return kernel
        squared = descriptor_scale**2 * _squared_distances(one[1], other[1])
        return (1 - share) * kernel + share * _kernel(squared, smooth=True)


@dataclass(frozen=True)
class _Condition:
    """Further architectures that a fitted process is conditioned on.

    Attributes:
        features: Their features.
        regression: Weights of the fitted scores in their predicted means, `[n, scored]`.
        inverse: Inverse of their covariance given the fitted scores, `[n, n]`.
        weights: Their weights in predicted means, `[n]`; 0 for pending ones.
    """

    features: Blocks
    regression: Vector
    inverse: Vector
    weights: Vector


def _best_and_latest(losses: Vector, size: int) -> NDArray[np.intp]:
    """Return the indices of the `size // 2` best losses and of the latest others, ascending."""
    number = len(losses)
    if number <= size:
        return np.arange(number)
    chosen = np.zeros(number, dtype=np.bool_)
    chosen[np.argsort(losses, kind="stable")[: size // 2]] = True
    chosen[np.flatnonzero(~chosen)[size // 2 - size :]] = True
    return np.flatnonzero(chosen)


def _squared_distances(one: Vector, other: Vector) -> Vector:
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)
    squared: Vector = np.maximum(lengths - 2 * one @ other.T, 0.0)
    return squared


def _kernel(squared: Vector, *, smooth: bool) -> Vector:
    kernel: Vector = np.exp(-0.5 * squared if smooth else -np.sqrt(squared))
    return kernel


def _likeliest(features: Blocks, scores: Vector, shares: Sequence[float]) -> Hyperparameters:
    """Return the hyperparameters of the largest marginal likelihood on the grid."""
    squared = [_squared_distances(block, block) for block in features]
    typical = [float(distances.mean()) or 1.0 for distances in squared]
    by_descriptors, descriptor_scale = np.zeros_like(squared[0]), 1.0
    if len(features) == 1:
        shares = (0.0,)
    else:
        descriptor_scale = typical[1] ** -0.5
        by_descriptors = _kernel(descriptor_scale**2 * squared[1], smooth=True)
    best, found = -np.inf, Hyperparameters(smooth=True, scale=1.0, noise=1.0)
    for smooth in (True, False):
        for scale in (np.array(_SCALES) / typical[0] ** 0.5).tolist():
            by_parameters = _kernel(scale**2 * squared[0], smooth=smooth)
            for share in shares:
                kernel = (1 - share) * by_parameters + share * by_descriptors
                likelihoods = _log_likelihoods(kernel, scores)
                for noise, likelihood in zip(_NOISES, likelihoods, strict=True):
                    if likelihood > best:
                        best = likelihood
                        found = Hyperparameters(smooth, scale, noise, share, descriptor_scale)
    return found


def _log_likelihoods(kernel: Vector, scores: Vector) -> list[float]:
    """Return the log marginal likelihood for each noise, at the variance that maximizes it."""
    number = len(scores)
    covariances = kernel + np.array(_NOISES)[:, None, None] * np.eye(number)
    determinants = np.log(np.linalg.cholesky(covariances).diagonal(axis1=1, axis2=2)).sum(axis=1)
    columns = np.broadcast_to(scores[:, None], (len(_NOISES), number, 1))
    weights = np.linalg.solve(covariances, columns)[:, :, 0]
    variances = np.maximum(weights @ scores / number, _MIN_VARIANCE)
    found: list[float] = (-0.5 * number * np.log(variances) - determinants).tolist()
    return found


def _normal_scores(shares: Vector) -> Vector:
    return np.array([NormalDist().inv_cdf(share) for share in shares.tolist()])


def _log_improvement(z: Vector) -> Vector:
    """Return log(z Phi(z) + phi(z)); below -5 by the asymptotic phi(z) / (z**2 + 3)."""
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    near = np.maximum(z, -5.0)
    below = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in near.tolist()])
    exact = np.log(near * below + np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi))
    improvement: Vector = np.where(z > -5.0, exact, density - np.log(z**2 + 3))
    return improvement
