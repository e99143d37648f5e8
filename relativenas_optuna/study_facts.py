"""What the trials of any study say of it: whose they are, and when they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.samplers.claims import CLAIM_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from optuna.trial import FrozenTrial

# What samplers leave with their trials, by the beginning of its name. A study does not name its
# sampler, and those that leave nothing (RandomSampler, QMCSampler) stay unknown.
_SIGNS = {
    CLAIM_KEY: "RelativeNASSampler",
    "tpe:": "TPESampler",
    "gp:": "GPSampler",
    "cma:": "CmaEsSampler",
    "cmawm:": "CmaEsSampler",
    "NSGAIISampler:": "NSGAIISampler",
    "NSGAIIISampler:": "NSGAIIISampler",
    "grid_id": "GridSampler",
}


def sampler_of(trials: Iterable[FrozenTrial]) -> str | None:
    """Name of the class of the sampler that made most trials; `None` where they do not say it."""
    counts: dict[str, int] = {}
    for trial in trials:
        for sign, name in _SIGNS.items():
            if any(key.startswith(sign) for key in trial.system_attrs):
                counts[name] = counts.get(name, 0) + 1
    return max(counts, key=lambda name: counts[name], default=None)


def last_written(trials: Iterable[FrozenTrial]) -> datetime | None:
    """When a trial last began or ended, by this machine's clock and without a zone."""
    times = (time for t in trials for time in (t.datetime_start, t.datetime_complete) if time)
    return max(times, default=None)
