"""The times at which a candidate loads the newest shared weights and commits what it learned."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
    from relativenas_optuna.objective.checkpoints.record import CandidateScore
    from relativenas_optuna.objective.weight_set import Trained, WeightSet
    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.population import Population

_PAUSE = 0.5  # seconds between two looks at the stages of another process


@dataclass(frozen=True)
class _Learner:
    scored: CandidateScore
    trained: Trained


class SharedWeights:
    """The weights that all processes of a search share, as this process sees them.

    The learner of a pair that is trained first waits for its partner, and both are committed
    together. With a checkpoint it waits there too, so that another process may score its partner.

    Args:
        weights: Weight set of this process.
        checkpoint: Checkpoint of the search; None to keep everything in this object.
        parse: Function that returns the architecture of a text.
    """

    def __init__(
        self, weights: WeightSet, checkpoint: Checkpoint | None, parse: Callable[[str], Any]
    ) -> None:
        self._weights = weights
        self._checkpoint = checkpoint
        self._parse = parse
        self._waiting: dict[Seat, _Learner] = {}  # those that this process trained
        self._scored: dict[Seat, CandidateScore] = {}  # by this process, in this study

    @property
    def kept(self) -> bool:
        """True if anything was learned: the weights are no longer the initial ones."""
        if self._checkpoint is not None:
            return self._checkpoint.record() is not None
        return self._weights.version > 0

    def known(self, seat: Seat, architecture: str) -> CandidateScore | None:
        """Return the score that an architecture already has at a seat; None if it has none.

        The study may lack this score: the process died before it reported the score, or lost the
        study's storage. Or the seat was given out twice, because no other was free.
        """
        if self._checkpoint is not None:
            return self._checkpoint.score_of(seat, architecture)
        scored = self._scored.get(seat)
        return scored if scored and scored.architecture == architecture else None

    def begin(self, partner: Seat | None) -> int:
        """Load the weights with which a candidate starts.

        These are the newest shared weights. But if this process has trained the first learner of a
        pair, the second one starts with the same weights as the first.

        Args:
            partner: Seat of the candidate's partner; None without one.

        Returns:
            The version of the weights: the number of commits that they contain.
        """
        if self._checkpoint is not None and partner not in self._waiting:
            self._checkpoint.sync(self._weights)
        return self._weights.version

    def end(
        self,
        scored: CandidateScore,
        trained: Trained,
        *,
        start_version: int,
        partner: Seat | None,
        has_seat: bool = True,
        maximise: bool = False,
    ) -> int | None:
        """Commit the weights of a scored candidate, or keep them until its partner is scored.

        Of a pair, the weights that the fast learner used are committed, and those of the operations
        that only the slow learner used. In a tie the first of the pair is fast, as for the sampler.

        Args:
            scored: Score of the candidate.
            trained: Trained weights of the candidate.
            start_version: Version of the weights that `begin` returned for the candidate.
            partner: Seat of the candidate's partner; None without one.
            has_seat: False for a candidate without a seat, whose score `known` never returns.
            maximise: True if the fast learner is the one with the larger score.

        Returns:
            The number of commits by others between the start of the candidate and its commit; None
            if nothing was committed.
        """
        seat = scored.seat
        other = None if partner is None else self._find(partner)
        if partner is not None and other is None:
            if self._checkpoint is not None:
                self._checkpoint.save_waiting(scored, trained, start_version)
            self._waiting[seat] = _Learner(scored, trained)
            self._scored[seat] = scored
            return None
        own, between, started = _Learner(scored, trained), None, self._weights.version
        if other is not None:
            sign = -1.0 if maximise else 1.0
            learners = sorted(
                (own, other),
                key=lambda learner: (sign * learner.scored.loss, learner.scored.seat),
                reverse=True,
            )
            between = self._commit(learners, scores=[scored], waited=partner)
        if between is None:  # alone, or another process has committed the partner meanwhile
            self._commit([own], scores=[scored] if has_seat else [], waited=None)
            between = max(0, self._weights.version - 1 - started)
        if partner is not None:
            self._waiting.pop(partner, None)
        if has_seat:
            self._scored[seat] = scored
        return between

    def train_stages(
        self, number: int, train: Callable[[int], None], waiting: Callable[[int], None]
    ) -> None:
        """Train all weights in stages, of which each is one commit, until all are committed.

        One of several processes trains a stage, and the others wait. If it ends, another one trains
        that stage from its begin.

        Args:
            number: Number of stages.
            train: Function that trains all weights in place for a stage, from 0.
            waiting: Function that is called, again and again, with the stage that another process
                trains.
        """
        weights, checkpoint = self._weights, self._checkpoint
        if checkpoint is None:
            while weights.version < number:
                with weights.trained_in_place():
                    train(weights.version)
            return
        checkpoint.store_first(weights)
        while (stage := self.begin(None)) < number:
            with checkpoint.training_lock() as free:
                if free and self.begin(None) == stage:
                    with weights.trained_in_place():
                        train(stage)
                        checkpoint.commit_whole(weights)
            if not free:
                waiting(stage)
                time.sleep(_PAUSE)

    def settle(self, population: Callable[[], Population | None]) -> None:
        """Commit each waiting learner whose partner has failed for good.

        Args:
            population: Function that returns the study's present generations.
        """
        if not self.waiting():
            return
        # Read before the waiting learners: a pair is committed before its second score is reported.
        found = population()
        if found is None:
            return
        for seat in sorted(self.waiting()):
            if found.is_scored(seat.partner):
                learner = self._find(seat)
                if learner is not None:
                    self._commit([learner], scores=[learner.scored], waited=seat)
                self._waiting.pop(seat, None)

    def leave(self) -> None:
        """Commit each learner that waits in this process, since another study starts."""
        for seat in sorted(self._waiting):
            learner = self._waiting.pop(seat)
            self._weights.commit(learner.trained)
        self._scored.clear()

    def waiting(self) -> set[Seat]:
        """Return the seats whose learners wait for their partners, in all processes."""
        if self._checkpoint is None:
            return set(self._waiting)
        record = self._checkpoint.record()
        seats = set() if record is None else {learner.score.seat for learner in record.waiting}
        # Another process has committed the rest of this process's learners.
        self._waiting = {seat: self._waiting[seat] for seat in self._waiting.keys() & seats}
        return seats

    def _find(self, seat: Seat) -> _Learner | None:
        if seat not in self.waiting():
            return None
        if self._checkpoint is None or seat in self._waiting:
            return self._waiting[seat]
        found = self._checkpoint.load_waiting(seat, self._weights, self._parse)
        return None if found is None else _Learner(*found)

    def _commit(
        self,
        slow_first: Sequence[_Learner],
        *,
        scores: Sequence[CandidateScore],
        waited: Seat | None,
    ) -> int | None:
        trained = [learner.trained for learner in slow_first]
        if self._checkpoint is not None:
            return self._checkpoint.commit(
                self._weights, trained, scores=scores, drop_waiting=waited
            )
        if len(trained) == 1:
            self._weights.commit(trained[0])
        else:
            slow, fast = trained
            self._weights.commit_pair(fast, slow)
        return 0
