"""The callback that keeps notes, drawings and figures in optuna-dashboard up to date."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna.dashboard.folder import artifact_folder
from relativenas_optuna.dashboard.state import KEY, read_state, rows_of
from relativenas_optuna.samplers.populations import population_in
from relativenas_optuna.samplers.seats.claims import seat_of
from relativenas_optuna.samplers.seats.replay import Replay
from relativenas_optuna.search.finals.progress import changes_of_finals
from relativenas_optuna.storages.transactions import database_of, is_deleted
from relativenas_optuna.storages.urls import is_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    from optuna.artifacts._protocol import ArtifactStore
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.population import Population

    Stage = tuple[int, int, int]

_SHARE = 0.05  # largest share of the time that is spent on writing
_TRIALS = 20  # trials after which a study without generations is written
_PAUSE = 60.0  # seconds until a failed write is tried again
_ATTEMPTS = 3  # attempts to write the end of a search while other workers write too
_DRAWING = 0.3  # seconds of processor time in which drawings are started during the search
_DRAWING_AT_LAST = 10.0  # the same after its end


class DashboardReporter:
    """A callback of `study.optimize` that shows a search in the standard optuna-dashboard.

    After every generation, one of the workers writes to the study: a note for each of the newest
    100 trials and for the best trial of every generation; a drawing of the two cells of each best
    trial; a note for the study; and the figures of `relativenas_optuna.visualization`. A study
    without generations is written after every 20 trials.

    Writing takes at most 5 % of a worker's time. A note that a person changed stays unchanged. An
    error while writing gives one warning, and the search continues.

    Example:
        >>> import optuna
        >>> from relativenas_optuna import RelativeNASSampler
        >>> from relativenas_optuna.dashboard import DashboardReporter
        >>> study = optuna.create_study(sampler=RelativeNASSampler(population_size=4, seed=0))
        >>> reporter = DashboardReporter()
        >>> study.optimize(
        ...     lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=8, callbacks=[reporter]
        ... )
        >>> reporter.write(study)  # also the last generation

    Args:
        artifacts: Place of the drawings: an Optuna artifact store, or a folder, which is created if
            it is missing and which optuna-dashboard needs as `--artifact-dir`. None for no
            drawings. Only trials with a genotype, such as those of `SupernetObjective`, are drawn.
        warn: Called with one line if the dashboard or a drawing cannot be written, once for each
            of the two; None to issue Python warnings.
    """

    def __init__(
        self,
        artifacts: str | Path | ArtifactStore | None = None,
        *,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._artifacts = artifacts
        self._only_in: Path | None = None
        self._warn = warn or (lambda line: warnings.warn(line, stacklevel=4))
        self._warned: set[str] = set()
        self._replays: dict[str, Replay] = {}  # by name of the study
        self._written: dict[str, Stage] = {}  # by name of the study
        self._not_before = 0.0

    def __call__(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Write the figures and notes if the ended trial completes a generation."""
        if time.monotonic() < self._not_before:
            return
        if (trial.number + 1) % _TRIALS and seat_of(trial) is None:
            return  # a trial of another sampler completes no generation
        try:
            stage = self._stage(study, trial.number + 1)
            # Write after each generation, or after some trials if there are no generations.
            needed = (stage[0], -1 if stage[0] else stage[1] // _TRIALS * _TRIALS, -1)
            if needed > self._written.get(study.study_name, (0, 0, 0)):
                self._bring_up_to_date(study, needed, stage, seconds=_DRAWING)
        except Exception as error:
            self._not_written(study, error)

    def write(self, study: optuna.Study, *, ended: bool = False) -> None:
        """Write all figures, notes and drawings now, unless they are up to date.

        Args:
            study: The study.
            ended: True if the search has ended and its winner is chosen.
        """
        try:
            stage = self._stage(study, len(study.get_trials(deepcopy=False)), ended=ended)
            for _ in range(_ATTEMPTS):
                if self._bring_up_to_date(study, stage, stage, seconds=_DRAWING_AT_LAST):
                    return
        except Exception as error:
            self._not_written(study, error)

    def _stage(self, study: optuna.Study, trials: int, *, ended: bool = False) -> Stage:
        population = self._population(study)
        generations = [] if population is None else population.generations
        whole, _, _ = self._written.get(study.study_name, (0, 0, 0))
        while whole < len(generations) and generations[whole].complete:
            whole += 1
        return whole, trials, 2 * changes_of_finals(study) + ended

    def _population(self, study: optuna.Study) -> Population | None:
        return population_in(study, self._replays.setdefault(study.study_name, Replay()))

    def _bring_up_to_date(
        self, study: optuna.Study, needed: Stage, stage: Stage, *, seconds: float
    ) -> bool:
        """Write a stage unless the needed one is shown; return False if another worker wrote."""
        rows = rows_of(study)
        text, state = read_state(rows)
        if state.stage >= needed:
            self._written[study.study_name] = needed
            return True
        # These load Plotly and Matplotlib.
        from relativenas_optuna.dashboard.contents import stage_contents

        began = time.monotonic()
        staged = stage_contents(study, state, self._store, self._failed, seconds=seconds)
        state.stage = stage
        written = rows.advance(KEY, text, state.to_text(), beside=staged.changes)
        if written:
            self._written[study.study_name] = stage
        elif (store := self._store()) is not None:
            for artifact in staged.new_artifacts:
                store.remove(artifact)
        ended = time.monotonic()
        self._not_before = ended + (ended - began) * (1 / _SHARE - 1)
        return written

    def _store(self) -> ArtifactStore | None:
        if not isinstance(self._artifacts, str | Path):
            return self._artifacts
        from optuna.artifacts import FileSystemArtifactStore

        if self._only_in is not None and not self._only_in.is_dir():
            return None
        folder = Path(self._artifacts)
        folder.mkdir(parents=True, exist_ok=True)  # it may have been removed meanwhile
        return FileSystemArtifactStore(folder)

    def _not_written(self, study: optuna.Study, error: Exception) -> None:
        """Warn that the dashboard is not up to date, unless the study was deleted."""
        if not is_deleted(study):
            self._failed("dashboard", error)

    def _failed(self, what: str, error: Exception) -> None:
        """Warn that something cannot be shown; the search continues."""
        if what == "dashboard":
            self._not_before = time.monotonic() + _PAUSE
        if what not in self._warned:
            self._warned.add(what)
            reason = " ".join(without_password(f"{type(error).__name__}: {error}").split())
            self._warn(f"{_LOST[what]} ({reason}); the search goes on")


def reporter_of(
    study: optuna.Study, out: str, warn: Callable[[str], None] | None
) -> DashboardReporter | None:
    """Return the reporter of a search.

    Args:
        study: Study of the search.
        out: Folder of the search. Drawings are only made if it exists on this machine.
        warn: Called with one line if something cannot be written; None to issue Python warnings.

    Returns:
        The reporter; None if the study is in memory or not in a SQL database.
    """
    try:
        url = database_of(study._storage).engine.url
    except TypeError:
        return None
    if is_in_memory(url.render_as_string(hide_password=False)):
        return None
    reporter = DashboardReporter(artifact_folder(out), warn=warn)
    # Without the search's folder nobody would find the drawings; another machine draws them later.
    reporter._only_in = Path(out)
    return reporter


_LOST = {
    "dashboard": "what optuna-dashboard shows could not be brought up to date",
    "drawings": "a drawing for optuna-dashboard could not be written",
}
