"""Run studies and store them: whole studies in a working folder, regrets in the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from against_samplers import searched, takes_part

from relativenas_optuna.samplers.relative_nas.surrogate.trusted_trial import trusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from against_problems import Problem
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

STORED = Path(__file__).parents[1] / "studies" / "against"


def checkpoints(trials: int) -> list[int]:
    """After how many trials samplers are compared, of studies of as many."""
    return [*(at for at in (50, 100, 200) if at < trials), trials]


def study_file(folder: Path, name: str, problem: Problem, seed: int) -> Path:
    """Return the path of the file of a whole study."""
    return folder / _plain(name) / problem.name / f"{seed}.npz"


def run(folder: Path, name: str, problems: Sequence[Problem], seeds: range) -> Iterator[Path]:
    """Run each study of a sampler that is not stored yet, and yield the files written.

    Seeds come one after the other, so that what is broken off is a comparison of fewer seeds.
    """
    for seed in seeds:
        for problem in problems:
            path = study_file(folder, name, problem, seed)
            if path.exists() or not takes_part(name, problem, seed):
                continue
            found = searched(name, problem, seed)
            found["points"] = found["points"].astype(np.float32)
            _save(path, found)
            yield path


def incumbents(found: dict[str, Vector]) -> Vector:
    """Return the true loss of the trial with the lowest score so far, after each trial."""
    told = found["told"]
    best = np.minimum.accumulate(told)
    first = np.concatenate([[True], best[1:] < best[:-1]])
    since = np.maximum.accumulate(np.where(first, np.arange(len(told)), 0))
    regrets: Vector = found["true"][since]
    return regrets


def gather(folder: Path, name: str, problems: Sequence[Problem]) -> None:
    """Store the regrets of all studies of a sampler that are there, on top of those known."""
    known = stored(name)
    for problem in problems:
        rows: list[Vector] = []
        while (path := study_file(folder, name, problem, len(rows))).exists():
            with np.load(path) as file:
                rows.append(incumbents({key: file[key] for key in ("told", "true")}))
        if len(rows) >= len(known.get(problem.name, [])) and rows:
            known[problem.name] = np.array(rows)
    if known:
        _save(_file(name), {key: _changes(rows) for key, rows in sorted(known.items())})


def gather_trusted(folder: Path, name: str, problems: Sequence[Problem]) -> None:
    """Store the regrets of the trials that `trusted_trial` takes of noisy studies."""
    known = _arrays(_trusted_file(name))
    for problem in problems:
        rows: list[list[float]] = []
        if not problem.noisy:
            continue
        while (path := study_file(folder, name, problem, len(rows))).exists():
            with np.load(path) as file:
                points, told, true = (file[key] for key in ("points", "told", "true"))
            where = [tuple(point) for point in points.tolist()]
            rows.append([true[trusted(where[:n], told[:n])] for n in checkpoints(len(told))])
        if len(rows) >= len(known.get(problem.name, [])) and rows:
            known[problem.name] = np.array(rows)
    if known:
        _save(_trusted_file(name), dict(sorted(known.items())))


def stored_trusted(name: str) -> dict[str, Vector]:
    """Return regrets `[seeds, trials]` of the trusted trials of a sampler's noisy studies.

    They are NaN but after as many trials as `checkpoints` says.
    """
    found, lowest = {}, stored(name)
    for problem, values in _arrays(_trusted_file(name)).items():
        trials = lowest[problem].shape[1]
        found[problem] = np.full((len(values), trials), np.nan)
        found[problem][:, np.array(checkpoints(trials)) - 1] = values
    return found


def _arrays(path: Path) -> dict[str, Vector]:
    if not path.exists():
        return {}
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def stored(name: str) -> dict[str, Vector]:
    """Return stored regrets `[seeds, trials]` of a sampler by problem; empty without any."""
    return {
        problem: np.array([_whole(row) for row in _split(parts)])
        for problem, parts in _arrays(_file(name)).items()
    }


def _changes(rows: Vector) -> NDArray[np.float32]:
    """Per seed: how many trials, how many changes, then trial and regret of each of these."""
    parts: list[float] = []
    for row in rows.astype(np.float32):
        at = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]]))
        parts += [len(row), len(at), *at, *row[at]]
    return np.array(parts, dtype=np.float32)


def _split(parts: NDArray[Any]) -> Iterator[NDArray[Any]]:
    while len(parts):
        end = 2 + 2 * int(parts[1])
        yield parts[:end]
        parts = parts[end:]


def _whole(part: NDArray[Any]) -> Vector:
    trials, changes = int(part[0]), int(part[1])
    at, regrets = part[2 : 2 + changes].astype(int), part[2 + changes :]
    return np.repeat(regrets, np.diff([*at, trials])).astype(np.float64)


def _save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished-{path.name}")
    # NumPy's types take any name for that of its own option.
    np.savez_compressed(unfinished, **arrays)  # type: ignore[arg-type]
    unfinished.replace(path)


def _file(name: str) -> Path:
    return STORED / f"{_plain(name)}.npz"


def _trusted_file(name: str) -> Path:
    return _file(f"{name} trusted")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())
