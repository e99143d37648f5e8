"""`build(..., weights=)`: weights of the same network, of other classes, and of others."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from relativenas_optuna.networks import NetworkDescription, build, save_network
from relativenas_optuna.networks.io.network_file import StoredNetwork, read_weights
from relativenas_optuna.networks.network import ImageNetNetwork
from relativenas_optuna.spaces import Genotype, published
from tests.helpers.networks import golden, random_images
from tests.helpers.tiny_search import same_bits

WEIGHTS = StoredNetwork(golden().state, None, "the weights")
OWN = NetworkDescription(
    genotype=Genotype.from_text(
        "normal: node2 max_pool_3x3(0) skip_connect(1)\n"
        "reduce: node2 skip_connect(0) avg_pool_3x3(1) | node3 max_pool_3x3(2)"
    ),
    dataset="cifar100",
    channels=3,
    cells=4,
    in_channels=2,
    classes=("a", "b"),
    auxiliary=True,
    mean=(0.1, 0.2),
    std=(1.0, 1.0),
    size=(8, 8),
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a trained-network file."""
    path = tmp_path_factory.mktemp("own") / "own.safetensors"
    return save_network(path, OWN.build(), OWN)


# --- what fits


def test_what_is_left_out_is_as_in_the_weights(own: Path) -> None:
    network = build(OWN.genotype, weights=own, auxiliary=True)
    assert same_bits(network.state_dict(), read_weights(own).state)
    sizes = (network.in_channels, len(network.cells), network.classifier.out_features)
    assert sizes == (2, 4, 2)
    assert network.training
    assert build("RelativeNAS", weights=WEIGHTS).classifier.out_features == 7


def test_an_auxiliary_head_is_left_out_or_starts_anew(own: Path) -> None:
    headless = build(OWN.genotype, weights=own)
    assert headless.auxiliary_head is None
    theirs = read_weights(own).state
    without = {name: of for name, of in theirs.items() if not name.startswith("auxiliary_head.")}
    assert same_bits(headless.state_dict(), without)
    said = re.escape("the auxiliary head starts anew: the weights have none (headless)")
    with pytest.warns(UserWarning, match=rf"^{said}$") as caught:
        network = build(
            OWN.genotype, weights=StoredNetwork(without, None, "headless"), auxiliary=True
        )
    assert len(caught) == 1
    kept = {name: network.state_dict()[name] for name in without}
    assert same_bits(kept, without)
    assert network.train()(random_images(2, 2, 32, 32))[1].shape == (2, 2)


def test_weights_of_large_images_are_known_by_their_stem() -> None:
    genotype = published("RelativeNAS")
    state = build(genotype, "imagenet", channels=6, cells=3, num_classes=4).state_dict()
    network = build(genotype, weights=StoredNetwork(state, None, "w"))
    assert isinstance(network, ImageNetNetwork)
    assert same_bits(network.state_dict(), state)
    assert network.classifier.out_features == 4


# --- other classes


