"""Output of what a search does within its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.text import duration, number_of

if TYPE_CHECKING:
    from relativenas_optuna.search.budget import TimePlan
    from relativenas_optuna.search.plan import SearchPlan


def time_plan_line(plan: SearchPlan, within: TimePlan) -> str:
    """Return one line about what a search does within its time."""
    parts = [] if plan.images is None else [f"{plan.images} of the images"]
    if within.uniform_epochs:
        epochs = number_of(within.uniform_epochs, "epoch")
        parts.append(f"{epochs} of shared weights ({_about(within.weights)})")
    parts.append(
        f"{number_of(within.generations, 'generation')} of {plan.settings.population} "
        f"({_about(within.scoring)})"
    )
    if plan.finals is not None:
        parts.append(
            f"finals of {plan.finals.shortlist} with "
            f"{number_of(within.passes, 'pass')} ({_about(within.finals)})"
        )
    assert plan.time is not None
    return f"plan for {_about(plan.time)}: {', '.join(parts)}"


def _about(seconds: float) -> str:
    """Return a duration in words: seconds, or minutes with one digit after the point."""
    if seconds < 90:
        return duration(seconds)
    return f"{seconds / 60:.1f} minutes" if seconds < 600 else duration(seconds)
