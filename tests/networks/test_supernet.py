from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from relativenas_optuna.networks import Supernet, draw_weights
from relativenas_optuna.spaces import CellSpace, Genotype, published
from tests.helpers.networks import SMALL, TWIN, random_images, small_supernet

PAPER = CellSpace()


def train(supernet: Supernet, genotype: Genotype, *, steps: int = 3) -> None:
    """Move weights and running statistics."""
    optimizer = torch.optim.SGD(supernet.parameters(), lr=0.05)
    supernet.train()
    for step in range(steps):
        optimizer.zero_grad()
        logits = supernet(3 * random_images(8, 3, 16, 16, seed=step) + 1, genotype)
        torch.autograd.backward(F.cross_entropy(logits, torch.arange(8)))
        optimizer.step()


@pytest.fixture(scope="module")
def trained() -> Supernet:
    """Return a supernet of the paper's space whose statistics were moved along several paths."""
    supernet = Supernet(PAPER, channels=4, cells=5)
    draw_weights(supernet, torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    for genotype in (published("RelativeNAS"), *(PAPER.random(rng) for _ in range(3))):
        train(supernet, genotype)
    return supernet.eval()


@pytest.fixture(scope="module")
def trained_channels_last(trained: Supernet) -> Supernet:
    supernet = Supernet(PAPER, channels=4, cells=5).eval()
    supernet.load_state_dict(trained.state_dict())
    return supernet.to(memory_format=torch.channels_last)


@pytest.mark.slow
def test_the_default_supernet_is_that_of_the_paper() -> None:
    with torch.device("meta"):
        supernet = Supernet(PAPER)
    assert sum(parameter.numel() for parameter in supernet.parameters()) == 1_987_194
    counts = [len(list(cell.get_submodule("operations").children())) for cell in supernet.cells]
    assert counts == [98] * 8


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), twins=st.booleans())
def test_a_path_equals_the_standalone_network_to_the_last_bit(
    trained: Supernet, trained_channels_last: Supernet, seed: int, twins: bool
) -> None:
    genotype = PAPER.random(np.random.default_rng(seed))
    if twins:
        params = PAPER.params(genotype)
        params |= {n: params[n.replace("put2", "put1").replace("op2", "op1")] for n in params}
        genotype = PAPER.genotype(params)
    images = random_images(3, 3, 16, 16, seed=seed)
    assert torch.equal(trained(images, genotype), trained.standalone(genotype)(images))
    images = images.to(memory_format=torch.channels_last)
    standalone = trained_channels_last.standalone(genotype)
    assert torch.equal(trained_channels_last(images, genotype), standalone(images))


def test_the_published_cell_with_its_twin_equals_the_standalone_network(trained: Supernet) -> None:
    genotype = published("RelativeNAS")
    images = random_images(4, 3, 32, 32)
    assert torch.equal(trained(images, genotype), trained.standalone(genotype)(images))


def test_evaluation_changes_nothing(trained: Supernet) -> None:
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    trained(random_images(2, 3, 16, 16), published("RelativeNAS"), drop_path=0.5)
    assert all(torch.equal(before[name], t) for name, t in trained.state_dict().items())


def test_training_gives_the_gradients_of_the_standalone_network() -> None:
    """The one module of an edge that occurs twice gets the gradients of both copies."""
    supernet = small_supernet()
    standalone = supernet.standalone(TWIN)
    images, labels = random_images(8, 3, 16, 16), torch.arange(8)
    torch.autograd.backward(F.cross_entropy(supernet(images, TWIN), labels))
    logits = standalone(images)
    assert isinstance(logits, Tensor)
    torch.autograd.backward(F.cross_entropy(logits, labels))
    expected: dict[str, Tensor] = {}
    for name, parameter in standalone.named_parameters():
        assert parameter.grad is not None
        shared = shared_name(name)
        expected[shared] = parameter.grad + expected.get(shared, torch.zeros(()))
    found = {n: p.grad for n, p in supernet.named_parameters() if p.grad is not None}
    assert set(found) == set(expected) < set(supernet.tensors(TWIN))
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name])


def shared_name(name: str) -> str:
    """Name in the supernet of a tensor of the stand-alone network of `TWIN`."""
    match = re.fullmatch(r"cells\.(\d)\._ops\.(\d)\.(.*)", name)
    if match is None:
        return name
    cell, edge, rest = int(match[1]), int(match[2]), match[3]
    number, place = divmod(edge, 2)
    chosen = (TWIN.normal, TWIN.reduce, TWIN.reduce)[cell].nodes[number][place]
    key = f"node{number + 2}_input{chosen.input}_{chosen.operation}"
    return f"cells.{cell}.operations.{key}.{rest}"


def test_tensors_are_live_and_named_as_in_the_state_dict() -> None:
    supernet = small_supernet()
    tensors = supernet.tensors(TWIN)
    live = dict(supernet.named_parameters()) | dict(supernet.named_buffers())
    assert all(live[name] is tensor for name, tensor in tensors.items())
    assert set(tensors) < set(supernet.state_dict())


