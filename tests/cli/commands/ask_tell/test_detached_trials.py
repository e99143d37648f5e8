"""Trials that outlive the process that asked for them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import TrialState

from relativenas_optuna.cli.commands.ask_tell.trials import _detach
from relativenas_optuna.samplers.relative_nas.population import PairedPopulation
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.relative_nas.settings import Arguments, Settings
from relativenas_optuna.samplers.seats import lease
from relativenas_optuna.samplers.seats.claims import Claim, Seat, claim_data
from relativenas_optuna.samplers.seats.seating import Seating
from tests.helpers.command import ENVIRONMENT

if TYPE_CHECKING:
    from typing import Any

    from optuna.trial import FrozenTrial

SPACE: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0)}


@pytest.fixture(scope="module")
def ended() -> dict[str, Any]:
    """Return a process of this machine that has ended."""
    program = (
        "import json\nfrom relativenas_optuna.samplers.seats.worker import this_worker\n"
        "print(json.dumps(this_worker()))"
    )
    words = [sys.executable, "-c", program]
    run = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    worker: dict[str, Any] = json.loads(run.stdout)
    return worker


@pytest.mark.parametrize("lets_go", [True, False])
def test_a_trial_that_is_let_go_while_another_process_looks_is_not_failed(
    ended: dict[str, Any], lets_go: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that asked lets go and ends after the other read that it runs the trial."""
    study = optuna.create_study(sampler=RelativeNASSampler(SPACE, population_size=2, seed=1))
    trial = study.ask(SPACE)
    settings = Settings(2, 1, SPACE).to_json()
    claim = Claim(Seat(0, 0), ended, "RelativeNASSampler", settings)
    claim.write(study._storage, trial._trial_id)
    seating = Seating(study, Arguments(), PairedPopulation)

    known_gone = lease.is_gone

    def is_gone(read: FrozenTrial, silence: float) -> bool:
        if lets_go and claim_data(study.trials[0].system_attrs)["worker"]:
            _detach(trial)
        return known_gone(read, silence)

    monkeypatch.setattr(lease, "is_gone", is_gone)
    seating.look(study)
    assert (Seat(0, 0) in seating.replay.free_seats()) is not lets_go
    state = study.trials[0].state
    assert state == (TrialState.RUNNING if lets_go else TrialState.FAIL)
    assert claim_data(study.trials[0].system_attrs)["worker"] == ({} if lets_go else ended)
