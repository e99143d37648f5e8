"""Measure the memory that this process can still allocate."""

from __future__ import annotations

import math
import sys
from contextlib import suppress

import psutil

from relativenas_optuna._utils.control_groups import limit_texts


def memory_left() -> float:
    """Return an upper bound of the memory that this process can still allocate, in bytes.

    Memory of other processes is not subtracted, because they may free it.
    """
    now = psutil.Process().memory_info()
    own = now.rss - getattr(now, "shared", 0)  # files that are mapped can be dropped
    most = min(psutil.virtual_memory().total, _group_limit()) + psutil.swap_memory().total
    return max(0.0, float(min(most - own, _address_limit() - now.vms)))


def shortage(needed: float) -> str | None:
    """Return None if `needed` bytes fit in memory, otherwise text for an error message.

    The text completes a sentence such as "training needs ...".
    """
    left = memory_left()
    if needed <= left:
        return None
    return (
        f"at least {needed / 1e9:,.1f} GB of memory, and this process can get {left / 1e9:,.1f} GB "
        f"more"
    )


def _address_limit() -> float:
    """Return the bytes of `ulimit -v`; Windows has no such limit."""
    if sys.platform == "win32":
        return math.inf
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return math.inf if soft == resource.RLIM_INFINITY else soft


def _group_limit() -> float:
    """Return the bytes that this process's control groups allow."""
    limits = [math.inf]
    for texts in limit_texts("memory", "memory.max", "memory.limit_in_bytes"):
        with suppress(ValueError):  # "max"
            limits.append(int(texts[0]))
    return min(limits)
