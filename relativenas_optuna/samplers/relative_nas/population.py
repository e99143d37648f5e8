"""Population of RelativeNAS: the members of all generations, replayed from a study's trials."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import decode, is_value_of
from relativenas_optuna.samplers.relative_nas.draws import Draws, KeyedDraws, PaperDraws
from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration
from relativenas_optuna.samplers.relative_nas.learning import Learning
from relativenas_optuna.samplers.relative_nas.placement import Placement
from relativenas_optuna.samplers.relative_nas.settings import Settings
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.samplers.seats.learned_space import LearnedSpace
from relativenas_optuna.samplers.seats.population import Population, Proposal
from relativenas_optuna.samplers.seats.seat_score import SeatScore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.trial_reader import TrialReader

    Vector = NDArray[np.float64]


class PairedPopulation(Population):
    """The generations of a RelativeNAS search, replayed from its trials.

    With a search space given beforehand, a pair moves to the next generation as soon as it is
    scored; it does not wait for other pairs. Two rules need more history than the pair: no repeats,
    and crowding. For these, a pair of generation g waits until the generations up to g - 1 are
    complete.

    With a learned search space, a pair of generation g learns over all parameters of the complete
    trials of the generations up to g - 1, and waits until these generations are complete. Then
    generation g gets these parameters. A member that did not suggest one of them gets the value
    that its trial would have drawn. The first generation with a complete trial learns over its own
    parameters, and must be complete itself.

    Args:
        settings: Settings of the search.
        directions: Directions of the study.
        trials: The trials of the study by number. The members start from those of a warm start:
            the member on seat i from the i-th of `settings.warm_start`.

    Attributes:
        limited: The positions that keep the limits of the search; None without limits.
    """

    sampler = "RelativeNASSampler"
    settings_class = Settings
    has_pairs = True
    settings: Settings
    generations: list[PairedGeneration]

    def __init__(
        self,
        settings: Settings,
        directions: Sequence[StudyDirection],
        trials: TrialReader | Sequence[FrozenTrial] = (),
    ) -> None:
        self.settings = settings
        self.directions = directions
        self.makes_extras = settings.makes_extras
        known = [trials[n] for n in settings.warm_start or () if 0 <= n < len(trials)]
        start = [trial for trial in known if trial.state == TrialState.COMPLETE]
        self._start = start[: settings.population_size]
        self._known = None if settings.space is None else Encoding.of(settings.space)
        self._draws: Draws = (
            KeyedDraws(settings.seed, settings.population_size)
            if self._known is None
            else PaperDraws(settings.seed, settings.population_size, len(self._known.space))
        )
        self.limited = settings.within_limits()
        self._placement = Placement(settings, self._draws, self._start, self.limited)
        self._seat_scores: dict[Seat, SeatScore] = {}
        if settings.keeps_scores:
            for number, trial in enumerate(self._start):
                if settings.describes(trial.params):  # else its score is not the member's
                    self._seat_score(Seat(0, number)).add(trial)
        self._replay()

    def add(self, trial: FrozenTrial, seat: Seat) -> None:
        """Count in a finished trial of a seat; call `advance` after the last of several."""
        if not 0 <= seat.number < self.settings.population_size or seat.generation < 0:
            return  # anybody may write to a study
        changed = self._seat_score(seat).add(trial)
        known = self.generations[seat.generation : seat.generation + 1]
        if changed and any(generation.learned[seat.pair] for generation in known):
            self._replay()  # the trial finished before the one that was counted
            self.advance()

    def advance(self) -> None:
        """Let each pair learn whose two seats are scored."""
        index = self._frontier
        while index < len(self.generations):
            generation = self.generations[index]
            if self._known is None and not self._can_learn(generation):
                return
            for pair in np.flatnonzero(~generation.learned).tolist():
                self._learn_if_scored(generation, pair)
            if index == self._frontier and generation.learned.all():
                before = self._before(generation)
                if self.settings.screening.models_pending:
                    generation.digest = generation.digest_after(before, generation.seat_scores)
                if self._known is None:
                    self._extend(generation)
                self._frontier += 1
            index += 1

    def open_seats(self) -> Iterator[Seat]:
        """Return the seats that are ready and not scored yet, in the order to give them out."""
        for generation in self.generations[self._frontier :]:
            for number, seat_score in enumerate(generation.seat_scores):
                if not seat_score.scored and generation.ready[generation.member(number)]:
                    yield Seat(generation.index, number)

    def is_scored(self, seat: Seat) -> bool:
        """Return True if a seat needs no further trial."""
        return self._seat_score_at(seat).scored

    def counted(self, seat: Seat) -> FrozenTrial | None:
        """Return the trial whose score is the seat's; None without a complete or pruned one."""
        return self._seat_score_at(seat).counted

    def proposal(self, seat: Seat) -> Proposal | None:
        """Return the architecture to score at a seat; None while it is not known.

        It has no variables while the search space is not known.
        """
        if seat.generation >= len(self.generations):
            return None
        generation = self.generations[seat.generation]
        member = generation.member(seat.number)
        if not generation.ready[member]:
            return None
        if generation.encoding is None:
            return Proposal(Encoding({}), np.empty(0))
        return Proposal(generation.encoding, generation.positions[member])

    def fingerprint(self, seat: Seat) -> str | None:
        """Return a fingerprint of the proposal at an open seat, and of the scores behind it.

        None if no process needs it: without `Screening.models_pending`, and in generation 0.
        """
        proposal = self.proposal(seat) if self.settings.screening.models_pending else None
        if proposal is None or seat.generation == 0:
            return None
        earlier, generation = self.generations[seat.generation - 1 : seat.generation + 1]
        encoding, params = generation.first_encoding, proposal[0].decode(proposal[1])
        if not (encoding and encoding.space and encoding.space.keys() <= params.keys()):
            return None
        member = generation.member(seat.number)
        return encoding.fingerprint(params, self._basis(earlier, earlier.seat(member) // 2))

    def _basis(self, generation: PairedGeneration, pair: int) -> str:
        """Return the digest of the scores on which a pair's move depends."""
        return generation.digest_after(self._before(generation), generation.pair_scores(pair))

    def _before(self, generation: PairedGeneration) -> PairedGeneration | None:
        return self.generations[generation.index - 1] if generation.index else None

    def searches(self, name: str, distribution: BaseDistribution) -> bool:
        """Return True if a parameter outside a position is a new one that will be learned."""
        return self._known is None and self._learned.covers(name, distribution)

    def draw(self, seat: Seat, name: str, distribution: BaseDistribution) -> Any:
        """Return the value at a seat of a parameter that the proposal does not have.

        It depends on seed, seat and name alone. If the member starts from an earlier trial, or is
        a fast learner that keeps its position, it is the value of that trial.
        """
        generation = self.generations[seat.generation]
        member = generation.member(seat.number)
        known: Mapping[str, Any] = {}
        proposed: dict[str, Any] = {}
        if seat.generation == 0 and seat.number < len(self._start):
            proposed |= self._start[seat.number].params
        proposed |= generation.dropped[member]
        if name in proposed and is_value_of(distribution, proposed[name]):
            return proposed[name]
        origin, before = generation.origins[member], self._before(generation)
        if origin != seat and before is not None:
            known = before.scored_params(member)
        return decode(distribution, self._placement.drawn(origin, name, distribution, known))

    def _seat_score(self, seat: Seat) -> SeatScore:
        return self._seat_scores.setdefault(seat, SeatScore())

    def _seat_score_at(self, seat: Seat) -> SeatScore:
        if seat.generation < len(self.generations):
            return self.generations[seat.generation].seat_scores[seat.number]
        return self._seat_scores.get(seat, SeatScore())

    def _new_generation(self, index: int, encoding: Encoding | None) -> PairedGeneration:
        size = self.settings.population_size
        variables = 0 if encoding is None else len(encoding.space)
        generation = PairedGeneration(
            index=index,
            pairs=self._draws.pairs(index),
            seat_scores=[self._seat_score(Seat(index, number)) for number in range(size)],
            encoding=encoding,
            positions=np.full((size, variables), np.nan),
            velocities=np.zeros((size, variables)),
            ready=np.full(size, index == 0 or encoding is None),
        )
        if index == 0 and encoding is not None:
            self._placement.start(generation, encoding)
        return generation

    def _replay(self) -> None:
        self._pairs = Learning(self.settings, self.directions, self._draws, self.limited)
        self._learned = LearnedSpace()
        self._frontier = 0  # all pairs of the generations before it have learned
        self.generations = [self._new_generation(0, self._known)]

    def _can_learn(self, generation: PairedGeneration) -> bool:
        """Return True if the parameters over which a generation's pairs learn are known."""
        if generation.index > self._frontier:
            return False
        if generation.encoding is None and generation.complete:
            self._learned = self._learned.extended(generation.seat_scores)
            if self._learned.has_trials:
                self._placement.start(generation, self._learned.encoding)
            elif not generation.learned.all():
                # No complete trial so far: the next generation starts like the first.
                generation.learned[:] = True
                self.generations.append(self._new_generation(generation.index + 1, None))
        return generation.encoding is not None or bool(generation.learned.all())

    def _extend(self, generation: PairedGeneration) -> None:
        """Add the parameters that a complete generation has shown to all generations."""
        self._learned = self._learned.extended(generation.seat_scores)
        before, after = generation.encoding, self._learned.encoding
        if before is None or before.space.keys() == after.space.keys():
            return
        self._placement.extend(generation, self.generations[generation.index + 1], after)
        self._pairs.extend(after, partial(self._placement.extended, before, after))

    def _learn_if_scored(self, generation: PairedGeneration, pair: int) -> None:
        seat_scores = generation.pair_scores(pair)
        if not (seat_scores[0].scored and seat_scores[1].scored):
            return
        members = generation.pairs[pair]
        if not generation.ready[members].all():
            return
        before = self._before(generation)
        history = before is None or before.complete
        if not history and self._pairs.needs_history(generation, seat_scores):
            return
        encoding = generation.encoding
        assert encoding is not None
        for member, seat_score in zip(members.tolist(), seat_scores, strict=True):
            if generation.kept[member]:
                continue  # known since the generation that scored it
            assert seat_score.scored_trial is not None
            self._placement.adopt(generation, member, seat_score.scored_trial, before)
            seat = Seat(generation.index, generation.seat(member))
            origin, position = generation.origins[member], generation.positions[member]
            self._pairs.remember(seat_score, seat, origin, encoding, position.copy())
        if generation.index + 1 == len(self.generations):
            self.generations.append(self._new_generation(generation.index + 1, encoding))
        generation.first_fast[pair] = self._pairs.first_is_fast(generation, pair, before)
        self._move_on(generation, pair, before)

    def _move_on(
        self, generation: PairedGeneration, pair: int, before: PairedGeneration | None
    ) -> None:
        """Let the slow learner of a pair learn, and move both to the next generation."""
        members, following = generation.pairs[pair], self.generations[generation.index + 1]
        following.ready[members] = True
        generation.learned[pair] = True
        if not self.settings.learns:
            for member in members.tolist():
                following.positions[member] = self._pairs.random_position(following, member)
            return
        fast, _ = generation.learners(pair)
        basis = self._basis(generation, pair) if self.settings.screening.models_pending else ""
        self._placement.move(generation, following, pair, self._pairs, basis)
        self._placement.keep(generation, following, fast)
        looks_back = before if before is not None and before.encoding is not None else None
        if looks_back is not None and self._pairs.needs_reevaluation(generation, looks_back, fast):
            following.reevaluated[fast] = True
        elif self.settings.keeps_scores:
            following.kept[fast] = True
            score = generation.seat_scores[generation.seat(fast)]
            following.seat_scores[following.seat(fast)] = score
