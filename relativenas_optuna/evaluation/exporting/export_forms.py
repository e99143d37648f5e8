"""The formats that a trained network is exported in: how it is written, and read again."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from relativenas_optuna.evaluation.exporting.serving import ServingNetwork
from relativenas_optuna.networks.io.network_file import network_bytes, network_in_bytes

if TYPE_CHECKING:
    from torch.export import ExportedProgram

#: Images `[b, c, h, w]` in [0, 1] -> logits `[b, classes]`.
Run: TypeAlias = Callable[[Tensor], Tensor]
#: Gives the network as a traced program, made once for all formats that need it.
Traced: TypeAlias = Callable[[], "ExportedProgram"]

_KEY = "relativenas"
"""Under which programs carry the description of the network."""


@dataclass(frozen=True)
class Form:
    """A format.

    Attributes:
        suffix: Of its files.
        content: (network, the same traced) -> content of a file.
        loaded: Content -> what that computes.
        needs: Modules that must be installed.
        exact: Whether what is loaded computes the same, to the last bit.
        beside: Suffix of a file that is written too.
    """

    suffix: str
    content: Callable[[ServingNetwork, Traced], bytes]
    loaded: Callable[[bytes], Run]
    needs: tuple[str, ...] = ()
    exact: bool = False
    beside: str | None = None


def traced(serving: ServingNetwork) -> ExportedProgram:
    """The network as a graph of torch's operators, for batches of any size."""
    channels, (height, width) = serving.description.in_channels, serving.description.size
    # Of 2 images, for torch takes a size of 1 for one that stays.
    images = torch.zeros(2, channels, height, width)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        program = torch.export.export(serving, (images,), dynamic_shapes={"images": {0: batch}})
    for node in program.graph.nodes:
        # Where in our source it comes from, with paths of this machine.
        node.meta.pop("stack_trace", None)
    return program


def _safetensors(serving: ServingNetwork, _: Traced) -> bytes:
    return network_bytes(serving.network, serving.description)


def _from_safetensors(content: bytes) -> Run:
    return ServingNetwork(*network_in_bytes(content))


def _torch(serving: ServingNetwork, program: Traced) -> bytes:
    content = io.BytesIO()
    extra = {f"{_KEY}.json": serving.description.to_json()}
    torch.export.save(program(), content, extra_files=extra)
    return content.getvalue()


def _from_torch(content: bytes) -> Run:
    run: Run = torch.export.load(io.BytesIO(content)).module()
    return run


def _onnx(serving: ServingNetwork, program: Traced) -> bytes:
    exported = torch.onnx.export(
        program(),
        input_names=["images"],
        output_names=["logits"],
        verbose=False,  # what it is doing, with ticks
        dynamo=True,
    )
    assert exported is not None
    model = exported.model_proto
    for node in model.graph.node:
        # Which module a node comes from: as long as the program itself.
        node.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    entry = model.metadata_props.add()
    entry.key, entry.value = _KEY, serving.description.to_json()
    return bytes(model.SerializeToString())


def _from_onnx(content: bytes) -> Run:
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "safetensors": Form(
            "safetensors", _safetensors, _from_safetensors, exact=True, beside="json"
        ),
        "onnx": Form("onnx", _onnx, _from_onnx, ("onnx", "onnxscript", "onnxruntime")),
        "torch": Form("pt2", _torch, _from_torch),
    }
)
"""By their names."""
