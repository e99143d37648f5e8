"""A search on a machine where its images, its folder or its weights have another path."""

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
"""Names of the options of `paths_here`."""

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
    """Add the options of `plan_here` to a command."""
    return _DATA(_OUT(_WEIGHTS(command)))


def plan_here(
    plan: SearchPlan, *, study: str, data: str | None, out: str | None, weights: str | None
) -> SearchPlan:
    """Return the plan of a search with the paths of this machine.

    A path that is None stays as it is in the plan.

    Raises:
        SearchError: The folder is not there, or the weights are not in it; or the search's images
            are a data set with a name.
        PlaceError: The weights cannot be there.
    """
    if data is not None:
        plan = plan.for_request(SearchRequest(data=data), study)
    if weights is not None:
        place = checked_place(weights)
        if "://" not in place and not Path(place).is_dir():
            raise SearchError(
                f"weights must be where those of the search are; there is no folder {weights!r}"
            )
        return replace(plan, weights=place)
    if out is None:
        return plan
    if plan.weights is not None:
        raise SearchError(
            f"out is not needed, for the weights of this search are in {plan.weights!r}: leave it "
            f"out, or say by --weights where they are here"
        )
    if not Path(out).is_dir():
        raise SearchError(f"out must be the folder of the search; there is none at {out!r}")
    return replace(plan, out=str(Path(out).absolute()))
