"""Detectors that the trainer trains, with the augmentation of SSD."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from relativenas_optuna.evaluation.standalone.result import Result
from relativenas_optuna.evaluation.standalone.run import training_run
from relativenas_optuna.evaluation.tasks.detection.task import DETECTION
from relativenas_optuna.spaces import PUBLISHED
from tests.helpers.voc_folder import write_voc


def trained(devkit: Path, out: Path, **changes: Any) -> Result:
    """Train a small detector on a folder of VOC, and test it."""
    small: dict[str, Any] = {"channels": 4, "cells": 3, "size": 96, "batch_size": 4, "epochs": 2}
    recipe = replace(DETECTION.recipe, **{**small, "validation_fraction": 0.2, **changes})
    samples = DETECTION.load(str(devkit), recipe, train=True)
    test = DETECTION.load(str(devkit), recipe, train=False)
    assert samples is not None
    return training_run(
        PUBLISHED["DARTS_V1"].genotype,
        samples,
        task=DETECTION,
        recipe=recipe,
        seed=0,
        out=out,
        test=test,
    )


def test_two_trainings_with_one_seed_are_equal_to_the_last_bit(tmp_path: Path) -> None:
    devkit = write_voc(tmp_path / "VOCdevkit", training=10, test=3)
    results = [trained(devkit, tmp_path / name) for name in ("a", "b")]
    first, second = (load_file(result.network) for result in results)
    assert all(first[name].equal(second[name]) for name in first)
    assert results[0].test_figures == results[1].test_figures
    assert list(results[0].test_figures or ()) == ["voc2007_map", "voc2010_map", "coco_map"]


@pytest.mark.slow
def test_shapes_are_found_far_better_than_by_chance(tmp_path: Path) -> None:
    """Initial weights find 0.01 to 0.03; the bound was set before the training was run."""
    devkit = write_voc(tmp_path / "VOCdevkit", training=60, test=30)
    result = trained(
        devkit, tmp_path / "out", size=128, batch_size=8, epochs=40, learning_rate=0.05
    )
    assert (result.test_figures or {})["voc2007_map"] > 0.3
