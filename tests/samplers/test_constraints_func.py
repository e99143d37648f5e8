"""The argument `constraints_func`, as in Optuna's own samplers."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.exceptions import SettingsError
from tests.helpers.samplers.searches import SPACE, bits, loss, suggest

if TYPE_CHECKING:
    from pathlib import Path

    from optuna.trial import FrozenTrial


def bound(trial: FrozenTrial) -> list[float]:
    """Return a constraint that about half of the space violates."""
    return [trial.params["x"] - 0.1, -1.0]


def constrained(**arguments: object) -> RelativeNASSampler:
    with pytest.warns(FutureWarning, match=r"call trial\.set_constraint in the objective instead"):
        return RelativeNASSampler(
            SPACE,
            population_size=4,
            seed=3,
            constraints_func=bound,
            **arguments,  # type: ignore[arg-type]
        )


def objective(trial: optuna.Trial) -> float:
    return loss(suggest(trial, SPACE), SPACE)


@pytest.mark.parametrize("preset", ["plain", "paper"])
def test_constraints_func_equals_constraints_set_by_the_objective(preset: str) -> None:
    def sets_constraints(trial: optuna.Trial) -> float:
        value = objective(trial)
        for name, constraint in enumerate(bound(trial)):  # type: ignore[arg-type]
            trial.set_constraint(str(name), constraint)
        return value

    study = optuna.create_study(sampler=constrained(preset=preset))
    study.optimize(objective, n_trials=24)
    sampler = RelativeNASSampler(SPACE, population_size=4, seed=3, preset=preset)
    other = optuna.create_study(sampler=sampler)
    other.optimize(sets_constraints, n_trials=24)
    assert [trial.params for trial in study.trials] == [trial.params for trial in other.trials]
    assert [trial.constraints for trial in study.trials] == [t.constraints for t in other.trials]
    assert study.trials[0].system_attrs["constraints"] == tuple(bound(study.trials[0]))
    assert study.best_trial.params["x"] <= 0.1


def test_every_sampler_object_reads_constraints_from_the_study(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(study_name="s", storage=url)
    one = pickle.dumps(constrained())
    for _ in range(8):  # a new worker for every trial
        worker = optuna.load_study(
            study_name="s",
            storage=url,
            sampler=pickle.loads(one),  # noqa: S301 - our own
        )
        worker.optimize(objective, n_trials=1)
    undisturbed = optuna.create_study(sampler=constrained())
    undisturbed.optimize(objective, n_trials=8)
    assert [trial.constraints for trial in study.trials] == [
        t.constraints for t in undisturbed.trials
    ]
    found, expected = (RelativeNASSampler().population(each) for each in (study, undisturbed))
    assert found is not None
    assert expected is not None
    assert bits(found) == bits(expected)


def test_a_constraints_func_that_is_not_callable_is_an_error() -> None:
    with pytest.raises(SettingsError, match="constraints_func must be a function of a trial; got"):
        RelativeNASSampler(constraints_func=[0.0])  # type: ignore[arg-type]
