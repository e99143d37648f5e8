"""A search of a study to its end, under the eyes of who waits for it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from relativenas_optuna._signals import Interrupted
from relativenas_optuna.company import workers_beside
from relativenas_optuna.out_folder import empty_folders_removed, locked, make_folder

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.choice import Choice
    from relativenas_optuna.console import Console
    from relativenas_optuna.plan import SearchPlan


def search_to_the_end(
    console: Console,
    study: optuna.Study,
    plan: SearchPlan,
    *,
    device: str | None,
    workers: int = 1,
) -> Choice:
    """Search a study, or go on with it, and report what it ends with.

    Args:
        console: Of the study.
        study: To search.
        plan: What is to be done.
        device: See `SupernetObjective`.
        workers: Processes that search together.

    Raises:
        Interrupted: By a signal; the message says what was saved.
        SearchError: See `Search`.
    """
    # These load PyTorch, for seconds: what needs none does not wait for it.
    from relativenas_optuna.search import Search
    from relativenas_optuna.training.device import resolve_device

    # Before the data, which may have to be fetched.
    found = resolve_device(device)
    places = [place for place in (plan.out, plan.place) if "://" not in place]
    with ExitStack() as stack:
        with empty_folders_removed(*places):
            make_folder(plan.out)
            stack.enter_context(locked(plan.out))
            search = Search(study, plan, device=str(found), warn=console.warn)
        beside = workers_beside(
            workers - 1, storage=console.storage, study=console.study, device=device
        )
        try:
            with beside:
                console.follow(search)
            choice = console.choose(search)
            console.ended(choice, plan)
        except KeyboardInterrupt:
            raise Interrupted(console.saved(search)) from None
    return choice
