"""The text of a latency table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from relativenas_optuna.networks.latency import LatencyTable, OperationLatency

_SHOWN = 5  # operations of each end
_LARGE = 0.1  # mean relative error


def lines(table: LatencyTable) -> Iterator[str]:
    """Yield the lines that describe a latency table."""
    threads = f"{table.threads} thread{'s' if table.threads > 1 else ''}"
    images = f"{table.batch_size} image{'s' if table.batch_size > 1 else ''}"
    yield f"{table.device}, {threads}, PyTorch {table.torch}, {table.precision}"
    yield (
        f"space {table.space}: {table.channels} channels, {table.cells} cells, "
        f"{table.num_classes} classes; batches of {images}, {_by(table.input_size)}"
    )
    ranked = sorted(table.operations, key=lambda one: one.milliseconds, reverse=True)
    yield ""
    yield from _rows("slowest", ranked[:_SHOWN])
    yield ""
    yield from _rows("fastest", ranked[-_SHOWN:])
    yield ""
    least, most = table.cost.bounds
    measured = [one.measured for one in table.networks]
    yield (
        f"networks  {len(measured)} random ones took {min(measured):.3g} to {max(measured):.3g} "
        f"ms; the sums of the space are {least:.3g} to {most:.3g} ms"
    )
    tau = "" if table.rank_correlation is None else f", Kendall's tau {table.rank_correlation:.2f}"
    yield f"error     the sum is off by {100 * table.mean_error:.1f} % on average{tau}"
    if table.mean_error > _LARGE:
        yield "          Measure again while no other program runs, or with larger --seconds."


def _rows(title: str, operations: Sequence[OperationLatency]) -> Iterator[str]:
    shapes = [f"{_by(one.input_shape[1:])} -> {_by(one.output_shape[1:])}" for one in operations]
    names = max(len(one.name) for one in operations)
    for number, (one, shape) in enumerate(zip(operations, shapes, strict=True)):
        yield (
            f"{'' if number else title:<9} {one.name:<{names}}  {shape:<{max(map(len, shapes))}}  "
            f"{one.milliseconds:.4f} ms (interquartile range {one.spread:.4f} ms)"
        )


def _by(size: Sequence[int]) -> str:
    return "x".join(map(str, size))
