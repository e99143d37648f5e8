"""Measure the time in a sampler's hooks per trial, in studies in memory of growing size."""

from __future__ import annotations

import gc
import random
import time
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import optuna
from optuna.samplers import CmaEsSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import create_trial
from rich.table import Table
from sampler_cases import CHOICES, NAMES, PRESETS, SPACE, Timed, loss, ours, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Study
    from optuna.samplers import BaseSampler

    from relativenas_optuna import RelativeNASSampler

BLOCKS = 4  # a window's blocks alternate between the samplers
PATIENCE = 2.0  # seconds after which a block of a slow sampler ends
DISTURBED = 1.1  # times its processor time: a trial that lasted longer shared the processor
NSGA_POPULATION = 50


FOR_ALL_SIZES = ("RandomSampler", *(f"ours, {preset}" for preset in PRESETS))
NOTE = """-: takes minutes to fill and to measure; see --rivals
CMA-ES takes no categoricals: it draws them at random, after it has looked for other parameters"""


class Lane:
    """One sampler with a study of its own.

    Attributes:
        results: Milliseconds per trial by study size: inside the hooks, and ask and tell in all.
    """

    def __init__(self, sampler: BaseSampler) -> None:
        self.clock = Timed(sampler)
        self.study = optuna.create_study(sampler=self.clock)
        self.results: dict[int, tuple[float, float]] = {}

    def grow(self, size: int) -> None:
        """Bring the study to `size` trials, as the sampler itself would have left them."""
        fill_at_random(self.study, size)

    def run(self, trials: int) -> list[Trial]:
        """Measure up to `trials` trials; fewer if the sampler is slow."""
        done: list[Trial] = []
        begin = time.perf_counter()
        while len(done) < trials and time.perf_counter() - begin < PATIENCE:
            own, wall, processor = self.clock.seconds, time.perf_counter(), time.process_time()
            trial = self.study.ask()
            self.study.tell(trial, suggest(trial))
            processor = time.process_time() - processor
            wall = time.perf_counter() - wall
            done.append(Trial(self.clock.seconds - own, wall, wall > DISTURBED * processor))
        return done


class Trial(NamedTuple):
    """Seconds of a trial inside the hooks and in all, and whether the processor was shared."""

    own: float
    in_all: float
    disturbed: bool


def mean(trials: list[Trial]) -> tuple[float, float]:
    """Return milliseconds per undisturbed trial, inside the sampler and in total."""
    counted = [trial for trial in trials if not trial.disturbed] or trials
    return 1e3 * fmean(t.own for t in counted), 1e3 * fmean(t.in_all for t in counted)


class OurLane(Lane):
    """Our sampler, with trials that it really gave out."""

    def __init__(self, sampler: RelativeNASSampler) -> None:
        super().__init__(sampler)
        self._ours = sampler

    def grow(self, size: int) -> None:
        fill_by_generations(self.study, self._ours, size)


def fill_at_random(study: Study, size: int) -> None:
    """Add trials at random; for NSGA-II they belong to generations."""
    storage, study_id, draw = study._storage, study._study_id, random.Random(size)
    for number in range(len(study.get_trials(deepcopy=False)), size):
        params = {name: draw.choice(CHOICES) for name in NAMES}
        attrs = {"NSGAIISampler:generation": number // NSGA_POPULATION}
        trial = create_trial(
            params=params, distributions=SPACE, value=loss(params), system_attrs=attrs
        )
        storage.create_new_trial(study_id, template_trial=trial)
    # Without it NSGA-II would choose the parents of all generations up to this one.
    last = [trial._trial_id for trial in study.get_trials(deepcopy=False)[-NSGA_POPULATION:]]
    for generation in range(size // NSGA_POPULATION - 1, size // NSGA_POPULATION + 1):
        storage.set_study_system_attr(study_id, f"NSGAIISampler:parent:{generation}", last)


def fill_by_generations(study: Study, sampler: RelativeNASSampler, size: int) -> None:
    """Search with our sampler until there are `size` trials, a generation at a time."""
    missing = size - len(study.get_trials(deepcopy=False))
    while missing > 0:
        for trial in sampler.ask_generation(study):
            study.tell(trial, loss(trial.params))
            missing -= 1


def lanes() -> dict[str, Lane]:
    """Return the samplers by title; the one to compare with comes first."""
    found: dict[str, Lane] = {"RandomSampler": Lane(RandomSampler(seed=0))}
    found |= {f"ours, {preset}": OurLane(ours(preset)) for preset in PRESETS}
    found["NSGAIISampler"] = Lane(NSGAIISampler(population_size=NSGA_POPULATION, seed=0))
    found["TPESampler"] = Lane(TPESampler(seed=0))
    found["CmaEsSampler"] = Lane(CmaEsSampler(seed=0, warn_independent_sampling=False))
    return found


def share_tables(sizes: Sequence[int], window: int, rivals: int) -> list[Table]:
    """Measure at every size; a table of the sampler's own share, one of ask and tell in all.

    Args:
        sizes: Trials in the study, from small to large.
        window: Trials to measure at each size, the last ones.
        rivals: Trials in the largest study for the samplers that slow down as it grows.
    """
    running = lanes()
    for size in sizes:
        taking_part = [
            lane for name, lane in running.items() if size <= rivals or name in FOR_ALL_SIZES
        ]
        trials = max(min(window, size // 2) // BLOCKS, 1)
        for lane in taking_part:
            lane.grow(size - BLOCKS * trials - 1)
            lane.run(1)  # some read the whole study once
        # A full collection would stop one of them for seconds, for the trials of them all.
        gc.collect()
        gc.freeze()
        runs = [[lane.run(trials) for lane in taking_part] for _ in range(BLOCKS)]
        gc.unfreeze()
        for lane, *blocks in zip(taking_part, *runs, strict=True):
            lane.results[size] = mean([trial for block in blocks for trial in block])
    return [
        _table(running, sizes, 0, "the sampler's own share, ms per trial (times RandomSampler's)"),
        _table(running, sizes, 1, "ask and tell in all, ms per trial (times RandomSampler's)"),
    ]


def _table(running: dict[str, Lane], sizes: Sequence[int], part: int, title: str) -> Table:
    table = Table("trials", title=f"in memory: {title}", caption=NOTE)
    for size in sizes:
        table.add_column(f"{size:,}", justify="right")
    first = next(iter(running.values()))
    for name, lane in running.items():
        cells = [
            f"{lane.results[size][part]:.2f} "
            f"({lane.results[size][part] / first.results[size][part]:.1f}x)"
            if size in lane.results
            else "-"
            for size in sizes
        ]
        table.add_row(name, *cells)
    return table
