"""Trained-network files: the same network again, and files from elsewhere that are refused."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from relativenas_optuna.networks import (
    CellNetwork,
    NetworkDescription,
    load_network,
    network_bytes,
    save_network,
)
from relativenas_optuna.networks.io.network_file import network_of, read_weights, stored_in_bytes
from relativenas_optuna.networks.io.tensors_file import to_bytes
from tests.helpers.networks import random_images
from tests.helpers.tiny_search import names, same_bits
from tests.helpers.trained_network import DESCRIPTION, refusal, with_field


@pytest.fixture(scope="module")
def network() -> CellNetwork:
    """With running statistics that are not those of the beginning."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built: CellNetwork = DESCRIPTION.build()
        built.train()(random_images(4, 1, 29, 29))
    return built


# --- there and back


def test_a_network_is_the_same_again_to_the_last_bit(network: CellNetwork, tmp_path: Path) -> None:
    path = save_network(tmp_path / "net.safetensors", network, DESCRIPTION)
    loaded, description = load_network(path)
    assert description == DESCRIPTION
    assert same_bits(loaded.state_dict(), network.state_dict())
    images = random_images(2, 1, 8, 9)
    assert torch.equal(loaded.eval()(images), network.eval()(images))
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    assert all(parameter.device.type == "cpu" for parameter in loaded.parameters())
    again = network_bytes(loaded, description)
    assert again == path.read_bytes()
    assert same_bits(network_of(stored_in_bytes(again))[0].state_dict(), network.state_dict())


def test_what_it_is_stands_beside_it_for_people(network: CellNetwork, tmp_path: Path) -> None:
    save_network(tmp_path / "v1.net.safetensors", network, DESCRIPTION)
    assert names(tmp_path) == ["v1.net.json", "v1.net.safetensors"]
    text = (tmp_path / "v1.net.json").read_text(encoding="utf-8")
    assert NetworkDescription.from_json(text) == DESCRIPTION
    assert '\n  "classes": ["Katze", "犬", ' in text


@pytest.mark.parametrize("step", [1, 2])
def test_files_are_written_whole_or_not_at_all(
    network: CellNetwork, tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_network(tmp_path / "net.safetensors", network, DESCRIPTION)
    old = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    other = replace(DESCRIPTION, classes=("x", "y", "z"))
    steps = 0
    rename = Path.replace

    def dying(self: Path, target: Path) -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            raise KeyboardInterrupt
        rename(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        save_network(path, network, other)
    monkeypatch.undo()
    assert names(tmp_path) == sorted(old)
    assert path.read_bytes() == old[path.name]  # and what is in it counts
    assert load_network(path)[1] == DESCRIPTION


def test_what_is_not_described_or_not_finite_is_not_written(
    network: CellNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "net.safetensors"
    line = refusal(lambda: save_network(path, network, replace(DESCRIPTION, channels=3)))
    assert "the network to be saved is of another network: stem.0.weight is [6, 1, 3, 3]" in line
    broken, _ = network_of(stored_in_bytes(network_bytes(network, DESCRIPTION)))
    with torch.no_grad():
        broken.classifier.bias[1] = torch.nan
    line = refusal(lambda: save_network(path, broken, DESCRIPTION))
    assert line.endswith("is damaged: classifier.bias holds what is no finite number")
    assert "must end in .safetensors" in refusal(
        lambda: save_network(tmp_path / "net.pt", network, DESCRIPTION)
    )
    assert names(tmp_path) == []


# --- files from elsewhere


def written(path: Path, network: CellNetwork, text: str) -> Path:
    """Write a network file with a given description, and return its path."""
    path.write_bytes(to_bytes(network.state_dict(), {"relativenas": text}))
    return path


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_a_file_cut_short_is_refused(network: CellNetwork, tmp_path: Path, kept: float) -> None:
    path = save_network(tmp_path / "net.safetensors", network, DESCRIPTION)
    os.truncate(path, int(kept * path.stat().st_size))
    line = refusal(lambda: load_network(path))
    assert line.startswith(f"weights file {str(path)!r} is damaged or not a safetensors file: ")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    line = refusal(lambda: load_network(tmp_path / "folder.safetensors"))
    assert "is damaged or not a safetensors file" in line
    assert refusal(lambda: load_network(tmp_path / "no.safetensors")).endswith("does not exist")


def test_weights_alone_say_how_they_are_loaded(network: CellNetwork, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(to_bytes(network.state_dict(), {"format": "pt"}))
    assert read_weights(path).description is None
    line = refusal(lambda: load_network(path))
    assert f"build('RelativeNAS', 'cifar10', weights={str(path)!r})" in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": 4}, "stem.0.weight is [6, 1, 3, 3] and should be [12, 1, 3, 3]; stem.1."),
        ({"channels": 4096, "cells": 24}, "stem.0.weight is [6, 1, 3, 3] and should be [12288,"),
        ({"in_channels": 2, "mean": (0.0,) * 2, "std": (1.0,) * 2}, "and should be [6, 2, 3, 3]"),
        (
            {"classes": ("x",)},
            "auxiliary_head.classifier.weight is [3, 768] and should be [1, 768]",
        ),
        ({"auxiliary": False}, "auxiliary_head.classifier.bias is not in this network; auxil"),
        ({"dataset": "imagenet"}, "stem0.0.weight is missing; stem0.1.weight is missing; stem0"),
    ],
)
def test_weights_of_another_network_are_refused_whatever_it_would_take(
    network: CellNetwork, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = written(tmp_path / "w.safetensors", network, replace(DESCRIPTION, **changes).to_json())
    line = refusal(lambda: load_network(path))
    assert said in line
    named = line.split("; ")
    assert len(named) == 1 or (len(named) == 4 and re.fullmatch(r"and \d+ more", named[3]))


def test_weights_that_are_not_finite_are_refused(network: CellNetwork, tmp_path: Path) -> None:
    state = {**network.state_dict(), "classifier.bias": torch.tensor([0, torch.inf, 0])}
    path = tmp_path / "w.safetensors"
    path.write_bytes(to_bytes(state, {"relativenas": DESCRIPTION.to_json()}))
    assert refusal(lambda: load_network(path)).endswith(
        "classifier.bias holds what is no finite number"
    )


def test_names_that_would_garble_a_terminal_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    header = json.dumps(
        {"\x1b[2J" + "x" * 1000: {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}
    )
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(8))
    line = refusal(lambda: load_network(path))
    assert "?[2Jxxx" in line


def test_an_operation_that_is_unknown_is_refused_in_one_line(
    network: CellNetwork, tmp_path: Path
) -> None:
    cell = {"nodes": [[["x" * 10**6, 0]]]}
    text = with_field("genotype", {"normal": cell, "reduce": cell})
    line = refusal(lambda: load_network(written(tmp_path / "w.safetensors", network, text)))
    assert "describes no network: operations must be among" in line


def test_a_description_that_is_refused_names_its_file(network: CellNetwork, tmp_path: Path) -> None:
    path = written(tmp_path / "w.safetensors", network, "{}")
    line = refusal(lambda: read_weights(path))
    assert line.startswith(f"weights file {str(path)!r} describes no network: a description must")