@pytest.mark.parametrize("auxiliary", [False, True])
def test_for_other_classes_the_classifier_starts_anew_and_says_so(
    auxiliary: bool, own: Path
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = build(OWN.genotype, num_classes=3, auxiliary=auxiliary, weights=own)
    words = (
        f"starts anew: the weights tell 2 classes apart, the network 3 (weights file {str(own)!r})"
    )
    expected = [f"the {name} {words}" for name in ("classifier", "auxiliary classifier")]
    assert [str(one.message) for one in caught] == expected[: 1 + auxiliary]
    assert {one.filename for one in caught} == {__file__}
    state, theirs = network.state_dict(), read_weights(own).state
    kept = {name: tensor for name, tensor in state.items() if "classifier." not in name}
    assert len(state) - len(kept) == 2 + 2 * auxiliary
    assert same_bits(kept, {name: theirs[name] for name in kept})
    assert network.eval()(random_images(2, 2, 8, 8)).shape == (2, 3)
    # It learns: the first weights are not zero.
    assert network.classifier.weight.abs().min() > 0


def test_a_data_set_that_is_named_decides_the_classes() -> None:
    with pytest.warns(UserWarning, match="tell 7 classes apart, the network 100"):
        assert build("RelativeNAS", "cifar100", weights=WEIGHTS).classifier.out_features == 100


def test_fine_tuning_begins_with_what_the_old_network_sees(own: Path) -> None:
    with pytest.warns(UserWarning, match="tell 2 classes apart, the network 5"):
        tuned = build(OWN.genotype, num_classes=5, weights=own).eval()
    old = build(OWN.genotype, weights=str(own)).eval()
    seen: list[Tensor] = []
    for network in (tuned, old):
        network.global_pooling.register_forward_hook(lambda *given: seen.append(given[2]))
        network(random_images(2, 2, 8, 8))
    assert torch.equal(*seen)


# --- weights of others


def said(*words: object, **settings: object) -> str:
    with pytest.raises(ValueError, match=r"another (network|architecture)") as caught:
        build(*words, **settings)  # type: ignore[arg-type]
    return str(caught.value)


def test_the_first_three_differences_are_named(own: Path) -> None:
    assert said("RelativeNAS", weights=WEIGHTS, channels=8) == (
        "the weights is of another network: "
        "stem.0.weight is [12, 3, 3, 3] and should be [24, 3, 3, 3]; "
        "stem.1.weight is [12] and should be [24]; "
        f"stem.1.bias is [12] and should be [24]; and {count_of_others(8)} more"
    )
    line = said("DARTS_V1", weights=WEIGHTS)
    assert "cells.0._ops.1.op.1.weight is [4, 1, 5, 5] and should be [4, 1, 3, 3]" in line
    assert "cells.0._ops.1.op.5.weight is missing" in line
    assert line.count(";") == 3
    line = said("RelativeNAS", weights=WEIGHTS, cells=4)
    assert "cells.2.preprocess0.conv_1.weight is [4, 16, 1, 1] and should be [8, 16, 1, 1]" in line
    assert "auxiliary_head" not in line


def count_of_others(channels: int) -> int:
    """Tensors of another size, but for three."""
    with torch.device("meta"):
        other = build("RelativeNAS", channels=channels, cells=5, num_classes=7).state_dict()
    return len([n for n, tensor in other.items() if tensor.shape != golden().state[n].shape]) - 3


def test_another_architecture_of_the_same_shapes_is_known_by_what_the_file_says(
    own: Path,
) -> None:
    text = OWN.genotype.to_text()
    other = text.replace("max_pool_3x3(0)", "avg_pool_3x3(0)").replace("node3 max", "node3 avg")
    assert said(Genotype.from_text(other), weights=own) == (
        f"weights file {str(own)!r} is of another architecture: "
        "normal: node2 is max_pool_3x3(0) skip_connect(1) and should be avg_pool_3x3(0) "
        "skip_connect(1); reduce: node3 is max_pool_3x3(2) and should be avg_pool_3x3(2)"
    )


def test_another_concatenation_is_known_too(own: Path) -> None:
    stored = read_weights(own)
    assert stored.description is not None
    shorter = Genotype.from_text(
        "normal: node2 max_pool_3x3(0) skip_connect(1)\n"
        "reduce: node2 skip_connect(0) avg_pool_3x3(1) | node3 max_pool_3x3(2) | "
        "node4 max_pool_3x3(2) | concat 2 3"
    )
    assert said(shorter, weights=stored).endswith("reduce: 2 nodes and should be 3")


def test_types_that_differ_are_named() -> None:
    state = {**golden().state, "stem.0.weight": golden().state["stem.0.weight"].double()}
    line = said("RelativeNAS", weights=StoredNetwork(state, None, "w"))
    assert line.endswith("stem.0.weight is torch.float64 and should be torch.float32")


@pytest.mark.parametrize(
    "shapes",
    [
        {"stem.0.weight": (3 * 10**12, 3, 3, 0)},
        {"stem.0.weight": (1, 3, 3, 3)},
        {"stem.0.weight": (12, 0, 3, 3)},
        {"classifier.weight": (10**15, 0)},
        {f"cells.{number}.x": (1,) for number in range(5000)},
        {"stem0.3.weight": (10**12, 3, 3, 0), "stem0.0.weight": (1, 10**12, 0, 0)},
    ],
    ids=["channels", "no channels", "no images", "classes", "cells", "imagenet"],
)
def test_sizes_that_no_network_has_are_refused_by_name(
    shapes: dict[str, tuple[int, ...]],
) -> None:
    state = {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}
    line = said("RelativeNAS", weights=StoredNetwork(state, None, "w"))
    assert re.search(r"(stem|stem0)\.0\.weight is ", line)


def test_a_large_network_that_does_not_fit_takes_no_memory() -> None:
    # 100 GB.
    assert "stem.0.weight is [12, 3, 3, 3] and should be [12288" in said(
        "RelativeNAS", weights=WEIGHTS, channels=4096, cells=12
    )


def test_the_description_may_be_of_another_size_than_asked_for(own: Path) -> None:
    stored = read_weights(own)
    assert stored.description is not None
    lying = replace(stored, description=replace(stored.description, channels=4000))
    assert same_bits(build(OWN.genotype, weights=lying, auxiliary=True).state_dict(), stored.state)
