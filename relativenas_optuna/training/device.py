"""Choose the device that a search or a training runs on."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

import torch


def resolve_device(name: torch.device | str | None, *, index: int = 0) -> torch.device:
    """Return the device of a name, or the best device of this machine.

    Args:
        name: Name such as "cpu", "cuda", "cuda:1" or "mps"; None takes CUDA if there is a CUDA
            device, else MPS, else the CPU.
        index: Number of the GPU, from 0, if `name` is None; counts modulo the number of GPUs.

    Raises:
        ValueError: This machine has no such device; the message names those that it has.
    """
    there = _devices()
    if name is None:
        gpus = [device for device in there if device.type == "cuda"] or there[:1]
        return gpus[index % len(gpus)]
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is not None:
        for known in there:
            if device.type == known.type and device.index in (None, known.index):
                return known
    raise ValueError(
        f"device must be one of {', '.join(map(str, there))} on this machine; got {str(name)!r}"
    )


def device_names() -> list[str]:
    """Return the names of this machine's devices, each once, the CPU's last."""
    return list(dict.fromkeys(map(device_name, _devices())))


def device_name(device: torch.device) -> str:
    """Return the name of a device's hardware, such as "NVIDIA H100 80GB HBM3"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _cpu_name() if device.type == "cpu" else f"{device.type} of {_cpu_name()}"


def _devices() -> list[torch.device]:
    """Return the devices of this machine, the CPU last."""
    there = [torch.device("cpu")]
    if torch.backends.mps.is_available():
        there.insert(0, torch.device("mps"))
    if torch.cuda.is_available():
        there[:0] = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    return there


def _cpu_name() -> str:
    with suppress(OSError):  # Linux alone has this file
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()
