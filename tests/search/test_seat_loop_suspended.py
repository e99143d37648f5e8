"""A worker whose trial was ended by another process goes on with the next seats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from optuna.trial import TrialState

from relativenas_optuna.storages.interruption import fail, was_interrupted
from tests.helpers.samplers.searches import SPACE, search, state, study_and_sampler
from tests.search.test_seat_loop import SEATS, at_call, run

if TYPE_CHECKING:
    import optuna


def failed_meanwhile(trial: optuna.Trial) -> None:
    """Fail all running trials, as another worker does when this one is silent."""
    running = trial.study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    fail(trial.storage, [each._trial_id for each in running])


def failed_and_written_to(trial: optuna.Trial) -> None:
    failed_meanwhile(trial)
    trial.set_user_attr("accuracy", 1.0)


@pytest.mark.parametrize("step", [failed_meanwhile, failed_and_written_to])
@pytest.mark.parametrize("call", [1, 2])
def test_a_worker_that_stood_still_goes_on(step: object, call: int) -> None:
    study = study_and_sampler()[0]
    with pytest.warns(UserWarning, match="was ended by another process"):
        run(study, at_call(call, step))  # type: ignore[arg-type]
    assert all(was_interrupted(trial) for trial in study.get_trials(states=[TrialState.FAIL]))
    assert state(study) == state(search(space=SPACE, trials=SEATS))
