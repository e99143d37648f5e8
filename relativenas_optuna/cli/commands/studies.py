"""The command `relativenas studies`: the studies of a storage."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import optuna
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import TrialState
from rich.padding import Padding
from rich.table import Table

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna._utils.text import ago, shown_name
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.options.common import json_option, storage_option
from relativenas_optuna.cli.terminal import console, on_screen
from relativenas_optuna.samplers.populations import starting_claim
from relativenas_optuna.samplers.trial_losses import violation
from relativenas_optuna.search.choice import if_readable
from relativenas_optuna.search.plan import PLAN_ATTRIBUTE, SearchPlan
from relativenas_optuna.search.resume_command import command
from relativenas_optuna.search.study_facts import last_written, record_data, sampler_of
from relativenas_optuna.storages.opening import storage_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from optuna.storages import BaseStorage
    from optuna.study._frozen import FrozenStudy
    from optuna.trial import FrozenTrial

_GAP = 2  # columns between two of the table


@dataclass(frozen=True, kw_only=True)
class StudyLine:
    """One line of the list of studies.

    Attributes:
        study: Name of the study.
        directions: "minimize" or "maximize" for each objective.
        sampler: Class name of the sampler; None if no trial shows it.
        preset: Preset of `RelativeNASSampler`; None with another sampler.
        search_preset: Preset of `relativenas search`; None if another program made the study.
        trials: Number of trials by state, such as "complete".
        best: Best value of the feasible complete trials; None with several objectives or without
            such a trial.
        last_written: Local time at which a trial last started or ended; None without trials.
    """

    study: str
    directions: tuple[str, ...]
    sampler: str | None
    preset: str | None
    search_preset: str | None
    trials: Mapping[str, int]
    best: float | None
    last_written: datetime | None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON data."""
        return record_data(self)


@click.command(
    epilog=examples(
        "relativenas studies",
        "relativenas studies --storage postgresql://HOST/DB",
        "relativenas studies --json | jq -r '.[].study'",
    ),
)
@storage_option
@json_option
def studies(storage: str, as_json: bool) -> None:
    """List the studies of a database: sampler, preset, trials, best value, last write."""
    with storage_at(storage, read_only=True) as opened:
        lines = studies_in(opened)
    if as_json:
        click.echo(json.dumps([line.to_dict() for line in lines], allow_nan=False))
        return
    output = console()
    if not lines:
        begin = command("search", storage=without_password(storage), study="my")
        output.print(
            f"no studies in {without_password(storage)}; begin one: {begin}", soft_wrap=True
        )
        return
    headings = ("study", "sampler, preset", "trials", "best", "last write")
    rows = [_row(line) for line in lines]
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    if on_screen(output) and sum(widths) + _GAP * (len(widths) - 1) > output.width:
        for line, (name, by, trials, best, written) in zip(lines, rows, strict=True):
            one = len(line.directions) == 1
            value = f"; {'best ' if one else ''}{best}" if best else ""
            text = f"sampler {by}; {trials} trials{value}; last write {written}"
            output.print(name, style="bold")
            output.print(Padding(text, (0, 0, 0, 2)))
        return
    if on_screen(output):
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
        for heading in headings:
            number = heading in ("trials", "best")
            table.add_column(
                heading,
                justify="right" if number else "left",
                overflow="fold",
                no_wrap=number,
            )
        for row in rows:
            table.add_row(*row)
        output.print(table)
        return
    # Lines are not wrapped, for the programs that read them.
    for row in (headings, *rows):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        output.print("  ".join(cells).rstrip(), soft_wrap=True)


def studies_in(storage: BaseStorage) -> list[StudyLine]:
    """Return the studies of a storage, the oldest first, without writing to it."""
    found = sorted(storage.get_all_studies(), key=lambda study: study._study_id)
    # The same cache as in `optuna.load_study`, which reads trials in another way.
    cached = _CachedStorage(storage) if isinstance(storage, optuna.storages.RDBStorage) else storage
    return [_line(study, cached.get_all_trials(study._study_id, deepcopy=False)) for study in found]


def _line(study: FrozenStudy, trials: Sequence[FrozenTrial]) -> StudyLine:
    claim = starting_claim(trials)
    preset = None if claim is None or claim.settings is None else claim.settings.get("preset")
    stored = study.user_attrs.get(PLAN_ATTRIBUTE)
    plan = if_readable(
        lambda: None if stored is None else SearchPlan.read(stored, study.study_name)
    )
    states = Counter(trial.state for trial in trials)
    return StudyLine(
        study=study.study_name,
        directions=tuple(direction.name.lower() for direction in study.directions),
        sampler=sampler_of(trials),
        preset=preset if isinstance(preset, str) else None,
        search_preset=None if plan is None else plan.preset,
        trials={state.name.lower(): states[state] for state in TrialState if states[state]},
        best=_best(study, trials),
        last_written=last_written(trials),
    )


def _best(study: FrozenStudy, trials: Sequence[FrozenTrial]) -> float | None:
    if len(study.directions) > 1:
        return None
    complete = [t for t in trials if t.state == TrialState.COMPLETE and violation(t) == 0]
    values = [t.value for t in complete if t.value is not None]
    pick = max if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else min
    return pick(values, default=None)


def _row(line: StudyLine) -> tuple[str, ...]:
    preset = line.search_preset or line.preset
    by = line.sampler or ("none yet" if not line.trials else "not known")
    if line.preset == "random":
        by += ", random"
    # As on the command line; what waits or failed is for --json.
    complete = line.trials.get("complete", 0)
    running = line.trials.get("running", 0)
    best = "" if line.best is None else f"{line.best:.4g}"
    if len(line.directions) > 1:
        best = f"{len(line.directions)} objectives"
    return (
        shown_name(line.study),
        by if preset is None or line.preset == "random" else f"{by}, {preset}",
        f"{complete}{f' + {running} running' if running else ''}",
        best,
        "never" if line.last_written is None else ago(line.last_written),
    )
