"""A process that only scores the trials of a population sampler can show the study."""

import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from relativenas_optuna import RelativeNASSampler
from tests.helpers.command import ENVIRONMENT

WORKER = """
import sys, optuna
from relativenas_optuna.dashboard import DashboardReporter

study = optuna.load_study(
    study_name="s", storage=sys.argv[1], sampler=optuna.samplers.RandomSampler()
)
study.optimize(
    lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=4, callbacks=[DashboardReporter()]
)
"""


@pytest.mark.slow
def test_a_worker_with_another_sampler_writes_notes_and_warns_of_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    space: dict[str, optuna.distributions.BaseDistribution] = {
        "x": optuna.distributions.FloatDistribution(-1, 1)
    }
    sampler = RelativeNASSampler(space, population_size=4, seed=0)
    study = optuna.create_study(study_name="s", storage=url, sampler=sampler)
    sampler.enqueue_generation(study)
    run = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", WORKER, url],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    loaded = optuna.load_study(study_name="s", storage=url)
    attributes = loaded._storage.get_study_system_attrs(loaded._study_id)
    assert any("note" in name for name in attributes)
