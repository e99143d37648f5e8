"""Read the sampler, times, best trials and architectures from the trials of any study."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.samplers.populations import SeatedTrials, starting_claim
from relativenas_optuna.samplers.seats.claims import sampler_named
from relativenas_optuna.samplers.trial_losses import violation
from relativenas_optuna.spaces.genotype import Genotype, node_lines
from relativenas_optuna.spaces.space_genotype import genotype_from_text
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optuna import Study
    from optuna.trial import FrozenTrial

# Optuna's samplers by the prefix of their system attributes. Samplers without such attributes
# (RandomSampler, QMCSampler) stay unknown.
_SIGNS = {
    "tpe:": "TPESampler",
    "gp:": "GPSampler",
    "cma:": "CmaEsSampler",
    "cmawm:": "CmaEsSampler",
    "NSGAIISampler:": "NSGAIISampler",
    "NSGAIIISampler:": "NSGAIIISampler",
    "grid_id": "GridSampler",
}


def sampler_of(trials: Sequence[FrozenTrial]) -> str | None:
    """Return the class name of the sampler of most trials; None if no trial names its sampler."""
    counts: dict[str, int] = {}
    for trial in trials:
        if (claimed := sampler_named(trial.system_attrs)) is not None:
            counts[claimed] = counts.get(claimed, 0) + 1
        for sign, name in _SIGNS.items():
            if any(key.startswith(sign) for key in trial.system_attrs):
                counts[name] = counts.get(name, 0) + 1
    found = max(counts, key=lambda name: counts[name], default=None)
    claim = starting_claim(trials) if found == SeatedTrials.sampler else None
    return found if claim is None or claim.settings is None else claim.settings["proposer"]


def last_written(trials: Iterable[FrozenTrial]) -> datetime | None:
    """Return the local time, without a zone, at which a trial last started or ended.

    The result is None if no trial has a time.
    """
    times = (time for t in trials for time in (t.datetime_start, t.datetime_complete) if time)
    return max(times, key=datetime.timestamp, default=None)


def best_trials(study: Study) -> list[FrozenTrial]:
    """Return the feasible complete trials, the best first.

    With several objectives, only the trials on the Pareto front are returned. The list is then
    empty if Optuna cannot read the constraints of a trial.
    """
    if len(study.directions) > 1:
        with suppress(*UNREADABLE):
            return study.best_trials
        return []
    sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    feasible = [trial for trial in complete if violation(trial) == 0]
    return sorted(feasible, key=lambda trial: (sign * trial.values[0], trial.number))


def genotype_of(trial: FrozenTrial) -> Genotype | None:
    """Return the genotype of a trial; None if it has none or one of another space than "cells"."""
    text = trial.user_attrs.get("genotype")
    try:
        return Genotype.from_text(text) if isinstance(text, str) else None
    except ValueError:
        return None


def architecture_lines(trial: FrozenTrial) -> str:
    """Return a trial's architecture as lines for people, or its parameters if it has none."""
    text = trial.user_attrs.get("genotype")
    with suppress(ValueError):
        if isinstance(text, str):
            return node_lines(genotype_from_text(text, None).to_text())
    return "\n".join(f"{name} = {value!r}" for name, value in trial.params.items())


def record_data(record: Any) -> dict[str, Any]:
    """Return a record with a field `last_written` as JSON data.

    The time is written in ISO format with its time zone, because another machine may read it.
    """
    data: dict[str, Any] = plain(record)
    written: datetime | None = record.last_written
    data["last_written"] = None if written is None else written.astimezone().isoformat()
    return data
