"""The progress and settings of a study and the versions of this machine, as names and values."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna._utils.text import duration
from relativenas_optuna.objective.settings import preset
from relativenas_optuna.search.defaults import RELATIVENAS
from relativenas_optuna.search.finals.settings import PRESET_FINALS, FinalsSettings
from relativenas_optuna.search.resume_command import command
from relativenas_optuna.spaces.names import CELLS

if TYPE_CHECKING:
    from relativenas_optuna.samplers.search_view import SearchView
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.search.status_record import Status

Facts = list[tuple[str, str]]

_PACKAGES = ("relativenas-optuna", "optuna", "torch", "torchvision", "numpy", "plotly")
_BY_OPTION = ("population", "generations", "precision")


def overview(status: Status) -> Facts:
    """Return the most important figures of a study's status."""
    facts: Facts = []
    if status.generation is not None:
        of = "" if status.generations is None else f" of {status.generations}"
        facts.append(("generations complete", f"{status.complete_generations}{of}"))
    if status.trained_epochs is not None:
        done = f"{status.trained_epochs} of {status.uniform_epochs}"
        facts.append(("epochs of shared weights", done))
    total = "" if status.total is None else f" of {status.total}"
    facts.append(
        ("candidates scored" if status.data else "trials complete", f"{status.scored}{total}")
    )
    if status.failed:
        facts.append(("failed", str(status.failed)))
    if status.best is not None:
        if status.best.standalone is not None:
            facts.append(("stand-alone accuracy", f"{100 * status.best.standalone:.2f} %"))
        if status.best.accuracy is not None:
            facts.append(("accuracy, shared weights", f"{100 * status.best.accuracy:.2f} %"))
        name = "best loss" if status.data else "best value"
        facts.append((name, f"{status.best.loss:.4g}"))
    if status.finals is not None and not status.finished:
        facts.append(("finals", f"{status.finals.done} of {status.finals.total}"))
    if status.front is not None:
        facts.append(("on the Pareto front", str(status.front)))
    if not status.finished and status.running:
        facts.append(("running", str(status.running)))
    if status.seconds_left is not None:
        facts.append(("time left", f"about {duration(status.seconds_left)}"))
    return facts


def settings(plan: SearchPlan | None, view: SearchView | None) -> Facts:
    """Return the settings of a search, as far as they are known.

    Args:
        plan: Plan of the search; None if another program made the study.
        view: View of the search; None with another sampler.
    """
    if plan is not None:
        size = "as they are" if plan.size is None else f"{plan.size} pixels"
        return [
            ("data", plan.data),
            ("search space", plan.space),
            ("size of images", size),
            ("preset", plan.preset),
            ("sampler", plan.sampler),
            ("seed", str(plan.seed)),
            *((name.replace("_", " "), str(v)) for name, v in asdict(plan.settings).items()),
            *_finals(plan),
            ("results", plan.out),
            ("weights", without_password(plan.place)),
        ]
    if view is None:
        return []
    space = "learned from the trials"
    if view.search_space is not None:
        space = f"{len(view.search_space)} parameters"
    return [
        ("sampler", view.sampler),
        *([] if view.preset is None else [("preset", view.preset)]),
        ("population", str(view.population_size)),
        ("seed", str(view.seed)),
        ("search space", space),
        ("directions", ", ".join(view.directions)),
    ]


def _finals(plan: SearchPlan) -> Facts:
    if plan.finals is None:
        return [("finals", "none")]
    named = asdict(plan.finals).items()
    return [(f"finals, {name.replace('_', ' ')}", str(value)) for name, value in named]


def search_command(plan: SearchPlan | None, *, storage: str, study: str) -> str | None:
    """Return the command that repeats the search; None if no command line can repeat it.

    Args:
        plan: Plan of the search; None if another program made the study.
        storage: URL of the study's storage; its password is hidden.
        study: Name of the study.
    """
    if plan is None:
        return None
    named, own = preset_or_none(plan), asdict(plan.settings)
    if named is None or any(own[n] != v for n, v in named.items() if n not in _BY_OPTION):
        return None
    words = ["search", "--data", plan.data, "--preset", plan.preset, "--seed", str(plan.seed)]
    if plan.size is not None:
        words += ["--size", str(plan.size)]
    for name in _BY_OPTION:
        if own[name] != named[name]:
            words += [f"--{name}", str(own[name])]
    words += ["--sampler", plan.sampler] if plan.sampler != RELATIVENAS else []
    words += ["--space", plan.space] if plan.space != CELLS else []
    finals = _finals_options(plan)
    if finals is None:
        return None
    words += finals
    return command(*words, storage=without_password(storage), study=study)


def _finals_options(plan: SearchPlan) -> list[str] | None:
    """Return the options of a plan's finals; None if no options ask for them."""
    usual = PRESET_FINALS[plan.preset]
    if plan.finals == usual:
        return []
    if plan.finals is None:
        return ["--finals", "0"]
    like, asked = usual or FinalsSettings(), plan.finals
    if asked != replace(like, shortlist=asked.shortlist, target=asked.target):
        return None
    number = usual is None or asked.shortlist != like.shortlist
    words = ["--finals", str(asked.shortlist)] if number else []
    return words + (["--for", asked.target] if asked.target != like.target else [])


def preset_or_none(plan: SearchPlan) -> dict[str, object] | None:
    """Return the settings of a plan's preset; None if this version has no such preset."""
    try:
        return asdict(preset(plan.preset))
    except ValueError:
        return None


def environment() -> Facts:
    """Return the device, the system and the package versions of this machine."""
    # This import loads PyTorch, which takes seconds.
    import torch

    from relativenas_optuna.training.device import resolve_device

    device = resolve_device(None)
    shown = str(device)
    if device.type == "cuda":
        shown = f"{device}: {torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
    elif device.type == "cpu":
        shown = f"cpu: {os.cpu_count()} cores, threads of PyTorch {torch.get_num_threads()}"
    return [
        ("device", shown),
        ("system", platform.platform()),
        ("Python", platform.python_version()),
        *((name, _version(name)) for name in _PACKAGES),
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
