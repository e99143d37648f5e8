"""Whole generations at once: their trials and seats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.seats.claims import Claim, Seat, seat_of
from relativenas_optuna.samplers.seats.worker import this_worker
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    SearchKind,
    Space,
    ask,
    both_spaces,
    every_kind,
    new_sampler,
    population,
    scored,
    search,
    seated,
    state,
    study_and_sampler,
    suggest,
    tell,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

FIRST = [Seat(0, number) for number in range(4)]


def seats(trials: Iterable[optuna.Trial | FrozenTrial]) -> list[Seat]:
    """Return the seats of trials in order."""
    return sorted(seat for seat in map(seat_of, trials) if seat is not None)


def test_ask_generation_gives_all_seats_with_parameters(storage: BaseStorage) -> None:
    sampler = new_sampler(SPACE)
    study = optuna.create_study(storage=storage, sampler=sampler)
    try:
        trials = sampler.ask_generation(study)
        assert seats(trials) == FIRST
        alone = scored(search(space=SPACE, trials=4))
        for trial in trials:
            seat = seat_of(trial)
            assert seat is not None
            assert trial.params == study.trials[trial.number].params == alone[seat][0]
            assert study.trials[trial.number].state == TrialState.RUNNING
            assert trial.distributions == SPACE
        assert not sampler.ask_generation(study)
        assert not sampler.enqueue_generation(study)
        assert {t.number for t in trials} == {*range(4)} == {t.number for t in study.trials}
    finally:
        optuna.delete_study(study_name=study.study_name, storage=storage)


def test_ask_generation_includes_single_valued_parameters() -> None:
    space: Space = {**SPACE, "one": IntDistribution(4, 4), "only": CategoricalDistribution(["z"])}
    study, sampler = study_and_sampler(space)
    trials = sampler.ask_generation(study)
    assert [list(trial.params) for trial in trials] == [list(space)] * 4
    assert {(trial.params["one"], trial.params["only"]) for trial in trials} == {(4, "z")}


@pytest.mark.parametrize("ask_trials", ["ask_generation", "ask_seats"])
@every_kind
def test_a_batch_draws_by_its_own_sampler_whatever_the_study_has(
    kind: SearchKind, ask_trials: str
) -> None:
    sampler, study = kind.sampler(), optuna.create_study()
    assert isinstance(study.sampler, TPESampler)  # Optuna's default
    while len(study.trials) < 12:
        for trial in getattr(sampler, ask_trials)(study):
            suggest(trial, SPACE)
            tell(study, trial)
    assert isinstance(study.sampler, TPESampler)
    assert scored(study) == scored(kind.search(12))


@both_spaces
def test_a_failed_seat_is_given_out_up_to_three_times(space: Space | None) -> None:
    study, sampler = study_and_sampler(space)
    for attempt in range(3):
        for trial in sampler.ask_generation(study):
            suggest(trial, SPACE)
            if seat_of(trial) == Seat(0, 2):
                study.tell(trial, state=TrialState.FAIL)
            else:
                tell(study, trial)
        counts = [sum(seat == s for seat, _ in seated(study)) for s in FIRST]
        assert counts == [1, 1, 1 + attempt, 1]
    # The objective failed there three times: it is the slow learner.
    assert not population(study).generations[0].first_fast[1]
    assert {seat.generation for seat in seats(sampler.ask_generation(study))} == {1}


@pytest.mark.parametrize("arriving", [1, 2, 6])
def test_a_batch_leaves_seats_for_arriving_trials(arriving: int) -> None:
    study, sampler = study_and_sampler()
    early = [study._storage.create_new_trial(study._study_id) for _ in range(arriving)]
    left = FIRST[min(arriving, 4) :]
    assert seats(sampler.ask_generation(study)) == left
    for trial_id in early:
        optuna.Trial(study, trial_id)
    # As many as there are seats take one each; more of them share.
    assert sorted({*seats(study.trials)}) == FIRST
    assert len(study.trials) == max(arriving, 4)


class RivalStorage(InMemoryStorage):
    """A storage in which rivals claim seats just before the first trial of a batch is made."""

    rivals: tuple[Seat, ...] = ()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        rivals, self.rivals = self.rivals, ()
        for seat in rivals:
            trial_id = super().create_new_trial(study_id)
            Claim(seat, this_worker(), "RelativeNASSampler").write(self, trial_id)
        return super().create_new_trial(study_id, template_trial)


@pytest.mark.parametrize("state_made", [TrialState.RUNNING, TrialState.WAITING])
@pytest.mark.parametrize("number", range(4))
def test_a_batch_gives_way_to_an_earlier_claim(number: int, state_made: TrialState) -> None:
    storage, sampler = RivalStorage(), new_sampler(SPACE)
    study = optuna.create_study(storage=storage, sampler=sampler)
    study.tell(ask(study)[0], state=TrialState.FAIL)  # so that there are settings
    storage.rivals = (Seat(0, number),)
    if state_made == TrialState.RUNNING:
        sampler.ask_generation(study)
    else:
        sampler.enqueue_generation(study)
    open_trials = study.get_trials(states=(TrialState.RUNNING, TrialState.WAITING))
    assert seats(open_trials) == FIRST
    assert sum(trial.state == state_made for trial in open_trials) >= 3


def test_enqueue_generation_needs_a_known_search_space() -> None:
    study, sampler = study_and_sampler(None)
    with pytest.raises(SettingsError) as caught:
        sampler.enqueue_generation(study)
    message = str(caught.value)
    assert message.startswith("search_space must be given to RelativeNASSampler")
    assert study.study_name in message
    assert "\n" not in message
    assert not study.trials
    trials = sampler.ask_generation(study)
    assert [trial.params for trial in trials] == [{}] * 4
    for trial in trials:
        suggest(trial, SPACE)
        tell(study, trial)
    assert len(sampler.enqueue_generation(study)) == 4


@both_spaces
def test_asked_enqueued_and_single_trials_mix(space: Space | None) -> None:
    study, sampler = study_and_sampler(space)
    for generation in range(6):
        if generation % 3 == 0:
            study.optimize(OBJECTIVE, n_trials=4)
        elif generation % 3 == 1:
            study.sampler = RandomSampler(seed=1)
            study.optimize(OBJECTIVE, n_trials=len(sampler.enqueue_generation(study)))
            study.sampler = sampler
        else:
            for trial in reversed(sampler.ask_generation(study)):
                tell(study, trial)
    undisturbed = search(space=space, trials=24)
    assert scored(study) == scored(undisturbed)
    assert state(study) == state(undisturbed)
