"""Test recipes: the paper's figures, schedules, and messages for wrong recipes."""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES
from relativenas_optuna.evaluation.standalone.recipe import FIELDS, Recipe
from relativenas_optuna.evaluation.standalone.recipe_file import recipe_of

PAPER: dict[str, dict[str, Any]] = {
    "cifar": {
        "family": "cifar",
        "epochs": 600,
        "batch_size": 128,
        "channels": 36,
        "cells": 20,
        "learning_rate": 0.025,
        "learning_rate_end": 0,
        "schedule": "cosine",
        "warmup_epochs": 0,
        "momentum": 0.9,
        "weight_decay": 3e-4,
        "clip": 5,
        "cutout": 16,
        "drop_path": 0.3,
        "auxiliary": 0.4,
        "label_smoothing": 0,
        "padding": 4,
        "flip": True,
    },
    "imagenet": {
        "family": "imagenet",
        "epochs": 250,
        "batch_size": 1024,
        "channels": 46,
        "cells": 14,
        "learning_rate": 0.5,
        "learning_rate_end": 0,
        "schedule": "linear",
        "warmup_epochs": 5,
        "momentum": 0.9,
        "weight_decay": 3e-5,
        "clip": 0,
        "cutout": 0,
        "drop_path": 0,
        "auxiliary": 0.4,
        "label_smoothing": 0.1,
        "size": 224,
        "random_resized_crop": True,
    },
}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_recipes_are_the_papers(name: str) -> None:
    fields = asdict(RECIPES[name])
    assert {field: fields[field] for field in PAPER[name]} == PAPER[name]
    assert fields["validation_fraction"] > 0  # so that no test image is chosen by


def optimizer(rate: float) -> torch.optim.SGD:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)


def rates(schedule: Any, epochs: int) -> list[float]:
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no step of the optimizer in between
        for _ in range(epochs):
            found.append(float(schedule.get_last_lr()[0]))
            schedule.step()
    return found


@pytest.mark.parametrize(("epochs", "end"), [(600, 0.0), (30, 0.001), (1, 0.0)])
def test_the_cosine_is_that_of_torch(epochs: int, end: float) -> None:
    recipe = replace(RECIPES["cifar"], epochs=epochs, learning_rate_end=end)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer(0.025), epochs, eta_min=end)
    found = [recipe.learning_rate_of(epoch) for epoch in range(epochs)]
    assert found == pytest.approx(rates(schedule, epochs), rel=1e-9, abs=1e-12)


def test_the_linear_decay_behind_a_warm_up_is_that_of_torch() -> None:
    recipe, sgd = RECIPES["imagenet"], optimizer(0.5)
    warm_up = torch.optim.lr_scheduler.LinearLR(sgd, 1 / 5, 1.0, total_iters=4)
    decay = torch.optim.lr_scheduler.LinearLR(sgd, 1.0, 0.0, total_iters=245)
    schedule = torch.optim.lr_scheduler.SequentialLR(sgd, [warm_up, decay], milestones=[5])
    found = [recipe.learning_rate_of(epoch) for epoch in range(250)]
    assert found == pytest.approx(rates(schedule, 250), rel=1e-9)
    assert found[:6] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.5])
    assert found[-1] == pytest.approx(0.5 / 245)


@given(
    st.integers(1, 300),
    st.integers(0, 20),
    st.floats(1e-4, 1),
    st.floats(0, 1e-4),
    st.sampled_from(["cosine", "linear"]),
)
def test_every_schedule_rises_to_its_rate_and_falls_from_there(
    epochs: int, warmup: int, rate: float, end: float, schedule: str
) -> None:
    recipe = replace(
        RECIPES["short"],
        epochs=epochs + warmup,
        warmup_epochs=warmup,
        learning_rate=rate,
        learning_rate_end=end,
        schedule=schedule,
    )
    found = [recipe.learning_rate_of(epoch) for epoch in range(recipe.epochs)]
    rising, falling = found[:warmup], found[warmup:]
    assert rising == pytest.approx([rate * (epoch + 1) / warmup for epoch in range(warmup)])
    assert falling[0] == pytest.approx(rate)
    assert falling == sorted(falling, reverse=True)
    assert all(end * (1 - 1e-9) <= one <= rate * (1 + 1e-9) for one in falling)


def test_drop_path_rises_in_proportion_to_the_epoch() -> None:
    recipe = RECIPES["cifar"]
    assert recipe.drop_path_of(0) == 0
    assert recipe.drop_path_of(300) == pytest.approx(0.15)
    assert recipe.drop_path_of(599) == pytest.approx(0.3 * 599 / 600)


def values() -> st.SearchStrategy[dict[str, Any]]:
    """Draw fields that are in range together."""
    positive = st.floats(1e-6, 1e3)
    return st.fixed_dictionaries(
        {},
        optional={
            "family": st.sampled_from(["cifar", "imagenet"]),
            "epochs": st.integers(1, 10**6),
            "batch_size": st.integers(2, 10**6),
            "channels": st.integers(1, 4096),
            "learning_rate": positive,
            "momentum": st.floats(0, 1),
            "clip": st.floats(0, 1e3),
            "schedule": st.sampled_from(["cosine", "linear"]),
            "flip": st.booleans(),
            "precision": st.sampled_from(["auto", "float32", "bfloat16", "float16"]),
            "validation_fraction": st.floats(0, 0.9),
        },
    )


