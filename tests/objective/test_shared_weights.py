"""The time of each commit: against the rule in memory, and by workers in every order."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import optuna
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from relativenas_optuna.objective.shared_weights import SharedWeights
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.samplers.seats.seat_score import MAX_FAILURES
from relativenas_optuna.spaces import Genotype
from tests.helpers.checkpoints.stores import OPERATIONS, in_folder, learner, scored, weight_set
from tests.helpers.samplers.searches import SPACE, new_sampler

if TYPE_CHECKING:
    from relativenas_optuna.objective.checkpoints import CandidateScore, Checkpoint
    from relativenas_optuna.objective.weight_set import Trained, WeightSet
    from relativenas_optuna.samplers.relative_nas.population import PairedPopulation

SIZE = 6  # members: three pairs
PLACES = [Seat(0, number) for number in range(SIZE)]
VALUE = count(1)  # no two learners learn the same

losses = st.sampled_from([0.1, 0.2, 0.3])  # so few that there are ties
operations = st.sampled_from(OPERATIONS)


@cache
def _built(number: int) -> tuple[WeightSet, dict[str, torch.Tensor]]:
    weights = weight_set()
    return weights, weights.snapshot()


def unlearned(number: int) -> WeightSet:
    """Return the weight set of a supernet, by its number, with its initial weights."""
    weights, first = _built(number)
    weights.restore(first, version=0)
    return weights


def same(one: WeightSet, other: WeightSet) -> bool:
    return one.version == other.version and all(
        map(torch.equal, one.supernet.state_dict().values(), other.supernet.state_dict().values())
    )


class Rule:
    """The rule of the paper, for all workers in one weight set that nothing else touches.

    Attributes:
        weights: Weights that every worker must have after it synchronises.
        waiting: Learners that wait for their partners, by seat, each with its start version.
    """

    def __init__(self) -> None:
        self.weights = unlearned(0)
        self.waiting: dict[Seat, tuple[CandidateScore, Trained, int]] = {}

    def end(
        self, one: CandidateScore, trained: Trained, start: int, *, maximise: bool
    ) -> int | None:
        """Commit a complete pair, and return the number of commits since it started."""
        other = self.waiting.pop(one.seat.partner, None)
        if other is None:
            self.waiting[one.seat] = one, trained, start
            return None
        first, second = sorted([(one, trained), other[:2]], key=lambda pair: pair[0].seat)
        better = second[0].loss > first[0].loss if maximise else second[0].loss < first[0].loss
        fast, slow = (second, first) if better else (first, second)
        stale = self.weights.version - min(start, other[2])
        self.weights.commit_pair(fast[1], slow[1])
        return stale

    def settle(self, ended: set[Seat]) -> None:
        for seat in sorted(self.waiting):
            if seat.partner in ended:
                self.weights.commit(self.waiting.pop(seat)[1])


@dataclass
class Candidate:
    """A candidate that a worker trains at a seat, or that fails for good."""

    seat: Seat
    operation: str
    loss: float
    fails: bool
    start: int = -1

    def train(self, weights: WeightSet) -> tuple[CandidateScore, Trained]:
        trained = learner(weights, self.operation, float(next(VALUE)))
        return scored(self.operation, self.seat, self.loss), trained


class Study:
    """A real study of which every seat of the first generation runs."""

    def __init__(self) -> None:
        self._sampler = new_sampler(SPACE, SIZE)
        self._study = optuna.create_study(sampler=self._sampler)
        self._trials = self._ask()
        self.ended: set[Seat] = set()

    def _ask(self) -> dict[Seat | None, optuna.Trial]:
        return {seat_of(trial): trial for trial in self._sampler.ask_generation(self._study)}

    def tell(self, candidate: Candidate) -> None:
        """Tell the loss of a seat, or as many failures as it takes."""
        if candidate.fails:
            for _ in range(MAX_FAILURES):
                self._study.tell(self._trials[candidate.seat], state=TrialState.FAIL)
                self._trials |= self._ask()
        else:
            self._study.tell(self._trials[candidate.seat], candidate.loss)
        self.ended.add(candidate.seat)

    def population(self) -> PairedPopulation | None:
        return self._sampler.population(self._study)


@dataclass
class Worker:
    """A worker of its own memory, and what it has to do."""

    number: int
    checkpoint: Checkpoint | None
    todo: list[Candidate] = field(default_factory=list)
    at: Candidate | None = None

    def __post_init__(self) -> None:
        self.weights = unlearned(self.number)
        self.shared = SharedWeights(self.weights, self.checkpoint, Genotype.from_text)

    @property
    def has_work(self) -> bool:
        return bool(self.todo) or self.at is not None

    def step(self, rule: Rule, study: Study, *, maximise: bool) -> None:
        """Begin or end a candidate, as `SupernetObjective` does."""
        if self.at is None:
            self.at = self.todo.pop(0)
            self.shared.settle(study.population)
            rule.settle(study.ended)
            partner_here = self.at.seat.partner in self.shared._waiting
            self.at.start = self.shared.begin(self.at.seat.partner)
            if not partner_here:
                assert self.at.start == rule.weights.version
                assert same(self.weights, rule.weights)
            return
        candidate, self.at = self.at, None
        if not candidate.fails:
            one, trained = candidate.train(self.weights)
            start = candidate.start
            stale = self.shared.end(
                one,
                trained,
                start_version=start,
                partner=candidate.seat.partner,
                maximise=maximise,
            )
            assert stale == rule.end(one, trained, start, maximise=maximise)
            known = self.shared.known(candidate.seat, one.architecture)
            assert known is not None
            assert known.loss == one.loss
        study.tell(candidate)


def assert_whole(workers: list[Worker], rule: Rule, study: Study) -> None:
    """Nothing waits, and everybody has the weights of the rule."""
    rule.settle(study.ended)
    for worker in workers:
        worker.shared.settle(study.population)
        assert worker.shared.waiting() == set()
        assert worker.shared.begin(None) == rule.weights.version
        assert same(worker.weights, rule.weights)


rarely = st.sampled_from([False] * 5 + [True])
candidates = st.tuples(
    *(st.builds(Candidate, st.just(place), operations, losses, rarely) for place in PLACES)
)


@settings(max_examples=30)
@given(candidates, st.booleans())
def test_in_memory_it_is_the_rule_of_the_paper(
    found: tuple[Candidate, ...], maximise: bool
) -> None:
    rule, study, worker = Rule(), Study(), Worker(1, None, todo=list(found))
    while worker.has_work:
        worker.step(rule, study, maximise=maximise)
    assert_whole([worker], rule, study)


@settings(max_examples=20)
@given(candidates, st.permutations(range(SIZE)), st.data())
def test_workers_in_every_order_undo_nothing_of_each_other(
    found: tuple[Candidate, ...], order: list[int], data: st.DataObject
) -> None:
    """Pairs of one worker and those that two share, their begins and ends in any order."""
    with TemporaryDirectory() as folder:
        rule, study = Rule(), Study()
        workers = [Worker(number, in_folder(Path(folder))) for number in (1, 2)]
        for number in order:
            data.draw(st.sampled_from(workers), label="worker").todo.append(found[number])
        while busy := [worker for worker in workers if worker.has_work]:
            data.draw(st.sampled_from(busy), label="step").step(rule, study, maximise=False)
        assert_whole(workers, rule, study)
        assert_whole([Worker(3, in_folder(Path(folder)))], rule, study)
