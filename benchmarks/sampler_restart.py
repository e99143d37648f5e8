"""Measure the cost of continuing a study with many trials, and of repeated reads.

As a script, `sampler_restart.py URL SAMPLER`, it is the fresh process that goes on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import optuna
from optuna.distributions import distribution_to_json
from optuna.samplers import RandomSampler
from optuna.storages._rdb import models
from rich.table import Table
from sampler_cases import PRESETS, SPACE, opened, ours, suggest
from sampler_share import fill_at_random, fill_by_generations
from sqlalchemy import insert

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.relative_nas.population import PairedPopulation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.claims import Seat

STUDY = "restart"


def restart_table(size: int) -> Table:
    """Return a table of the time of a new sampler's first ask, in memory and on SQLite."""
    table = Table(title=f"restart at {size:,} trials: seconds until the first trial is asked for")
    table.caption = (
        "in memory it is a fresh sampler, on SQLite a fresh process; twice: finished trials that "
        "the living sampler, while it filled the study, counted in more than once"
    )
    for column in ("", "sampler", "open", "Optuna reads", "first ask", "next ask", "twice"):
        left = column in {"", "sampler"}
        table.add_column(column, justify="left" if left else "right", no_wrap=left)
    for name in ("RandomSampler", *PRESETS):
        living = sampler_of(name)
        study = optuna.create_study(sampler=living, study_name=STUDY)
        with counted_reads() as reads:
            fill(study, size)
        twice = "-" if name == "RandomSampler" else str(sum(n > 1 for n in reads.values()))
        fresh = optuna.load_study(
            study_name=STUDY, storage=study._storage, sampler=sampler_of(name)
        )
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'restart.db'}"
            copy(study, url)
            script = (sys.executable, __file__, url, name)
            answer = subprocess.run(script, check=True, capture_output=True, text=True).stdout
        figures = [f"{seconds:.3f}" for seconds in json.loads(answer)]
        label = name if name == "RandomSampler" else f"ours, {name}"
        first, following = (f"{ask(fresh):.4f}" for _ in range(2))
        table.add_row("in memory", label, "-", "-", first, following, twice)
        table.add_row("SQLite", label, *figures, "")
    return table


def sampler_of(name: str) -> BaseSampler:
    """Return a new sampler: RelativeNASSampler with a preset, or RandomSampler."""
    return RandomSampler(seed=0) if name == "RandomSampler" else ours(name)


def fill(study: Study, size: int) -> None:
    """Bring a study to `size` trials, the last tenth of ours one by one."""
    if not isinstance(study.sampler, RelativeNASSampler):
        fill_at_random(study, size)
        return
    fill_by_generations(study, study.sampler, size - size // 10)
    for _ in range(size // 10):
        ask(study)


def ask(study: Study) -> float:
    """Return the seconds until a trial has its parameters; its result is told afterwards."""
    begin = time.perf_counter()
    trial = study.ask()
    loss = suggest(trial)
    seconds = time.perf_counter() - begin
    study.tell(trial, loss)
    return seconds


@contextmanager
def counted_reads() -> Iterator[Counter[int]]:
    """Yield a counter of how often a population counts in each finished trial, by its number."""
    reads: Counter[int] = Counter()
    add = PairedPopulation.add

    def counting(population: PairedPopulation, trial: FrozenTrial, seat: Seat) -> None:
        reads[trial.number] += 1
        add(population, trial, seat)

    with patch.object(PairedPopulation, "add", counting):
        yield reads


def copy(study: Study, url: str) -> None:
    """Copy a study to a new database in a few statements; `optuna.copy_study` takes minutes."""
    trials = study.get_trials(deepcopy=False)
    with opened(url, stock=False) as storage:
        to = optuna.create_study(study_name=STUDY, storage=storage)._study_id
        with storage.engine.begin() as connection:
            for model, rows in _rows(trials, to).items():
                connection.execute(insert(model), rows)


def _rows(trials: list[FrozenTrial], study_id: int) -> dict[type[models.BaseModel], list[Any]]:
    written = {name: distribution_to_json(d) for name, d in SPACE.items()}
    return {
        models.TrialModel: [
            {
                "trial_id": trial.number + 1,
                "number": trial.number,
                "study_id": study_id,
                "state": trial.state,
                "_datetime_start_utc": _utc(trial.datetime_start),
                "_datetime_complete_utc": _utc(trial.datetime_complete),
            }
            for trial in trials
        ],
        models.TrialSystemAttributeModel: [
            {"trial_id": trial.number + 1, "key": key, "value_json": json.dumps(value)}
            for trial in trials
            for key, value in trial.system_attrs.items()
        ],
        models.TrialParamModel: [
            {
                "trial_id": trial.number + 1,
                "param_name": name,
                "param_value": SPACE[name].to_internal_repr(value),
                "distribution_json": written[name],
            }
            for trial in trials
            for name, value in trial.params.items()
        ],
        models.TrialValueModel: [
            {
                "trial_id": trial.number + 1,
                "objective": 0,
                "value": trial.value,
                "value_type": models.TrialValueModel.TrialValueType.FINITE,
            }
            for trial in trials
        ],
    }


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC).replace(tzinfo=None)


def go_on(url: str, name: str) -> list[float]:
    """Seconds to open the study, for Optuna to read it, for the first ask and for the next."""
    sampler = sampler_of(name)
    begin = time.perf_counter()
    with opened(url, stock=False) as storage:
        study = optuna.load_study(study_name=STUDY, storage=storage, sampler=sampler)
        is_open = time.perf_counter()
        study.get_trials(deepcopy=False)
        is_read = time.perf_counter()
        return [is_open - begin, is_read - is_open, ask(study), ask(study)]


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(json.dumps(go_on(sys.argv[1], sys.argv[2])))
