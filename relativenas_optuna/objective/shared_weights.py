"""When candidates begin with the newest shared weights, and when what they learned is committed."""

from __future__ import annotations

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


@dataclass(frozen=True)
class _Learner:
    scored: CandidateScore
    trained: Trained


class SharedWeights:
    """The weight set of this process among those of all processes of a search.

    The first learner of a pair waits for its partner, and both are committed together. With a
    checkpoint it waits there too, so that its partner may be scored by another process.

    Args:
        weights: Of this process.
        checkpoint: Of the search; `None` keeps everything in this object.
        parse: Makes an architecture of its text.
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
        """Whether there is anything but first weights."""
        if self._checkpoint is not None:
            return self._checkpoint.record() is not None
        return bool(self._scored)

    def known(self, seat: Seat, architecture: str) -> CandidateScore | None:
        """The score of a seat that was reached before.

        The study did not hear of it, for the process died in between or lost the study's storage;
        or the seat was given out a second time, because no other was free.
        """
        if self._checkpoint is not None:
            return self._checkpoint.score_of(seat, architecture)
        scored = self._scored.get(seat)
        return scored if scored and scored.architecture == architecture else None

    def begin(self, seat: Seat | None) -> int:
        """Bring the weights to those that a candidate begins with.

        They are the newest; but the second of a pair that this process scores begins with those of
        the first.

        Args:
            seat: Of the candidate; `None` under a sampler without seats.

        Returns:
            The number of commits behind them.
        """
        if self._checkpoint is not None and (seat is None or seat.partner not in self._waiting):
            self._checkpoint.sync(self._weights)
        return self._weights.version

    def end(
        self,
        scored: CandidateScore,
        trained: Trained,
        *,
        start_version: int,
        paired: bool,
        maximise: bool = False,
    ) -> int | None:
        """Keep or commit what a candidate learned.

        Operations that only the slow learner of a pair uses come from it, all else that was used
        from the fast one. In a tie the first of the pair is fast, as for the sampler.

        Args:
            scored: The candidate.
            trained: What it learned.
            start_version: What `begin` gave for it.
            paired: Whether it has a partner.
            maximise: Whether the fast learner is the one with the larger score.

        Returns:
            How many commits by others came between the begin and this one; `None` without one.
        """
        seat = scored.seat
        partner = self._find(seat.partner) if paired else None
        if paired and partner is None:
            if self._checkpoint is not None:
                self._checkpoint.save_waiting(scored, trained, start_version)
            self._waiting[seat] = _Learner(scored, trained)
            self._scored[seat] = scored
            return None
        own, between, started = _Learner(scored, trained), None, self._weights.version
        if partner is not None:
            sign = -1.0 if maximise else 1.0
            learners = sorted(
                (own, partner),
                key=lambda learner: (sign * learner.scored.loss, learner.scored.seat),
                reverse=True,
            )
            between = self._commit(learners, newest=scored, waited=seat.partner)
        if between is None:  # alone, or another process has committed the partner meanwhile
            self._commit([own], newest=scored, waited=None)
            between = max(0, self._weights.version - 1 - started)
        if paired:
            self._waiting.pop(seat.partner, None)
        self._scored[seat] = scored
        return between

    def settle(self, population: Callable[[], Population | None]) -> None:
        """Commit alone every learner whose partner will not come, for it failed for good.

        Args:
            population: Gives the study's generations as they are now.
        """
        if not self.waiting():
            return
        # In this order: who scores a partner commits both before the study hears of it.
        found = population()
        if found is None:
            return
        for seat in sorted(self.waiting()):
            if found.is_scored(seat.partner):
                learner = self._find(seat)
                if learner is not None:
                    self._commit([learner], newest=learner.scored, waited=seat)
                self._waiting.pop(seat, None)

    def leave(self) -> None:
        """End a study: what waits in this process is committed alone, for a new one begins."""
        for seat in sorted(self._waiting):
            learner = self._waiting.pop(seat)
            self._weights.commit(learner.trained)
        self._scored.clear()

    def waiting(self) -> set[Seat]:
        """Where learners wait for their partners, in this process and in others."""
        if self._checkpoint is None:
            return set(self._waiting)
        record = self._checkpoint.record()
        seats = set() if record is None else {learner.score.seat for learner in record.waiting}
        # The others of this process were committed by another one.
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
        self, slow_first: Sequence[_Learner], *, newest: CandidateScore, waited: Seat | None
    ) -> int | None:
        trained = [learner.trained for learner in slow_first]
        if self._checkpoint is not None:
            return self._checkpoint.commit(
                self._weights, trained, scores=[newest], drop_waiting=waited
            )
        if len(trained) == 1:
            self._weights.commit(trained[0])
        else:
            slow, fast = trained
            self._weights.commit_pair(fast, slow)
        return 0
