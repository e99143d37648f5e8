from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from relativenas_optuna.evaluation.exporting import export as exporting
from relativenas_optuna.evaluation.exporting import export_formats
from relativenas_optuna.evaluation.exporting.export import export
from relativenas_optuna.exceptions import ExportError
from relativenas_optuna.networks.io.description import NetworkDescription
from relativenas_optuna.networks.io.network_file import load_network
from relativenas_optuna.networks.network import CellNetwork
from relativenas_optuna.spaces import published
from relativenas_optuna.training.augmentation import normalise

DESCRIPTION = NetworkDescription(
    genotype=published("RelativeNAS"),
    dataset="cifar10",
    channels=2,
    cells=3,
    in_channels=3,
    classes=tuple("abcdefg"),
    auxiliary=False,
    mean=(0.5, 0.4, 0.3),
    std=(0.2, 0.3, 0.4),
    size=(8, 8),
)
COUNTS = (1, 5)


@pytest.fixture(scope="module")
def network() -> CellNetwork:
    """With running statistics that are not those of the beginning."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built: CellNetwork = DESCRIPTION.build()
        built.train()(torch.randn(16, 3, 8, 8))
    return built.eval()


def random_images(count: int) -> Tensor:
    """uint8 `[count, 3, 8, 8]`."""
    generator = torch.Generator().manual_seed(count)
    return torch.randint(256, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)


@torch.no_grad()
def expected(network: CellNetwork, images: Tensor) -> Tensor:
    """Return the logits of images that are normalised as in training."""
    mean, std = torch.tensor(DESCRIPTION.mean), torch.tensor(DESCRIPTION.std)
    logits = network(normalise(images, mean, std))
    assert isinstance(logits, Tensor)
    return logits


@pytest.fixture(scope="module")
def written(network: CellNetwork, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Export a file in each form, and return the paths."""
    formats = ("onnx", "torch", "safetensors")
    stem = tmp_path_factory.mktemp("exported") / "net"
    found = list(export(network, DESCRIPTION, formats, stem))
    assert tuple(one.format for one in found) == formats
    assert all(0 <= one.difference <= one.bound for one in found)
    return {one.format: one.path for one in found}


@pytest.mark.slow
def test_onnx_gives_the_logits_of_images_from_0_to_1_in_any_number(
    network: CellNetwork, written: dict[str, Path]
) -> None:
    path = written["onnx"]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 3, 8, 8]
    for count in COUNTS:
        images = random_images(count)
        (logits,) = session.run(None, {"images": images.numpy().astype(np.float32) / 255})
        torch.testing.assert_close(
            torch.from_numpy(logits), expected(network, images), rtol=1e-4, atol=1e-5
        )
    model: Any = onnx.load(path)
    onnx.checker.check_model(model)
    (text,) = [entry.value for entry in model.metadata_props if entry.key == "relativenas"]
    assert NetworkDescription.from_json(text) == DESCRIPTION
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert str(Path.cwd()).encode() not in path.read_bytes()


def test_torch_program_gives_the_logits_of_images_from_0_to_1_in_any_number(
    network: CellNetwork, written: dict[str, Path]
) -> None:
    path = written["torch"]
    program = torch.export.load(path)
    for count in COUNTS:
        images = random_images(count)
        logits = program.module()(images.float() / 255)
        torch.testing.assert_close(logits, expected(network, images), rtol=1e-4, atol=1e-5)
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert all(target.startswith("aten.") for target in targets), targets
    assert str(Path.cwd()).encode() not in path.read_bytes()


def test_safetensors_give_the_same_network_to_the_last_bit(
    network: CellNetwork, written: dict[str, Path]
) -> None:
    path = written["safetensors"]
    loaded, description = load_network(path)
    assert description == DESCRIPTION
    images = random_images(5)
    assert torch.equal(expected(loaded.eval(), images), expected(network, images))
    said = path.with_suffix(".json").read_text(encoding="utf-8")
    assert NetworkDescription.from_json(said) == DESCRIPTION


@pytest.mark.parametrize("error", [1.0, float("nan")])
def test_a_file_with_other_logits_is_not_written(
    network: CellNetwork, tmp_path: Path, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = export_formats.FORMATS["safetensors"]

    def wrong(content: bytes) -> export_formats.Run:
        loaded = form.loaded(content)

        def run(images: Tensor) -> Tensor:
            logits = loaded(images)
            assert isinstance(logits, Tensor)
            return logits + error

        return run

    changed = {**export_formats.FORMATS, "safetensors": replace(form, loaded=wrong)}
    monkeypatch.setattr(exporting, "FORMATS", changed)
    with pytest.raises(ExportError, match=r"^format safetensors: .* is not written$"):
        list(export(network, DESCRIPTION, ("safetensors",), tmp_path / "net"))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_reported_with_the_way_to_install_it(
    network: CellNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda _: None)

    def begun() -> Iterator[exporting.Exported]:
        return export(network, DESCRIPTION, ("onnx",), tmp_path / "net")

    with pytest.raises(ExportError, match=r"pip install 'relativenas-optuna\[onnx\]'$"):
        list(begun())
    assert list(tmp_path.iterdir()) == []
