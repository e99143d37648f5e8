"""Proposals for extra trials, which are asked for while no seat is free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import decode, interval
from relativenas_optuna.samplers.relative_nas.dominance import loss_of
from relativenas_optuna.samplers.relative_nas.draws import (
    extra_trial_generator,
    extra_trial_uniform,
)
from relativenas_optuna.samplers.relative_nas.population import PairedPopulation
from relativenas_optuna.samplers.relative_nas.slow_fast import learn
from relativenas_optuna.samplers.relative_nas.surrogate.finished_trials import (
    FinishedTrials,
    position_in,
)
from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import GaussianProcess
from relativenas_optuna.samplers.seats.population import Proposal
from relativenas_optuna.samplers.trial_losses import best_first

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.relative_nas.surrogate.features import Features
    from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import Hyperparameters
    from relativenas_optuna.samplers.seats.replay import Replay
    from relativenas_optuna.samplers.seats.seat_score import SeatScore

    Vector = NDArray[np.float64]

_NEAR = 64  # running trials that the model counts as known: the nearest to the best one
_ATTEMPTS = 32  # to find an architecture that is not running either
_REFIT = 1.1  # growth of the number of finished trials after which hyperparameters are refitted


class ExtraTrials:
    """Proposals for extra trials, computed from all trials known at that moment.

    Moves are drawn by the slow-fast rule. The learners are the members with their latest scores
    and, with one objective, the best trials. With one objective a Gaussian process of all finished
    trials chooses the move with the largest expected improvement. It counts running trials as
    known. A proposal depends on timing, so the result of an extra trial must never reach the
    population.

    Args:
        replay: Replay of the study.
    """

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._finished = FinishedTrials(Encoding({}), [])
        # The hyperparameters of the last fit, with its number of trials.
        self._hyperparameters: tuple[int, Hyperparameters] | None = None
        self._features: Features | None = None
        self._made: dict[int, Proposal] = {}

    @property
    def _population(self) -> PairedPopulation:
        population = self._replay.population
        assert isinstance(population, PairedPopulation)
        return population

    def proposal(self, number: int) -> Proposal:
        """Return the architecture that extra trial `number` scores, the same at each call.

        It has no variables while the search space is not known.
        """
        population, trials = self._population, self._replay.finished
        encodings = (generation.encoding for generation in reversed(population.generations))
        encoding = next((known for known in encodings if known is not None), Encoding({}))
        if self._finished.trials is not trials:
            self._made = {}  # the study may be another one with the same id
        if self._finished.trials is not trials or self._finished.encoding is not encoding:
            self._finished, self._hyperparameters = FinishedTrials(encoding, trials), None
            self._features = population.settings.features(encoding)
        if number not in self._made:
            own = self._replay.own
            self._made = {n: made for n, made in self._made.items() if n in own and n != number}
            self._finished.read(population.directions)
            position = self._position(population, encoding, number)
            self._made[number] = Proposal(encoding, position)
        return self._made[number]

    def draw(self, number: int, name: str, distribution: BaseDistribution) -> Any:
        """Draw a parameter uniformly, by seed, trial number and name alone."""
        low, high = interval(distribution)
        share = extra_trial_uniform(self._population.settings.seed, number, name)
        return decode(distribution, low + share * (high - low))

    def _position(self, population: PairedPopulation, encoding: Encoding, number: int) -> Vector:
        random = extra_trial_generator(population.settings.seed, number)
        running = self._running(population, encoding)
        finished, pending = self._finished, {encoding.indices(position) for position in running}
        drawn = _drawn(population, encoding, finished, random)
        if population.settings.screening.on and np.isfinite(finished.losses).any():
            drawn = drawn[
                np.argsort(-self._log_expected_improvement(drawn, running), kind="stable")
            ]
        limited = population.limited
        if limited is not None:
            inside = np.array([limited.keep(move) for move in drawn], dtype=np.bool_)
            drawn = drawn[inside] if inside.any() else limited.nearest(drawn[0])[None]
        best: Vector = drawn[0]
        for move in drawn:
            if encoding.indices(move) not in pending and not finished.is_visited(move):
                found: Vector = move
                return found
        if finished.all_visited():
            return best
        for _ in range(_ATTEMPTS):
            # All moves that were drawn are visited or running, so the best one is changed.
            position = finished.propose_unvisited(best, lambda *_: best, random)
            if limited is not None:
                position = limited.nearest(position)
            if encoding.indices(position) not in pending:
                break
        return position

    def _log_expected_improvement(self, drawn: Vector, running: list[Vector]) -> Vector:
        """Return the log expected improvement of moves by the model, `[draws]`."""
        positions, losses = self._finished.positions, np.array(self._finished.losses)
        fitted, features = self._hyperparameters, self._features
        assert features is not None
        if fitted is None or len(losses) > _REFIT * fitted[0]:
            model = GaussianProcess(features, np.array(positions), losses)
            self._hyperparameters = len(losses), model.hyperparameters
        else:
            model = GaussianProcess(features, np.array(positions), losses, fitted[1])
        if running:
            pending = model.nearest(np.array(running), positions[int(losses.argmin())], _NEAR)
            model = model.condition_on(pending[:0], losses[:0], pending)
        return model.log_expected_improvement(drawn)

    def _running(self, population: PairedPopulation, encoding: Encoding) -> list[Vector]:
        """Return the known positions that are being scored now."""
        found: list[Vector | None] = []
        for seat in self._replay.claimed.values():
            proposal = population.proposal(seat)
            if proposal is not None and proposal[0] is encoding and not population.is_scored(seat):
                found.append(encoding.canonical(proposal[1]))
        for trial in self._replay.extras:
            made = self._made.get(trial.number)
            if made is not None and made[0] is encoding:
                found.append(encoding.canonical(made[1]))
            else:
                found.append(position_in(encoding, trial))
        return [position for position in found if position is not None]


@dataclass
class _Learners:
    """Scored architectures that learn from each other.

    Attributes:
        positions: `[learners, variables]`.
        velocities: `[learners, variables]`.
        ranks: `[learners]`; the lower one of two is the fast learner.
    """

    positions: Vector
    velocities: Vector
    ranks: Vector


def _learners(
    population: PairedPopulation, encoding: Encoding, finished: FinishedTrials
) -> _Learners:
    """Return the members as they were scored last, and with one objective the best trials too."""
    members = _last_scored(population, encoding)
    trials = [seat_score.counted for _, _, seat_score in members]
    if len(population.directions) == 1:
        ranks = [loss_of(trial, population.directions) for trial in trials]
        best = np.argsort(finished.losses, kind="stable")[: population.settings.population_size]
        scored = [finished.positions[i] for i in best]
    else:
        complete = [t for t in trials if t is not None and t.state == TrialState.COMPLETE]
        order = {t.number: i for i, t in enumerate(best_first(complete, population.directions))}
        ranks = [order.get(-1 if t is None else t.number, len(order)) for t in trials]
        scored = []
        best = np.empty(0, dtype=np.intp)
    positions = [*(position for position, _, _ in members), *scored]
    velocities = [*(velocity for _, velocity, _ in members), *map(np.zeros_like, scored)]
    shape = len(positions), len(encoding.low)
    return _Learners(
        np.array(positions).reshape(shape),
        np.array(velocities).reshape(shape),
        np.array([*ranks, *(finished.losses[i] for i in best)]),
    )


def _last_scored(
    population: PairedPopulation, encoding: Encoding
) -> list[tuple[Vector, Vector, SeatScore]]:
    """Return each member's last scored position, its velocity there and its score.

    Members that were not scored with this encoding are left out.
    """
    found = []
    for member in range(population.settings.population_size):
        for generation in reversed(population.generations):
            score = generation.seat_scores[generation.seat(member)]
            if generation.encoding is encoding and generation.ready[member] and score.scored:
                position, velocity = generation.positions[member], generation.velocities[member]
                found.append((position, velocity, score))
                break
    return found


def _drawn(
    population: PairedPopulation,
    encoding: Encoding,
    finished: FinishedTrials,
    random: np.random.Generator,
) -> Vector:
    """Draw moves of random pairs by the slow-fast rule, `[draws, variables]`.

    Each variable is drawn anew with probability `Screening.redraw_probability`.
    """
    screening, low, high = population.settings.screening, encoding.low, encoding.high
    shape = screening.draws, len(low)
    anywhere: Vector = low + random.random(shape) * (high - low)
    learners = _learners(population, encoding, finished)
    number = len(learners.ranks)
    if number < 2:
        return anywhere
    first = random.integers(number, size=screening.draws)
    second = (first + random.integers(1, number, size=screening.draws)) % number
    is_fast = learners.ranks[first] <= learners.ranks[second]
    fast, slow = np.where(is_fast, first, second), np.where(is_fast, second, first)
    l1, l2 = random.random((2, *shape))
    moved, _ = learn(
        learners.positions[slow],
        learners.velocities[slow],
        learners.positions[fast],
        l1=l1,
        l2=l2,
        low=low,
        high=high,
        reflected=encoding.continuous if screening.on else None,
    )
    return np.where(random.random(shape) < screening.redraw_probability, anywhere, moved)
