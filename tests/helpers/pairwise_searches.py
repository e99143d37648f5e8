"""Searches with any goals, and their weights trained and committed again pair by pair."""

from __future__ import annotations

import math
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from torch import Tensor

from relativenas_optuna.objective.candidate import CandidateTrainer
from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.objective.weight_set import WeightSet
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from tests.helpers.tiny_search import SEED, SETTINGS, SPACE, Scoring, same_bits, tiny_images


def aiming(**options: Any) -> Scoring:
    return SupernetObjective(
        SPACE, tiny_images(), settings=SETTINGS, seed=SEED, device="cpu", **options
    )


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(1) == labels).float().mean()


def is_trained(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and math.isfinite(trial.values[0])


def by_seat(found: optuna.Study) -> dict[Seat, FrozenTrial]:
    trials = {}
    for trial in found.trials:
        seat = seat_of(trial)
        assert seat is not None
        assert seat not in trials
        trials[seat] = trial
    return trials


def by_hand(
    scoring: Scoring, found: optuna.Study, *, sign: int = 1, **options: Any
) -> tuple[WeightSet, dict[Seat, float]]:
    """Return weights and scores of a search that is trained and committed again pair by pair."""
    trainer = CandidateTrainer(
        SPACE, scoring.training, scoring.validation, settings=SETTINGS, seed=SEED, **options
    )
    trials, scores = by_seat(found), {}
    for first in sorted(seat for seat in trials if seat.number % 2 == 0):
        pair = []
        for seat in (first, first.partner):
            trial = trials[seat]
            if is_trained(trial):
                outcome = trainer.train(SPACE.genotype(trial.params), seat)
                scores[seat] = outcome.score.score
                pair.append(outcome)
        pair.sort(key=lambda outcome: sign * outcome.score.score)
        if len(pair) == 2:
            trainer.weights.commit_pair(fast=pair[0].trained, slow=pair[1].trained)
        elif pair:
            trainer.weights.commit(pair[0].trained)
    return trainer.weights, scores


def assert_is_by_hand(scoring: Scoring, found: optuna.Study, **options: Any) -> None:
    scoring.settle(found)
    assert not scoring.waiting
    weights, scores = by_hand(scoring, found, **options)
    told = {seat: t.values[0] for seat, t in by_seat(found).items() if is_trained(t)}
    assert scores == told
    assert same_bits(scoring.weights.snapshot(), weights.snapshot())
    assert scoring.weights.version == weights.version
