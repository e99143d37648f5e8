"""Find the architecture that a command names: a study's best, one in a file, or a published one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

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

_LONGEST = 16 * 1024  # bytes of a file; the longest published cells take 1 kB


@dataclass(frozen=True)
class Named:
    """An architecture with a name for messages and file names.

    Attributes:
        genotype: The architecture.
        name: Name of the study, name of the file without its suffix, or published name.
        source: Origin of the architecture, one line for messages.
    """

    genotype: AnyGenotype
    name: str
    source: str


def architecture_of(
    text: str | None, *, storage: str, study: str, space: str | None = None
) -> Named:
    """Return the architecture that a command's argument names.

    Args:
        text: Path of a file with a genotype as text or JSON, as `relativenas search` writes it; or
            a published name in upper or lower case; None for the best of the study.
        storage: URL of the study's storage; used only if `text` is None.
        study: Name of the study; used only if `text` is None.
        space: Name of the search space; None to use the space that the study or the file names.
            A custom space's module is imported if the study was searched in that space. For a
            file it is imported only if `space` names it, because a file may come from anybody.

    Raises:
        SearchError: The study is missing or has no scored trial; the file holds no genotype; or
            `text` is neither a file nor a published name.
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
    """Return the published architecture with the name `text`, in upper or lower case.

    Raises:
        SearchError: No published architecture has this name; the message lists the names.
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
    """Return the result of `best_architectures`; raise if it is empty.

    Args:
        study: The study.
        for_show: See `best_architectures`.

    Raises:
        SearchError: The study has no scored architecture, its genotypes do not belong to its search
            space, or its plan or choice cannot be read.
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
            f"file {str(path)!r} holds no genotype: it is longer than {_LONGEST} bytes"
        )
    try:
        genotype = genotype_from_file(decoded(content), space)
        if isinstance(genotype, SpaceGenotype):
            _ = genotype.value  # raises if the space is not loaded or cannot read the text
        return genotype
    except ValueError as error:
        raise SearchError(f"file {str(path)!r} holds no genotype: {error}") from error
