"""A process searches more images than its memory holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from relativenas_optuna.training.data.pixel_store import CACHE_VARIABLE

ROOT = Path(__file__).parents[3]
PROGRAM = """
import resource
from dataclasses import replace
import numpy as np
import optuna
import psutil
import torch
from relativenas_optuna.objective.candidate import CandidateTrainer
from relativenas_optuna.training import FileImages, images_of
from tests.helpers.tiny_search import SETTINGS, objective, sampler, study, until_scored

torch.set_num_threads(1)
settings = dict(batch_size=64, padding=1)
few = np.random.default_rng(0).standard_normal((64, 32, 32, 3), np.float32)
until_scored(study(), objective(**settings), 4)  # so that all libraries are loaded
now = psutil.Process().memory_info()
resource.setrlimit(resource.RLIMIT_AS, (now.vms + 200 * 10**6,) * 2)
count = 20_000
images = images_of((few[number % 64], number % 2) for number in range(count))
assert isinstance(images, FileImages)
found, scoring = study(), objective(data=images, **settings)
found.optimize(scoring, n_trials=2)
print(len(images) * images.pixels.image_bytes, [trial.value for trial in found.trials])
try:
    bytearray(230 * 10**6)
except MemoryError:
    print("limited")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is that of Linux")
def test_a_process_searches_more_images_than_its_memory_holds(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(ROOT), CACHE_VARIABLE: str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    first, last = ended.stdout.splitlines()
    size, values = first.split(" ", 1)
    assert int(size) > 240 * 10**6
    assert len(values.split(",")) == 2
    assert "None" not in values
    assert last == "limited"
    assert list(tmp_path.iterdir()) == []