def test_operation_names_are_the_part_of_tensors_inside_the_operations() -> None:
    supernet = small_supernet()
    names = supernet.operation_names(TWIN)
    assert names == {name for name in supernet.tensors(TWIN) if ".operations." in name}
    outside = {name for name in supernet.state_dict() if ".operations." not in name}
    assert set(supernet.tensors(TWIN)) - names == outside
    assert {".".join(name.split(".")[:4]) for name in names} == {
        "cells.0.operations.node2_input0_sep_conv_3x3",
        "cells.1.operations.node2_input1_skip_connect",
        "cells.1.operations.node3_input2_sep_conv_3x3",
        "cells.1.operations.node3_input0_sep_conv_3x3",
        "cells.2.operations.node2_input1_skip_connect",
        "cells.2.operations.node3_input2_sep_conv_3x3",
        "cells.2.operations.node3_input0_sep_conv_3x3",
    }


@pytest.fixture
def spoilt() -> Supernet:
    """Return a supernet in which every tensor that the twin genotype does not use is NaN."""
    supernet = small_supernet().eval()
    used = supernet.tensors(TWIN)
    for name, tensor in supernet.state_dict().items():
        if name not in used and tensor.is_floating_point():
            tensor.fill_(torch.nan)
    return supernet


@pytest.mark.slow
@torch.no_grad()
def test_forward_reads_every_one_of_its_tensors_and_no_other(spoilt: Supernet) -> None:
    images = random_images(2, 3, 8, 8)
    expected = small_supernet().eval()(images, TWIN)
    assert torch.equal(spoilt(images, TWIN), expected)
    for name, tensor in spoilt.tensors(TWIN).items():
        # The count of batches is written in training, and read by nobody.
        if name.endswith("num_batches_tracked"):
            continue
        kept = tensor.clone()
        tensor.fill_(torch.nan)
        assert not torch.equal(spoilt(images, TWIN), expected), name
        tensor.copy_(kept)
    assert torch.equal(spoilt(images, TWIN), expected)


def test_training_writes_only_into_its_tensors() -> None:
    supernet = small_supernet()
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    train(supernet, TWIN)
    changed = {n for n, t in supernet.state_dict().items() if not torch.equal(before[n], t)}
    assert changed == set(supernet.tensors(TWIN))


def test_the_standalone_network_is_a_copy_that_touches_no_random_state() -> None:
    supernet = small_supernet().double()
    before = torch.get_rng_state()
    standalone = supernet.standalone(TWIN)
    assert torch.equal(torch.get_rng_state(), before)
    assert standalone.training
    assert not supernet.eval().standalone(TWIN).training
    assert all(parameter.requires_grad for parameter in standalone.parameters())
    own = {parameter.data_ptr() for parameter in supernet.parameters()}
    assert not own & {parameter.data_ptr() for parameter in standalone.parameters()}
    assert standalone.stem[0].weight.dtype == torch.float64


def test_drop_path_draws_from_the_given_generator_alone() -> None:
    supernet = small_supernet()
    images = random_images(8, 3, 8, 8)
    before = torch.get_rng_state()
    first, again, plain = (
        supernet(images, TWIN, drop_path=p, generator=torch.Generator().manual_seed(1))
        for p in (0.5, 0.5, 0.0)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, plain)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_supernet_and_its_standalone_network_drop_the_same_edges() -> None:
    genotype = SMALL.random(np.random.default_rng(3))
    supernet = small_supernet()
    standalone = supernet.standalone(genotype)
    images = random_images(8, 3, 8, 8)
    first, second = (torch.Generator().manual_seed(1) for _ in range(2))
    ours = supernet(images, genotype, drop_path=0.5, generator=first)
    assert torch.equal(ours, standalone(images, drop_path=0.5, generator=second))


@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize("cells", [1, 2, 4])
def test_small_grey_images_and_other_spaces_work(inputs: int, cells: int) -> None:
    space = CellSpace(nodes=3, operations=("dil_conv_5x5", "skip_connect"), inputs=inputs)
    supernet = Supernet(space, channels=3, cells=cells, num_classes=7, in_channels=1)
    genotype = space.random(np.random.default_rng(0))
    for size in (4, 7, 8):
        assert supernet(random_images(5, 1, size, size), genotype).shape == (5, 7)


def test_what_lies_outside_the_operations_counts_even_where_no_edge_reads_it() -> None:
    unread = "node2 max_pool_3x3(1) max_pool_3x3(1) | node3 max_pool_3x3(1) max_pool_3x3(1)"
    genotype = Genotype.from_text(f"normal: {unread}\nreduce: {unread}")
    assert "cells.2.preprocess0.conv_1.weight" in small_supernet().tensors(genotype)


def test_a_genotype_outside_the_space_is_refused_everywhere() -> None:
    supernet = small_supernet()
    genotype = published("RelativeNAS")
    with pytest.raises(ValueError, match="genotype is not in this space: normal has 4"):
        supernet(random_images(2, 3, 8, 8), genotype)
    for method in (supernet.tensors, supernet.operation_names, supernet.standalone):
        with pytest.raises(ValueError, match="genotype is not in this space"):
            method(genotype)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"operations must be among .*got none"):
        Supernet(CellSpace(operations=("none", "skip_connect")))
    with pytest.raises(ValueError, match="channels must be a whole number of at least 1, got 0"):
        Supernet(SMALL, channels=0)
    supernet = small_supernet()
    with pytest.raises(ValueError, match=r"images must be \[batch, 3, .*got \[2, 3, 3, 8\]"):
        supernet(random_images(2, 3, 3, 8), TWIN)
    with pytest.raises(ValueError, match="drop_path must be"):
        supernet(random_images(2, 3, 8, 8), TWIN, drop_path=1.5)
