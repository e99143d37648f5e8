"""A search that stops for ever at a chosen point, to be killed there by `test_kill`.

Arguments: the study's storage URL, its name, the kind of search (a name of `searches.KINDS`), the
number of the trial at which to stop, and where: "arrival", "claim" or "objective".
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import optuna

from relativenas_optuna.samplers.seats.claims import Claim
from tests.helpers.samplers.searches import KINDS, OBJECTIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.storages import BaseStorage


def stop() -> None:
    """Say that the point is reached, and stay there."""
    sys.stdout.write("here\n")
    sys.stdout.flush()
    time.sleep(600)


def main(url: str, name: str, kind: str, number: str, where: str) -> None:
    """Search until the point is reached."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.load_study(storage=url, study_name=name, sampler=KINDS[kind].sampler())
    write: Callable[..., None] = Claim.write

    def stopped_write(self: Claim, storage: BaseStorage, trial_id: int, retries: int = 0) -> None:
        reached = storage.get_trial(trial_id).number == int(number)
        if reached and where == "arrival":
            stop()
        write(self, storage, trial_id, retries)
        if reached and where == "claim":
            stop()

    def objective(trial: optuna.Trial) -> float:
        value = OBJECTIVE(trial)
        if trial.number == int(number):
            stop()
        return value

    Claim.write = stopped_write  # type: ignore[method-assign]
    study.optimize(objective, n_trials=100)


if __name__ == "__main__":
    main(*sys.argv[1:])
