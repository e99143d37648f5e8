"""The settings of a planned search, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from relativenas_optuna._utils.checked_fields import Range
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.search.budget import Budget
from relativenas_optuna.search.defaults import RELATIVENAS
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.limits import SearchLimits
from relativenas_optuna.search.request import Seed, Side
from relativenas_optuna.search.samplers import sampler_named
from relativenas_optuna.search.speed_record import Speed
from relativenas_optuna.spaces.names import CELLS
from relativenas_optuna.spaces.registry import load_space

if TYPE_CHECKING:
    from relativenas_optuna.samplers.seats.sampler import PopulationSampler
    from relativenas_optuna.spaces.descriptors import DescriptorFunction
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.training.data.image_set import ImageSet


@dataclass(frozen=True, kw_only=True)
class PlanFields:
    """The settings of a search, without gaps; see `SearchRequest` for attributes not listed here.

    Attributes:
        search: Random id of the search, which is also stored with its weights.
        settings: Settings of the supernet, the training and the population.
        sampler: Name of the sampler. "random" is the baseline of "relativenas": every candidate is
            drawn at random, and no slow learner moves toward a fast one. All else is the same,
            including the commit of pairs.
        limits: Limits that every candidate keeps; None without limits.
        finals: Settings of the finals; None for a winner by the shared score alone.
        time: Seconds that the whole search takes; None for no budget.
        speed: Speed that the generations and epochs of `settings` were planned with; None without
            `time`, and before it was measured. The passes of the finals are planned when they
            begin, from the time that is left then.
        images: Number of images that are used, of each class the same share; None for all. A short
            `time` reduces it.
        keeps_shortlist: True if the length of the shortlist was asked for, so that `time` does not
            change it.
    """

    search: str
    data: str
    size: Side | None
    preset: str
    settings: SearchSettings
    seed: Seed
    out: str
    weights: str | None = None
    sampler: str = RELATIVENAS
    space: str = CELLS
    limits: SearchLimits | None = None
    finals: FinalsSettings | None = None
    time: Annotated[float, Range(1)] | None = None
    speed: Speed | None = None
    images: Annotated[int, Range(2)] | None = None
    keeps_shortlist: bool = False

    @property
    def place(self) -> str:
        """Folder or bucket of the weights."""
        return self.out if self.weights is None else self.weights

    @property
    def search_space(self) -> Space[Any]:
        """The search space; this imports the module of a custom space.

        Raises:
            SpaceError: The space is not found.
        """
        return load_space(self.space).space(self.settings.nodes)

    @property
    def nodes(self) -> int:
        """Number of nodes in a cell of the space "cells"."""
        return self.settings.nodes

    @property
    def training_passes(self) -> int:
        """Number of passes over the training images that take about as long as the search."""
        candidates = self.settings.population * self.settings.generations
        if not self.scores_compare:
            return candidates
        # Half of the candidates are scored, for fast learners keep their scores. To calibrate and
        # score one takes half a pass.
        return self.settings.uniform_epochs + candidates // 4

    @property
    def finalists_of(self) -> str:
        """The group of candidates that finalists are chosen from, as words for a message.

        Only the generations of "relativenas" improve as a whole, so the finalists of other samplers
        come from all candidates. So do those of scores that compare.
        """
        return "all candidates" if self._counts_all_generations else "the last generation"

    @property
    def first_generation(self) -> int:
        """The first generation that finalists are chosen from; see `finalists_of`."""
        return 0 if self._counts_all_generations else self.settings.generations - 1

    @property
    def _counts_all_generations(self) -> bool:
        return self.scores_compare or self.sampler != RELATIVENAS

    @property
    def scores_compare(self) -> bool:
        """True if all scores of the search are from the same weights."""
        return self.settings.uniform_epochs > 0

    @property
    def limit_lines(self) -> list[str]:
        """One line for people for each limit."""
        if self.limits is None:
            return []
        return self.limits.lines(self.limits.by_name(self.space, self.nodes))

    def budget(self, speed: Speed) -> Budget:
        """Return the planner of this search at a speed."""
        return Budget(
            settings=self.settings,
            finals=self.finals,
            speed=speed,
            keeps_scores=self.scores_compare and self.sampler == RELATIVENAS,
        )

    def new_sampler(
        self, space: Space[Any], descriptors: DescriptorFunction | None = None
    ) -> PopulationSampler:
        """Return a sampler for this search.

        Args:
            space: The search space, `search_space`.
            descriptors: Descriptors of architectures, see `sampler_named`; None for none.

        Raises:
            SearchError: The sampler is not found, or cannot search this space.
        """
        return sampler_named(
            self.sampler,
            space.distributions,
            population=self.settings.population,
            generations=self.settings.generations,
            seed=self.seed,
            limits=None if self.limits is None else self.limits.by_name(self.space, self.nodes),
            scores_compare=self.scores_compare,
            descriptors=descriptors,
        )

    def for_images(self, images: ImageSet) -> Self:
        """Return this plan with limits for the size and classes of its images.

        Raises:
            SearchError: The latency table is of images of another size.
        """
        if self.limits is None:
            return self
        return replace(self, limits=self.limits.for_images(images.shape, len(images.classes)))
