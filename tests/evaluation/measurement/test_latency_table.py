"""Measured latencies of operations, and the sum that estimates a whole network's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from relativenas_optuna.evaluation.measurement import latency_table
from relativenas_optuna.evaluation.measurement.latency import measured_times
from relativenas_optuna.evaluation.measurement.latency_table import (
    LatencyRequest,
    fit,
    measure_latencies,
)
from relativenas_optuna.networks import costs_of
from relativenas_optuna.spaces import registered_space
from relativenas_optuna.training.device import device_name
from tests.helpers.own_space import BARE, DEPTHS

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {
    "channels": 2,
    "cells": 3,
    "num_classes": 3,
    "input_size": (3, 8, 8),
    "device": "cpu",
    "threads": 1,
}


def request(space: str, **changes: Any) -> LatencyRequest:
    return LatencyRequest(space=registered_space(space), **SMALL | changes)


@pytest.mark.slow_except("nasbench201")
@pytest.mark.parametrize(("space", "batch_size"), [("cells", 1), ("nasbench201", 3)])
def test_the_sum_is_exact_if_a_network_takes_as_long_as_its_parts_and_a_rest(
    space: str, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let every multiply-add take a microsecond, twice as much in a whole network, and 7 ms more.

    The sum is then known from the counted multiply-adds of an architecture.
    """
    seen: set[tuple[int, ...]] = set()

    def counted(
        run: Callable[[], Tensor], device: torch.device, *, threads: int, seconds: float
    ) -> list[float]:
        assert (device, threads, seconds) == (CPU, 1, 0.25)
        with FlopCounterMode(display=False) as counter:
            out = run()
        seen.add(tuple(out.shape))
        took = counter.get_total_flops() / 2 / 1e6
        # Everything but a whole network and its last layer has images as output.
        whole = out.shape[1:] == (3,) and took > 100 / 1e6
        return [2 * took + 7 / 1000 if whole else took]

    monkeypatch.setattr(latency_table, "measured_times", counted)
    reported: list[tuple[int, int]] = []
    table = measure_latencies(
        request(space, batch_size=batch_size, seconds=0.75),
        lambda done, of: reported.append((done, of)),
    )
    assert (table.scale, table.rest) == pytest.approx((2, 7))
    assert table.mean_error < 1e-9
    assert table.rank_correlation == pytest.approx(1)
    sizes = {name: SMALL[name] for name in ("channels", "cells", "num_classes", "input_size")}
    counts = costs_of(space, **sizes)["multiply_adds"]
    found = registered_space(space).space(4)
    rng = np.random.default_rng(5)
    for _ in range(50):
        params = found.params(found.random(rng))
        expected = 7 + 2 * batch_size * counts.of(params) / 1000
        assert table.cost.of(params) == pytest.approx(expected)
    assert {shape[0] for shape in seen} == {batch_size}
    assert {one.input_shape[0] for one in table.operations} == {1}
    assert reported == [(done, reported[-1][1]) for done in range(1, reported[-1][1] + 1)]
    table.check(
        name=space,
        space=found,
        channels=2,
        cells=3,
        input_size=(3, 8, 8),
        device=device_name(CPU),
    )


@pytest.mark.slow
def test_operations_are_measured_at_every_shape_and_stride() -> None:
    table = measure_latencies(request("cells", seconds=0.001))
    places = {
        (one.input_shape[1:], one.output_shape[1:])
        for one in table.operations
        if one.name == "sep_conv_3x3"
    }
    # One normal cell, and two reduction cells with inputs of twice the height and width.
    assert places == {
        ((2, 8, 8), (2, 8, 8)),
        ((4, 8, 8), (4, 4, 4)),
        ((4, 4, 4), (4, 4, 4)),
        ((8, 4, 4), (8, 2, 2)),
        ((8, 2, 2), (8, 2, 2)),
    }
    assert {"stem", "classifier", "preprocess0", "skip_connect"} <= {
        one.name for one in table.operations
    }
    assert all(one.milliseconds > 0 for one in table.operations)
    assert len(table.networks) == 10
    assert 0 < table.mean_error < 10
    estimated = [one.estimated for one in table.networks]
    space = registered_space("cells").space(4)
    for one in table.networks:
        params = space.params(space.parse(one.architecture))
        assert table.cost.of(params) == pytest.approx(one.estimated)
    assert len(set(estimated)) == 10
    least, most = table.cost.bounds
    assert 0 < least <= min(estimated) < max(estimated) <= most


@pytest.mark.parametrize("space", [DEPTHS, BARE], ids=("with networks", "without"))
def test_a_space_of_ones_own_is_measured(space: Any) -> None:
    table = measure_latencies(
        LatencyRequest(space=space, **SMALL | {"seconds": 0.001, "precision": "bfloat16"})
    )
    assert [one.architecture in ("1", "2", "3") for one in table.networks] == [True]
    assert table.cost.of({"depth": 1}) < table.cost.of({"depth": 3})
    assert (table.space, table.rank_correlation) == (space.name, None)


def test_scale_and_rest_are_a_line_through_the_networks() -> None:
    sums = np.array([1.0, 2.0, 4.0, 8.0])
    assert fit(sums, 3 * sums + 5) == pytest.approx((3, 5))
    noise = np.array([0.1, -0.3, 0.2, 0.0])
    expected = np.polyfit(sums, 3 * sums + 5 + noise, 1)
    assert fit(sums, 3 * sums + 5 + noise) == pytest.approx(tuple(expected))


@pytest.mark.parametrize(
    ("sums", "measured"),
    [([2.0], [3.0]), ([2.0, 2.0], [2.5, 3.5]), ([1.0, 2.0], [1.0, 3.5]), ([1.0, 2.0], [3.0, 1.5])],
)
def test_without_a_line_above_0_networks_are_in_proportion_to_their_parts(
    sums: list[float], measured: list[float]
) -> None:
    assert fit(np.array(sums), np.array(measured)) == pytest.approx((1.5, 0))


def test_times_are_taken_with_the_given_threads_and_without_gradients() -> None:
    before, seen = torch.get_num_threads(), set()

    def run() -> None:
        seen.add((torch.get_num_threads(), torch.is_inference_mode_enabled()))

    times = measured_times(run, CPU, threads=before + 1, seconds=0.001)
    assert seen == {(before + 1, True)}
    assert torch.get_num_threads() == before
    assert all(time > 0 for time in times)


def test_a_device_finishes_its_work_before_the_clock_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: work.append(f"wait {device}"))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: work.append("wait mps"))
    for device in ("cuda:1", "mps"):
        work.clear()
        measured_times(lambda: work.append("run"), torch.device(device), threads=1, seconds=1e-6)
        # The last block of runs is between two waits.
        last = len(work) - 1 - work[::-1].index("run")
        assert work[last + 1] == f"wait {device}"
        first = last - work[last::-1].index(f"wait {device}")
        assert set(work[first + 1 : last + 1]) == {"run"}


def test_devices_of_a_machine_have_different_names() -> None:
    names = [device_name(CPU), device_name(torch.device("mps"))]
    assert all(name.isprintable() and name for name in names)
    assert names[0] != names[1]