def toml(fields: dict[str, Any]) -> str:
    shown = {
        name: str(value).lower() if isinstance(value, bool) else repr(value)
        for name, value in fields.items()
    }
    return "".join(f"{name} = {value}\n" for name, value in shown.items())


@given(st.sampled_from(sorted(RECIPES)), values())
def test_fields_by_option_and_by_file_come_to_the_same(name: str, fields: dict[str, Any]) -> None:
    if "epochs" in fields:
        fields["warmup_epochs"] = 0
    changes = [f"{field}={value}" for field, value in fields.items()]
    found = recipe_of(name, changes)
    assert found == replace(RECIPES[name], **fields)
    with TemporaryDirectory() as folder:
        path = Path(folder, "recipe.toml")
        path.write_text(f'base = "{name}"\n{toml(fields)}')
        assert recipe_of(str(path)) == found


def test_options_count_more_than_the_file_and_later_ones_more_than_earlier(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('base = "imagenet"\nepochs = 90 # in all\nlearning_rate = 1\n')
    found = recipe_of(str(file), ["epochs=40", " momentum = 0.8 ", "epochs=50"])
    assert found == replace(RECIPES["imagenet"], epochs=50, learning_rate=1, momentum=0.8)


@pytest.mark.parametrize(
    ("name", "changes", "size"),
    [
        ("short", [], 24),
        ("short", ["size=20"], 20),
        ("short", ["size=0"], 0),
        ("imagenet", [], 224),
        ("short", ["random_resized_crop=true", "padding=0"], 24),
    ],
)
def test_a_size_from_elsewhere_counts_least(name: str, changes: list[str], size: int) -> None:
    assert recipe_of(name, changes, size=24).size == size


def test_without_a_name_it_is_that_for_the_data() -> None:
    assert recipe_of(None, data="digits") == RECIPES["digits"]
    assert recipe_of(None, ["epochs=3"], data="my") == replace(RECIPES["short"], epochs=3)
    with pytest.raises(ValueError, match="got ''"):  # no name is not an empty one
        recipe_of("", data="digits")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("epochs", "a change must be NAME=VALUE, such as epochs=20; got 'epochs'"),
        ("epoch=3", "a recipe's field must be one of family, channels, .*; got 'epoch'"),
        ("epochs=3.5", "epochs must be a whole number of at least 1; got '3.5'"),
        ("epochs=0", "epochs must be a whole number of at least 1; got 0"),
        ("learning_rate=fast", "learning_rate must be a finite number of at least 0; got 'fast'"),
        ("learning_rate=nan", "learning_rate must be a finite number of at least 0; got nan"),
        ("momentum=2", "momentum must be a number from 0 to 1; got 2"),
        ("flip=perhaps", "flip must be true or false; got 'perhaps'"),
        ("schedule=step", "schedule must be one of cosine, linear, poly, steps; got 'step'"),
        ("warmup_epochs=30", "warmup_epochs must be fewer than the 30 epochs; got 30"),
        ("accumulate=40", r"batch_size must be at least twice accumulate \(40\), .*; got 64"),
        ("random_resized_crop=true", "random_resized_crop needs a size"),
        ("color_jitter=0.1", "color_jitter must be 0 without random_resized_crop; got 0.1"),
    ],
)
def test_a_field_out_of_range_is_said_in_one_line(change: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        recipe_of("short", [change])
    assert "\n" not in str(caught.value)


def test_crops_of_both_kinds_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="padding must be 0 with random_resized_crop"):
        recipe_of("imagenet", ["padding=4"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "base must be one of cifar, .*, detection; got None"),
        ('base = "long"', "base must be one of cifar, .*; got 'long'"),
        ('base = "short"\nepoch = 3', "a recipe's field must be one of .*; got 'epoch'"),
        ('base = "short"\nepochs = "3"', "epochs must be a whole number of at least 1; got '3'"),
        ('base = "short"\nflip = 1', "flip must be true or false; got 1"),
        ('base = "short"\nepochs = true', "epochs must be a whole number of at least 1; got True"),
        ('base = "short"\n[epochs]\n', "epochs must be a whole number of at least 1; got {}"),
        ("base =", "Invalid value"),
        ("a = " + 200 * "[", "recipe file"),
        ("#" * 70_000, "is longer than 65536 bytes"),
        ("\udcff", "recipe file"),
    ],
)
def test_a_file_that_is_no_recipe_is_said_in_one_line(
    content: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=said) as caught:
        recipe_of(str(file))
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_neither_name_nor_file_is_refused() -> None:
    said = "recipe must be one of cifar, .*, detection, or a TOML file; got 'long'"
    with pytest.raises(ValueError, match=said):
        recipe_of("long")


def test_every_field_is_checked() -> None:
    for name, default in FIELDS.items():
        wrong: Any = math.inf if isinstance(default, float) else None
        with pytest.raises(ValueError, match=name):
            Recipe(**{name: wrong})
