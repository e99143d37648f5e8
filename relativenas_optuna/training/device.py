"""The device that a search or a training runs on."""

from __future__ import annotations

import torch


def resolve_device(name: torch.device | str | None, *, index: int = 0) -> torch.device:
    """The device of that name, or the best one there is.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps"; `None` takes CUDA before MPS before the CPU.
        index: Which of several GPUs to take where no name says so; beyond their number it begins
            again with the first.

    Raises:
        ValueError: There is no such device here; the message says which there are.
    """
    there = [torch.device("cpu")]
    if torch.backends.mps.is_available():
        there.insert(0, torch.device("mps"))
    if torch.cuda.is_available():
        there[:0] = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
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
