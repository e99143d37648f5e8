"""What the scores so far say of an architecture that has none: a light Gaussian process."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Hyperparameters = tuple[bool, float, float]

_SCALES = (0.5, 1.0, 2.0, 4.0)  # that are tried, in units of the reciprocal mean distance
_NOISES = (1e-3, 1e-2, 1e-1, 0.5)  # variances of noise that are tried, in units of the process'
_SIZE = 128  # architectures that are taken in at most
_FEW = 64  # architectures that hyper-parameters are fitted to
_LEAST = 1e-9  # variance, where all scores are alike
_DIGITS = 6  # of what is compared: the digits behind may differ between machines


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


_limiting = RLock()  # whoever ends last would else put back the limit that another one had set


def _renew() -> None:
    """A thread that holds the lock is not there in a process that was forked off."""
    global _limiting  # noqa: PLW0603 - a lock cannot be let go by another thread
    _limiting = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


@contextmanager
def _one_thread() -> Iterator[None]:
    with _limiting, _libraries().limit(limits=1, user_api="blas"):
        yield


class GaussianProcess:
    """A Gaussian process over the normal scores of the losses' ranks.

    Its kernel is the squared exponential, or the exponential, of the distance over all variables;
    kernel, length scale and noise are those of the largest likelihood among a few. Ranks make it
    indifferent to how losses are scaled. It keeps the better half of 128 architectures and the
    latest ones.

    Args:
        features_of: Makes `[n, features]` of positions `[n, variables]`, see `Encoding.features`.
        positions: `[scored, variables]`.
        losses: `[scored]`, infinite for what failed; at least one.
        hyperparameters: Kernel, length scale and noise of an earlier fit, to be taken again.
    """

    def __init__(
        self,
        features_of: Callable[[Vector], Vector],
        positions: Vector,
        losses: Vector,
        hyperparameters: Hyperparameters | None = None,
    ) -> None:
        kept = _kept(losses, _SIZE)
        self._features_of = features_of
        self._features = features_of(positions[kept])
        self._sorted = np.sort(losses)
        scores = _normal_scores((self._below(losses[kept])) / len(losses))
        self._more: _More | None = None
        self._mean = float(scores.mean())
        # Matrices this small are slower with threads, and many times so on a busy machine.
        with _one_thread():
            self._fit(scores - self._mean, hyperparameters)

    def _fit(self, scores: Vector, hyperparameters: Hyperparameters | None) -> None:
        few = _kept(scores, _FEW)
        self.hyperparameters = hyperparameters or _likeliest(self._features[few], scores[few])
        self._smooth, self._scale, self._noise = self.hyperparameters
        kernel = self._kernel(self._features, self._features)
        self._inverse = np.linalg.inv(kernel + self._noise * np.eye(len(scores)))
        self._weights = self._inverse @ scores
        self._variance = max(float(scores @ self._weights) / len(scores), _LEAST)
        self._best = float((kernel @ self._weights).min())

    def _below(self, losses: Vector) -> Vector:
        """How many of the scores are lower, and half of those that are equal."""
        ends = [np.searchsorted(self._sorted, losses, side=side) for side in ("left", "right")]
        below: Vector = (ends[0] + ends[1]) / 2
        return below

    def condition_on(self, positions: Vector, losses: Vector, pending: Vector) -> GaussianProcess:
        """The same, with a few more scores in it, and sure of what is about to be scored.

        Scores to come are taken to be what is expected of them (the Kriging believer of Ginsbourger
        et al. 2010), which leaves the means as they are.

        Args:
            positions: `[n, variables]`.
            losses: `[n]`.
            pending: Positions of which the losses are not known, `[m, variables]`.
        """
        features = self._features_of(np.concatenate([positions, pending]))
        scores = _normal_scores((self._below(losses) + 0.5) / (len(self._sorted) + 1))
        number = len(scores)
        with _one_thread():
            cross = self._kernel(features, self._features)
            own = self._kernel(features, features) + self._noise * np.eye(len(features))
            known = cross @ self._inverse
            covariance = own - known @ cross.T
            weights = np.zeros(len(features))
            surprise = scores - self._mean - cross[:number] @ self._weights
            weights[:number] = np.linalg.solve(covariance[:number, :number], surprise)
            inverse = np.linalg.inv(covariance).astype(np.float64, copy=False)
            more = _More(features, known, inverse, weights)
        found = copy(self)
        found._more = more
        return found

    def nearest(self, positions: Vector, to: Vector, number: int) -> Vector:
        """Those of `positions` `[n, variables]` that are nearest to another one, in their order."""
        if len(positions) <= number:
            return positions
        far = _squared_distances(self._features_of(positions), self._features_of(to[None]))[:, 0]
        order = np.argsort(np.round(far, _DIGITS), kind="stable")  # many are equally far
        return positions[np.sort(order[:number])]

    def log_expected_improvement(self, positions: Vector) -> Vector:
        """The logarithm of the expected improvement `[n]` at `positions` `[n, variables]`.

        It is that over the lowest mean of what was scored.
        """
        means, deviations = self._posterior(positions)
        improvement: Vector = np.log(deviations) + _log_improvement(
            (self._best - means) / deviations
        )
        return np.round(improvement, _DIGITS)

    def _posterior(self, positions: Vector) -> tuple[Vector, Vector]:
        """Means, less that of all scores, and standard deviations."""
        with _one_thread():
            features, more = self._features_of(positions), self._more
            kernel = self._kernel(features, self._features)
            means = kernel @ self._weights
            explained = np.einsum("ij,ij->i", kernel @ self._inverse, kernel)
            if more is not None:
                left = self._kernel(features, more.features) - kernel @ more.known.T
                means += left @ more.weights
                explained += np.einsum("ij,ij->i", left @ more.inverse, left)
        return means, np.sqrt(np.maximum(self._variance * (1 - explained), 1e-12))

    def _kernel(self, one: Vector, other: Vector) -> Vector:
        return _kernel(self._scale**2 * _squared_distances(one, other), smooth=self._smooth)


@dataclass(frozen=True)
class _More:
    """Scores that came after a fit, or are to come.

    Attributes:
        features: Of theirs, `[n, features]`.
        known: What the fit makes of them, `[n, scored]`.
        inverse: Of their covariance given the fit, `[n, n]`.
        weights: Of what they add to the means, `[n]`; 0 for those to come.
    """

    features: Vector
    known: Vector
    inverse: Vector
    weights: Vector


def _kept(losses: Vector, size: int) -> NDArray[np.intp]:
    """The better half of `size` architectures, and the latest others."""
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


def _likeliest(features: Vector, scores: Vector) -> Hyperparameters:
    """Kernel, scale and noise of the largest likelihood among a few."""
    squared = _squared_distances(features, features)
    typical = float(squared.mean()) or 1.0
    best, found = -np.inf, (True, 1.0, 1.0)
    for smooth in (True, False):
        for scale in (np.array(_SCALES) / typical**0.5).tolist():
            kernel = _kernel(scale**2 * squared, smooth=smooth)
            for noise, likelihood in zip(_NOISES, _likelihoods(kernel, scores), strict=True):
                if likelihood > best:
                    best, found = likelihood, (smooth, scale, noise)
    return found


def _likelihoods(kernel: Vector, scores: Vector) -> list[float]:
    """The logarithm of the likelihood with each of the noises, at the likeliest variance."""
    number = len(scores)
    covariances = kernel + np.array(_NOISES)[:, None, None] * np.eye(number)
    determinants = np.log(np.linalg.cholesky(covariances).diagonal(axis1=1, axis2=2)).sum(axis=1)
    columns = np.broadcast_to(scores[:, None], (len(_NOISES), number, 1))
    weights = np.linalg.solve(covariances, columns)[:, :, 0]
    variances = np.maximum(weights @ scores / number, _LEAST)
    found: list[float] = (-0.5 * number * np.log(variances) - determinants).tolist()
    return found


def _normal_scores(shares: Vector) -> Vector:
    return np.array([NormalDist().inv_cdf(share) for share in shares.tolist()])


def _log_improvement(z: Vector) -> Vector:
    """The logarithm of z Phi(z) + phi(z), far below zero by an expansion of it."""
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    near = np.maximum(z, -5.0)
    below = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in near.tolist()])
    exact = np.log(near * below + np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi))
    improvement: Vector = np.where(z > -5.0, exact, density - np.log(z**2 + 3))
    return improvement
