"""Programs that torch traces, exports or compiles: any batch size, saved and loaded."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from relativenas_optuna.networks import CellNetwork, CifarNetwork
from relativenas_optuna.networks.layers.depthwise import DepthwiseConv2d
from relativenas_optuna.networks.layers.norm import BatchNorm2d
from relativenas_optuna.spaces import Genotype
from tests.helpers.networks import random_images

GENOTYPE = Genotype.from_text(
    "normal: node2 sep_conv_3x3(0) skip_connect(1)\nreduce: node2 dil_conv_5x5(0) skip_connect(1)"
)
COUNTS = (32, 1, 5)
"""The first is traced; its batch norms would be folded, by as much as its size allows."""


def batch(count: int) -> Tensor:
    return random_images(count, 3, 32, 32).contiguous(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def network() -> CellNetwork:
    """With running statistics that are not those of the beginning."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = CifarNetwork(GENOTYPE, channels=2, cells=3, num_classes=4)
    built.to(memory_format=torch.channels_last)
    with torch.no_grad():
        built.train()(3 + 2 * batch(32))
    return built.eval()


def test_what_is_traced_would_be_folded_otherwise() -> None:
    x = batch(COUNTS[0])[:, :2].contiguous(memory_format=torch.channels_last)
    assert BatchNorm2d(2)._fold(x) > 1


def test_a_traced_script_gives_the_logits_also_of_other_numbers_of_images(
    network: CellNetwork,
) -> None:
    with warnings.catch_warnings():
        # It is deprecated, and says that the size of an image stays what it was.
        warnings.simplefilter("ignore")
        jit: Any = torch.jit
        content = io.BytesIO()
        jit.save(jit.trace(network, (batch(COUNTS[0]),), check_trace=False), content)
        content.seek(0)
        script = jit.load(content)
    for count in COUNTS:
        with torch.no_grad():
            torch.testing.assert_close(script(batch(count)), network(batch(count)))


def test_an_exported_program_gives_the_logits_also_of_other_numbers_of_images(
    network: CellNetwork,
) -> None:
    dynamic = ({0: torch.export.Dim("batch", min=1)},)
    program = torch.export.export(network, (batch(COUNTS[0]),), dynamic_shapes=dynamic)
    module = program.module()
    for count in COUNTS:
        torch.testing.assert_close(module(batch(count)), network(batch(count)))
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert all(target.startswith("aten.") for target in targets), targets


@pytest.mark.slow
def test_a_compiled_network_is_one_graph_and_has_the_same_gradients() -> None:
    # The modules with gradients of their own.
    layers = nn.Sequential(DepthwiseConv2d(2, 5, 2, 2), BatchNorm2d(2)).double()
    compiled = torch.compile(layers, backend="aot_eager", fullgraph=True)
    x = random_images(32, 2, 64, 64).double().contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    ours, theirs = (
        torch.autograd.grad(run(x).square().sum(), [x, *layers.parameters()])
        for run in (layers, compiled)
    )
    torch.testing.assert_close(theirs, ours, rtol=1e-9, atol=1e-9)
