"""Write a trained network in each export format, and read it again."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from relativenas_optuna.evaluation.exporting.serving import ServingNetwork
from relativenas_optuna.evaluation.tasks.network import described_network, stored_network
from relativenas_optuna.evaluation.tasks.registry import CLASSIFICATION
from relativenas_optuna.networks.io.network_file import network_bytes, stored_in_bytes

if TYPE_CHECKING:
    from torch.export import ExportedProgram

#: Function from images `[b, c, h, w]` in [0, 1] to the outputs of a `ServingNetwork`.
Run: TypeAlias = Callable[[Tensor], Tensor | Sequence[Tensor]]
#: Function that returns the network as a traced program, which all formats share.
TracedProgram: TypeAlias = Callable[[], "ExportedProgram"]

_KEY = "relativenas"
"""Name of the network's description in the metadata of a program."""


@dataclass(frozen=True)
class ExportFormat:
    """A format for export.

    Attributes:
        suffix: Suffix of its files, without the dot.
        content: Function from the network and its traced program to the content of a file.
        loaded: Function from the content of a file to the function that it computes.
        needs: Modules that must be installed.
        exact: True if a loaded file computes the same logits to the last bit.
        beside: Suffix of a second file that is written; None if there is none.
    """

    suffix: str
    content: Callable[[ServingNetwork, TracedProgram], bytes]
    loaded: Callable[[bytes], Run]
    needs: tuple[str, ...] = ()
    exact: bool = False
    beside: str | None = None


def trace(serving: ServingNetwork) -> ExportedProgram:
    """Trace the network into a graph of torch operators, for batches of any size."""
    channels, (height, width) = serving.description.in_channels, serving.description.size
    # torch.export would treat a batch of 1 image as a fixed size.
    images = torch.zeros(2, channels, height, width)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        program = torch.export.export(serving, (images,), dynamic_shapes={"images": {0: batch}})
    for node in program.graph.nodes:
        # The trace has paths of this machine, which a file should not hold.
        node.meta.pop("stack_trace", None)
    return program


def _safetensors(serving: ServingNetwork, _: TracedProgram) -> bytes:
    of = serving.description
    blank = None if of.task == CLASSIFICATION else described_network(of)
    return network_bytes(serving.trained, of, blank=blank)


def _from_safetensors(content: bytes) -> Run:
    return ServingNetwork(*stored_network(stored_in_bytes(content)))


def _torch(serving: ServingNetwork, program: TracedProgram) -> bytes:
    content = io.BytesIO()
    extra = {f"{_KEY}.json": serving.description.to_json()}
    torch.export.save(program(), content, extra_files=extra)
    return content.getvalue()


def _from_torch(content: bytes) -> Run:
    run: Run = torch.export.load(io.BytesIO(content)).module()
    return run


def _onnx(serving: ServingNetwork, program: TracedProgram) -> bytes:
    exported = torch.onnx.export(
        program(),
        input_names=["images"],
        output_names=list(serving.outputs),
        verbose=False,  # no progress messages
        dynamo=True,
    )
    assert exported is not None
    model = exported.model_proto
    for node in model.graph.node:
        # The names of the modules of all nodes would double the size of the file.
        node.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    entry = model.metadata_props.add()
    entry.key, entry.value = _KEY, serving.description.to_json()
    return bytes(model.SerializeToString())


def _from_onnx(content: bytes) -> Run:
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda images: list(map(torch.from_numpy, session.run(None, {"images": images.numpy()})))


FORMATS: Mapping[str, ExportFormat] = MappingProxyType(
    {
        "safetensors": ExportFormat(
            "safetensors", _safetensors, _from_safetensors, exact=True, beside="json"
        ),
        "onnx": ExportFormat("onnx", _onnx, _from_onnx, ("onnx", "onnxscript", "onnxruntime")),
        "torch": ExportFormat("pt2", _torch, _from_torch),
    }
)
"""Export formats by name."""
