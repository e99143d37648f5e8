"""The images and networks of the study `worth_nasbench201`, and searches with shared weights."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import torch
from nasbench201_table import (
    SPACE,
    every_cell,
    images_of_seed,
    parameters,
)

from relativenas_optuna.search.finals.halving import (
    planned_passes,
    ranking,
    rung_epochs,
    rung_sizes,
)
from relativenas_optuna.search.finals.settings import FULL, FinalsSettings
from relativenas_optuna.search.finals.training import FinalsTrainer
from relativenas_optuna.search.limits import LimitRequest
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from relativenas_optuna.spaces.canonical import canonical_draw
from relativenas_optuna.spaces.nasbench201 import NASBench201Cell
from relativenas_optuna.spaces.space_genotype import genotype_from_text

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from relativenas_optuna.search.finals.scores import RungScore
    from relativenas_optuna.training.data.images import Images

TRIALS = 96  # scored with shared weights
FINALS = FinalsSettings()
DRAWS = 501  # first purpose of random numbers
_MOST_PROPOSALS = 10  # for each trial that is scored


class Bench:
    """The images, networks and scores of all rows of one seed and limit.

    Args:
        images: All images.
        limit: Largest number of parameters at the table's size; 0 for no limit.
        seed: Seed of the choice of images, the weights, the training and the samplers.
        arguments: Sizes of the study.
    """

    def __init__(
        self, images: Images, limit: int, seed: int, arguments: argparse.Namespace
    ) -> None:
        self.limit, self.seed, self.arguments = limit, seed, arguments
        number = arguments.images
        parts = images_of_seed(images, training=number, scoring=number, seed=seed)
        self.images = replace(
            parts[0],
            images=torch.cat([part.images for part in parts]),
            labels=torch.cat([part.labels for part in parts]),
        )
        self.passes = 0

    def search(self, sampler: str, *, paper: bool = False) -> NASBench201Cell:
        """Return what a search of this package finds; see `relativenas_optuna.search.Search`."""
        study = optuna.create_study(study_name="worth")
        with TemporaryDirectory() as weights:
            search = self._search(study, sampler, weights, paper=paper)
            search.run()
            choice = search.choose()
        self.passes += self._planned(search.plan)
        return SPACE.parse(choice.winner.genotype.to_text())

    @cached_property
    def shared(self) -> Search:
        """A search with trained shared weights, for all rows that score with them."""
        study = optuna.create_study(study_name="worth")
        self._kept = TemporaryDirectory()
        search = self._search(study, "relativenas", self._kept.name, paper=False)
        search.objective.prepare(study)
        return search

    def by_sampler(self, sampler: BaseSampler) -> NASBench201Cell:
        """Return what a sampler of Optuna finds with the shared weights and successive halving.

        Proposals over the limit are reported as infeasible and are not scored.
        """
        study = optuna.create_study(sampler=sampler)
        losses: dict[NASBench201Cell, float] = {}
        scored = 0
        while scored < TRIALS and len(study.trials) < _MOST_PROPOSALS * TRIALS:
            trial = study.ask(dict(SPACE.distributions))
            cell = SPACE.genotype(trial.params)
            if self.limit:
                excess = parameters(cell) / self.limit - 1
                trial.set_constraint("parameters", excess)
                if excess > 0:
                    study.tell(trial, math.inf)
                    continue
            scored += 1
            loss = self.shared.objective.evaluate(cell).loss
            losses.setdefault(SPACE.canonical(cell) or cell, loss)
            study.tell(trial, loss)
        self.passes += self.arguments.uniform
        best = sorted(losses, key=lambda cell: losses[cell])[: FINALS.shortlist]
        return self.halved(best, self.arguments.passes - self.arguments.uniform)

    def halved(self, cells: list[NASBench201Cell], passes: int) -> NASBench201Cell:
        """Return the best of some cells by successive halving.

        The ranking is that of the finals, with the numbers of parameters of the table.
        """
        sizes = rung_sizes(len(cells), rungs=FINALS.rungs, keep=FINALS.keep)
        epochs = rung_epochs(sizes, passes)
        trainer = self.trainer(epochs)
        sizes_of = [parameters(cell) for cell in cells]
        left = list(range(len(cells)))
        first: dict[int, RungScore] = {}
        for rung, size in enumerate(sizes):
            scores: dict[int, RungScore] = {
                n: trainer.train(genotype_from_text(cells[n].to_text(), "nasbench201"), rung)
                for n in left[:size]
            }
            self.passes += size * epochs[rung]
            first = first or scores
            left = ranking(scores, sizes_of, target=FULL, first=first)
        return cells[left[0]]

    def random_cells(self, count: int) -> list[NASBench201Cell]:
        """Return different random cells within the limit that are not equal to one another."""
        rng = np.random.default_rng([self.seed, DRAWS])
        found: dict[NASBench201Cell, None] = {}
        while len(found) < count:
            cell = canonical_draw(SPACE, SPACE.random, rng)
            if self.allows(cell):
                found[cell] = None
        return list(found)

    def largest(self) -> NASBench201Cell:
        """Return the cell with the most parameters; one of several is drawn."""
        rng = np.random.default_rng([self.seed, DRAWS + 2])
        cells = [cell for cell in every_cell() if self.allows(cell)]
        most = max(map(parameters, cells))
        best = [cell for cell in cells if parameters(cell) == most]
        return best[int(rng.integers(len(best)))]

    def allows(self, cell: NASBench201Cell) -> bool:
        """Return True if a cell keeps the limit."""
        return not self.limit or parameters(cell) <= self.limit

    def trainer(self, epochs: tuple[int, ...]) -> FinalsTrainer:
        """Return the trainer of the stand-alone networks of the finals."""
        search = self.shared
        assert search.plan.finals is not None
        return FinalsTrainer(
            search.objective.training,
            search.objective.validation,
            settings=search.plan.finals,
            search=search.plan.settings,
            built_in=True,
            epochs=epochs,
            seed=self.seed,
            folder=self._cache / "finals",
        )

    @property
    def _cache(self) -> Path:
        """Folder of the weights of stand-alone trainings, which several rows may need."""
        return Path(self.arguments.runs, f"cache-{self.seed}")

    def _search(self, study: optuna.Study, sampler: str, weights: str, *, paper: bool) -> Search:
        sizes = self.arguments
        settings: dict[str, Any] = {
            "channels": sizes.channels,
            "cells": sizes.cells,
            "padding": sizes.size // 8,
            "cutout": sizes.size // 4,
            "batch_size": sizes.batch_size,
            "uniform_epochs": 0 if paper else sizes.uniform,
            "population": 10 if paper else 8,
            "generations": sizes.passes // 10 if paper else TRIALS // 8,
        }
        limits = LimitRequest()
        if self.limit:
            limits = LimitRequest(parameters=self.limit, channels=16, cells=17)
        request = SearchRequest(
            data=sizes.data,
            seed=self.seed,
            out=str(self._cache),
            weights=weights,
            sampler=sampler,
            space="nasbench201",
            settings=settings,
            limits=limits,
            finals=0 if paper else FINALS.shortlist,
            target=None if paper else FULL,
        )
        plan = SearchPlan.of(study, request)
        if plan.finals is not None:
            finals = replace(
                plan.finals,
                passes=sizes.passes - sizes.uniform,
                cells=sizes.finals_cells,
                channels=sizes.channels,
                pixels=sizes.size,
            )
            plan = replace(plan, finals=finals)
        return Search(study, plan, device="cpu", images=self.images)

    def _planned(self, plan: SearchPlan) -> int:
        """Return the passes of a search."""
        if plan.finals is None:
            return plan.settings.population * plan.settings.generations
        assert plan.finals.passes is not None
        return plan.settings.uniform_epochs + planned_passes(plan.finals, plan.finals.passes)
