"""Which architecture a command means: the best of a study, one in a file, or a published one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relativenas_optuna._utils.files import decoded
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.choice import best_architectures
from relativenas_optuna.search.study_access import study_at
from relativenas_optuna.spaces.published_cells import PUBLISHED
from relativenas_optuna.spaces.registry import load_space
from relativenas_optuna.spaces.space_genotype import SpaceGenotype, genotype_from_file

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.search.choice import Ranked
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_LONGEST = 16 * 1024  # bytes of a file; the longest published cells take one

architecture_argument = click.argument("architecture", required=False, metavar="[ARCHITECTURE]")
"""A file, a published name, or nothing for the best of the study; see `architecture_of`."""


@dataclass(frozen=True)
class Named:
    """An architecture, and how to speak of it.

    Attributes:
        genotype: The architecture.
        name: Short: that of the study, the file without its suffix, or the published one.
        source: Where it comes from, on one line.
    """

    genotype: AnyGenotype
    name: str
    source: str


def architecture_of(
    text: str | None, *, storage: str, study: str, space: str | None = None
) -> Named:
    """Return the architecture that a command's argument names.

    Args:
        text: A file with a genotype as text or JSON, as `relativenas search` writes it; else a
            published name, in capitals or not; `None` for the best of the study.
        storage: URL of the study's storage; looked at only where `text` is `None`.
        study: The study's name.
        space: Name of the search space. None for that of the study, or that which the file names.
            The module of a space that is not built in is imported for a study that was searched in
            it; for a file only if it is named here, since a file may come from anybody.

    Raises:
        SearchError: The study is missing or has nothing scored; the file holds no genotype; there
            is neither such a file nor such a name.
        SpaceError: The search space is not found.
        OSError: The file cannot be read.
    """
    if space is not None:
        load_space(space)
    if text is None:
        with study_at(storage, study, read_only=True) as found:
            best = scored_architectures(found)
        genotype, ranked = next(iter(best.items()))
        if isinstance(genotype, SpaceGenotype):
            genotype = _of_known_space(genotype, space, study)
        return Named(genotype, study, f"the best of study {study!r}, {ranked}")
    if _is_file(text):
        return Named(_genotype_in(Path(text), space), Path(text).stem, f"file {text}")
    return published_of(text)


def published_of(text: str) -> Named:
    """Return the published architecture of that name, in upper or lower case.

    Raises:
        SearchError: There is none; the message lists the names.
    """
    for name, found in PUBLISHED.items():
        if name.casefold() == text.casefold():
            return Named(found.genotype, name, found.source)
    raise SearchError(
        f"architecture must be a file with a genotype, as `relativenas search` writes it, or one "
        f"of {', '.join(PUBLISHED)}; got {text!r}"
    )


def scored_architectures(
    study: optuna.Study, *, for_show: bool = False
) -> dict[AnyGenotype, Ranked]:
    """Return what `best_architectures` returns, at least one architecture.

    Raises:
        SearchError: There is none, or the texts of the trials are not architectures of the space.
    """
    name = study.study_name
    try:
        best = best_architectures(study, for_show=for_show)
    except SearchError:
        raise
    except ValueError as error:
        raise SearchError(
            f"study {name!r} holds no architecture of its search space ({error}): name another "
            f"--study"
        ) from error
    if not best:
        has = "holds only other trials" if study.get_trials(deepcopy=False) else "is empty"
        raise SearchError(
            f"study {name!r} has no scored architecture, it {has}: search it first, or name "
            f"another --study"
        )
    return best


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a file's name, or with a NUL in it
        return False


def _of_known_space(genotype: SpaceGenotype, space: str | None, study: str) -> SpaceGenotype:
    """Return an architecture of a study with its space, which is loaded."""
    name = genotype.space or space
    if name is None:
        raise SearchError(
            f"study {study!r} does not say of which search space its architectures are: give "
            f"--space"
        )
    load_space(name)
    found = replace(genotype, space=name)
    try:
        _ = found.value
    except ValueError as error:
        raise SearchError(
            f"study {study!r} holds an architecture that space {name!r} does not read: {error}"
        ) from error
    return found


def _genotype_in(path: Path, space: str | None) -> AnyGenotype:
    with path.open("rb") as file:
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise SearchError(
            f"file {str(path)!r} holds no genotype, for it is longer than {_LONGEST} bytes"
        )
    try:
        genotype = genotype_from_file(decoded(content), space)
        if isinstance(genotype, SpaceGenotype):
            _ = genotype.value  # its space must be loaded, and must read it
        return genotype
    except ValueError as error:
        raise SearchError(f"file {str(path)!r} holds no genotype: {error}") from error
