"""What a search is to do, kept with its study so that the same command goes on with it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from relativenas_optuna._utils.checked_fields import Range, from_data
from relativenas_optuna._utils.files import file_name
from relativenas_optuna._utils.limits import MOST
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.checkpoints.location import checked_place
from relativenas_optuna.objective.settings import FIELD_NAMES, SearchSettings, check_seed, preset
from relativenas_optuna.samplers.seats.settings import MAX_SEED
from relativenas_optuna.spaces.registry import CELLS, load_space
from relativenas_optuna.storages.stored_json import UNREADABLE
from relativenas_optuna.storages.study_attributes import study_attribute

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.spaces.protocol import Space


PLAN_ATTRIBUTE = "relative_nas:search"
DATA_NAMES = ("digits", "cifar10", "cifar100")
DEFAULT_OUT = "relativenas-out"
DEFAULT_STORAGE = "sqlite:///relativenas.db"
DEFAULT_STUDY = "relativenas"
Side = Annotated[int, Range(1, MOST["size"])]
Seed = Annotated[int, Range(0, MAX_SEED)]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a caller asks of a search; what is left out comes from the study, then the preset.

    Attributes:
        data: "digits" (the default), "cifar10", "cifar100", or a folder of images per class.
        size: Side in pixels that the images are brought to.
        preset: Of the settings; "digits" for the digits, else "small".
        seed: 0 where nothing is said.
        out: Folder for results, and for weights that have no place of their own.
        weights: Folder or bucket for the weights; see `weights_place`.
        random: Whether to draw every candidate at random; see `SearchPlan`.
        space: Name of the search space, "cells" (the default), "nasbench201" or MODULE:ATTRIBUTE
            of a user's own; see `register_space`.
        settings: Single settings by name, over those of the preset.
    """

    data: str | None = None
    size: Side | None = None
    preset: str | None = None
    seed: Seed | None = None
    out: str | None = None
    weights: str | None = None
    random: bool | None = None
    space: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """What a search does. The attributes are as in `Wishes`, all decided.

    Attributes:
        search: Tells this search from all others; its weights carry it too.
        settings: How candidates are trained and scored, and how many there are.
        random: Whether every candidate is drawn at random, and no slow learner moves toward a fast
            one. All else is the same, the commit of pairs too: what a search is compared with.
    """

    search: str
    data: str
    size: Side | None
    preset: str
    settings: SearchSettings
    seed: Seed
    out: str
    weights: str | None = None
    random: bool = False
    space: str = CELLS

    @property
    def place(self) -> str:
        """Where the weights are."""
        return self.out if self.weights is None else self.weights

    @property
    def search_space(self) -> Space[Any]:
        """The search space; the module of a user's own space is imported.

        Raises:
            SpaceError: The space is not found.
        """
        return load_space(self.space).space(self.settings.nodes)

    @property
    def finalists_of(self) -> str:
        """What the finalists are the best of: a random search's generations do not improve."""
        return "all candidates" if self.random else "the last generation"

    @classmethod
    def of(cls, study: optuna.Study, wishes: Wishes) -> SearchPlan:
        """The plan of a study that was searched before, or a new one.

        Raises:
            SearchError: A wish differs from what the study was begun with.
            ValueError: A wish is out of range, or the space is not found.
        """
        unknown = sorted(set(wishes.settings) - set(FIELD_NAMES))
        if unknown:
            raise SearchError(f"setting {unknown[0]!r} must be one of {', '.join(FIELD_NAMES)}")
        stored = cls.stored_in(study)
        if stored is None:
            return cls._new(study, wishes)
        return stored.for_wishes(wishes, study.study_name)

    @classmethod
    def stored_in(cls, study: optuna.Study) -> SearchPlan | None:
        """The plan of a study, if it was searched before.

        Raises:
            SearchError: The study's attribute is not what `store` writes.
        """
        try:
            stored = study_attribute(study, PLAN_ATTRIBUTE)
        except ValueError as error:
            raise _unreadable(study.study_name, error) from error
        return None if stored is None else cls.read(stored, study.study_name)

    def store(self, study: optuna.Study) -> None:
        """Keep the plan with its study.

        Raises:
            SearchError: Another search of the study began at the same moment, or it was deleted.
        """
        from relativenas_optuna.storages.study_attributes import agreed

        data = asdict(self)
        try:
            found = agreed(study, PLAN_ATTRIBUTE, data)
        except KeyError as error:
            raise SearchError(
                f"study {study.study_name!r} was deleted meanwhile: give the same command again"
            ) from error
        if not isinstance(found, dict) or found.get("search") != self.search:
            raise SearchError(
                f"study {study.study_name!r} was begun by another search at the same moment: give "
                f"the same command again, or help it by `relativenas worker`"
            )
        if found != data:
            study.set_user_attr(PLAN_ATTRIBUTE, data)

    @classmethod
    def _new(cls, study: optuna.Study, wishes: Wishes) -> SearchPlan:
        data = _data(wishes.data or "digits")
        name = wishes.preset or ("digits" if data == "digits" else "small")
        seed = 0 if wishes.seed is None else wishes.seed
        check_seed(seed)
        return cls(
            search=uuid.uuid4().hex,
            data=data,
            size=wishes.size,
            preset=name,
            settings=replace(preset(name), **wishes.settings),
            seed=seed,
            out=str(Path(wishes.out or Path(DEFAULT_OUT, file_name(study.study_name))).absolute()),
            weights=None if wishes.weights is None else checked_place(wishes.weights),
            random=bool(wishes.random),
            space=load_space(wishes.space or CELLS).name,
        )

    @classmethod
    def read(cls, stored: Any, study_name: str) -> SearchPlan:
        """Return the plan that a study's attribute says.

        Raises:
            SearchError: The attribute is not what `store` writes.
        """
        try:
            plan = from_data(cls, stored)
            if plan.weights is not None:
                checked_place(plan.weights)
        except UNREADABLE as error:
            raise _unreadable(study_name, error) from error
        return plan

    def for_wishes(self, wishes: Wishes, study_name: str) -> SearchPlan:
        """Return this plan, changed where a wish may change the plan of a study that has begun.

        Raises:
            SearchError: A wish differs from what the study was begun with.
        """
        data = None if wishes.data is None else _data(wishes.data)
        # The same folder may have another path now; `Search` compares the images in it.
        moved = data if {data, self.data}.isdisjoint((None, *DATA_NAMES)) else None
        asked = {
            "data": None if moved else data,
            "size": wishes.size,
            "preset": wishes.preset,
            "seed": wishes.seed,
            "random": wishes.random,
            "space": wishes.space,
            **wishes.settings,
        }
        generations = asked.pop("generations", None)
        begun = asdict(self) | asdict(self.settings)
        for name, value in asked.items():
            if value is not None and value != begun[name]:
                raise SearchError(
                    f"{name} {value!r} does not fit study {study_name!r}, which was begun with "
                    f"{begun[name]!r}: leave it out to go on, or take another --study"
                )
        changes: dict[str, Any] = {} if moved is None else {"data": moved}
        if generations is not None:
            changes["settings"] = replace(self.settings, generations=generations)
        if wishes.out is not None:
            changes["out"] = str(Path(wishes.out).absolute())
        if wishes.weights is not None:
            changes["weights"] = checked_place(wishes.weights)
        return replace(self, **changes)


def _unreadable(study_name: str, error: Exception) -> SearchError:
    return SearchError(
        f"study {study_name!r} has an unreadable attribute {PLAN_ATTRIBUTE!r} ({error}): take "
        f"another --study"
    )


def _data(source: str) -> str:
    """Return the name of a data set, or the absolute path of a folder."""
    return source if source in DATA_NAMES else str(Path(source).absolute())
