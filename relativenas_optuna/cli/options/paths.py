"""Options for a machine on which a search's images, folder or weights have another path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.checkpoints.location import checked_place
from relativenas_optuna.search.plan import SearchPlan, SearchRequest

if TYPE_CHECKING:
    from collections.abc import Callable

PATHS = ("data", "out", "weights")
"""Names of the options that `paths_here` adds."""

_DATA = click.option(
    "--data",
    metavar="FOLDER",
    help="Folder of the search's images, if its path differs on this machine.",
)
_OUT = click.option(
    "--out", metavar="FOLDER", help="Folder of the search, if its path differs on this machine."
)
_WEIGHTS = click.option(
    "--weights",
    metavar="PLACE",
    help="Folder or bucket of the search's weights, if its path differs on this machine.",
)


def paths_here(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options --data, --out and --weights to a command, for use with `plan_here`."""
    return _DATA(_OUT(_WEIGHTS(command)))


def plan_here(
    plan: SearchPlan, *, study: str, data: str | None, out: str | None, weights: str | None
) -> SearchPlan:
    """Return the plan of a search with the paths of this machine.

    Args:
        plan: Plan of the search.
        study: Name of the study, for error messages.
        data: Folder of the images; None keeps the plan's.
        out: Folder of the search; None keeps the plan's.
        weights: Folder or bucket of the weights; None keeps the plan's.

    Raises:
        SearchError: A folder does not exist; `out` is given although the weights are elsewhere; or
            `data` is given although the images of the search are a named data set.
        PlaceError: `weights` cannot be used for weights.
    """
    if data is not None:
        plan = plan.for_request(SearchRequest(data=data), study)
    if weights is not None:
        place = checked_place(weights)
        if "://" not in place and not Path(place).is_dir():
            raise SearchError(
                f"weights must be the folder of the search's weights; there is none at {weights!r}"
            )
        return replace(plan, weights=place)
    if out is None:
        return plan
    if plan.weights is not None:
        raise SearchError(
            f"out is not needed, because the weights of this search are in {plan.weights!r}: leave "
            f"it out, or give their path on this machine by --weights"
        )
    if not Path(out).is_dir():
        raise SearchError(f"out must be the folder of the search; there is none at {out!r}")
    return replace(plan, out=str(Path(out).absolute()))
