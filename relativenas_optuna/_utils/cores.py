"""Count the CPU cores that this process may use."""

from __future__ import annotations

import os
from contextlib import suppress

from relativenas_optuna._utils.control_groups import limit_texts


def usable_cpus() -> list[int]:
    """Return the numbers of the CPUs that this process may run on, in ascending order."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def available_cores() -> int:
    """Return the number of cores that this process may use together with its threads, at least 1.

    These are the CPUs that it may run on, or fewer if a container or a batch system limits the CPU
    time.
    """
    cores = float(len(usable_cpus()))
    for texts in limit_texts("cpu", "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
        with suppress(ValueError):  # version 2 writes "max" if there is no limit
            quota, period = (int(word) for word in " ".join(texts).split())
            if quota > 0 and period > 0:  # version 1 writes -1
                cores = min(cores, quota / period)
    return max(1, int(cores))
