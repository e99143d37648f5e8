"""Commands of users that `gpu.py` measures, each in processes of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna
from candidate_work import noise
from optuna.trial import TrialState
from PIL import Image

from relativenas_optuna.objective.settings import SearchSettings, preset
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.storages.opening import storage_at

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = (sys.executable, "-m", "relativenas_optuna")
PAUSE = 0.1  # seconds between two looks at a search that will be killed


class Row(NamedTuple):
    """A row of the table: what was measured, its seconds, and other figures."""

    what: str
    seconds: float
    figures: str


@dataclass(frozen=True)
class Load:
    """The work that is measured.

    Attributes:
        images: Number of images of 32 pixels, half of which a search trains on.
        settings: Settings of the searches.
        recipe: Fields of the recipe of the trainings, which otherwise is the paper's for CIFAR.
    """

    images: int
    settings: SearchSettings
    recipe: dict[str, int]

    @property
    def seats(self) -> int:
        """Number of candidates of a search."""
        return self.settings.population * self.settings.generations


FULL = Load(
    images=4000,
    settings=replace(preset("paper"), population=8, generations=2),
    recipe={"epochs": 2},
)
TINY = Load(
    images=40,
    settings=replace(
        preset("paper"), nodes=1, channels=8, cells=3, population=4, generations=3, batch_size=20
    ),
    recipe={"epochs": 1, "channels": 8, "cells": 3, "batch_size": 20},
)


@dataclass
class Commands:
    """The measured commands.

    Attributes:
        load: The work.
        folder: Folder of the images, studies and results.
        device: Name of the device.
        deadline: Time of the monotonic clock at which a command that still runs is stopped.
    """

    load: Load
    folder: Path
    device: str
    deadline: float

    def write_images(self) -> None:
        """Write the images as files, in a folder for each class."""
        data = noise(self.load.images, 0)
        for number, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
            path = self.folder / "images" / data.classes[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)

    def search(self) -> Iterator[Row]:
        """Search with one worker."""
        yield self._searched("search")

    def resume(self) -> Iterator[Row]:
        """Kill a search when half of its candidates are scored, and continue it."""
        start = time.monotonic()
        words = self._planned("resumed")
        with self._study("resumed") as study:
            with self._started(words) as process:
                while len(_scores(study)) < self.load.seats / 2:
                    if process.poll() is not None:
                        raise RuntimeError("the search ended before half of it was scored")
                    if time.monotonic() > self.deadline:
                        process.kill()
                        raise TimeoutError("half of the search was not scored within the limit")
                    time.sleep(PAUSE)
                process.kill()
            before = _scores(study)
            self._run(*words)
            after = _scores(study)
        if any(after.get(seat) != score for seat, score in before.items()):
            raise RuntimeError(f"the kill changed scores: {before} before it, {after} at the end")
        seconds = time.monotonic() - start
        figures = f"{len(before)} of {len(after)} candidates scored before the kill, unchanged"
        yield Row("search, killed and continued", seconds, figures)

    def workers(self) -> Iterator[Row]:
        """Search with two workers."""
        yield self._searched("search, 2 workers", "--workers", "2")

    def train(self) -> Iterator[Row]:
        """Train a network in float32 and in bfloat16, and export it."""
        each = []
        for precision in ("float32", "bfloat16"):
            recipe = self.load.recipe | {"precision": precision}
            changes = [word for name in recipe for word in ("--set", f"{name}={recipe[name]}")]
            words = ("--data", "images", "--recipe", "cifar", "--device", self.device, "--yes")
            seconds, result = self._run(
                "train", "RelativeNAS", *words, *changes, "--out", precision, "--json"
            )
            each.append(result["seconds"] / self.load.recipe["epochs"])
            ratio = f", float32 / bfloat16 {each[0] / each[1]:.2f}" if len(each) > 1 else ""
            yield Row(f"train, {precision}", seconds, f"{each[-1]:.3f} s an epoch{ratio}")
        file = self.folder / "float32" / "network.safetensors"
        seconds, _ = self._run("export", str(file), "--format", "onnx", "--json")
        size = file.with_suffix(".onnx").stat().st_size / 2**20
        yield Row("export, ONNX", seconds, f"{size:.1f} MiB, checked against the network")

    def _planned(self, study: str) -> tuple[str, ...]:
        """Store the plan of a search; returns the words of the command that runs it."""
        request = SearchRequest(
            data=str(self.folder / "images"),
            out=str(self.folder / study),
            settings=asdict(self.load.settings),
            finals=0,
        )
        (self.folder / study).mkdir()
        with storage_at(self._url) as storage:
            created = optuna.create_study(study_name=study, storage=storage)
            SearchPlan.of(created, request).store(created)
        return ("search", "--study", study, "--device", self.device, "--storage", self._url)

    def _searched(self, what: str, *options: str) -> Row:
        """Run a search to its end."""
        seconds, _ = self._run(*self._planned(what), *options)
        with self._study(what) as study:
            trials = study.get_trials(states=[TrialState.COMPLETE])
        phases = {
            name: statistics.median(trial.user_attrs[f"seconds_{name}"] for trial in trials)
            for name in ("inherit", "train", "validate", "commit")
        }
        each = ", ".join(f"{name} {phase:.3f}" for name, phase in phases.items())
        figures = f"{len(trials)} candidates, {sum(phases.values()):.3f} s each: {each}"
        return Row(what, seconds, figures)

    @contextmanager
    def _study(self, name: str) -> Iterator[optuna.Study]:
        """Yield a study."""
        with storage_at(self._url, create=False) as storage:
            yield optuna.load_study(study_name=name, storage=storage)

    @property
    def _url(self) -> str:
        """URL of the database of the studies."""
        return f"sqlite:///{self.folder / 'gpu.db'}"

    def _started(self, words: tuple[str, ...]) -> subprocess.Popen[str]:
        """Start a command whose output is not read."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            [*COMMAND, *words], cwd=self.folder, stdout=quiet, stderr=quiet, text=True
        )

    def _run(self, *words: str) -> tuple[float, Any]:
        """Run a command; returns its seconds, and its result if it prints JSON."""
        start = time.monotonic()
        ended = subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=max(0.0, self.deadline - start),
            check=False,
        )
        if ended.returncode:
            raise RuntimeError(f"{words[0]} ended with status {ended.returncode}: {ended.stderr}")
        seconds = time.monotonic() - start
        return seconds, json.loads(ended.stdout) if "--json" in words else None


def _scores(study: optuna.Study) -> dict[Seat, float | None]:
    """Return the score of each seat so far."""
    trials = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return {seat: trial.value for trial in trials if (seat := seat_of(trial)) is not None}
