"""The number of cores that a process may use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from relativenas_optuna._utils import control_groups
from relativenas_optuna._utils.cores import available_cores, usable_cpus

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the control groups, empty, for a process in the group /pod/one."""
    (tmp_path / "self").write_text("0::/pod/one\n4:memory:/other\n3:cpu,cpuacct:/first\n")
    monkeypatch.setattr(control_groups, "_OWN", tmp_path / "self")
    monkeypatch.setattr(control_groups, "_GROUPS", tmp_path)
    for folder in ("pod/one", "cpu/first"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="has no affinity")
def test_only_the_cpus_that_the_process_may_run_on_count(groups: Path) -> None:
    before = os.sched_getaffinity(0)
    assert available_cores() == len(before)
    try:
        os.sched_setaffinity(0, {max(before)})
        assert usable_cpus() == [max(before)]
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("quota", "cores"), [("250000 100000", 2), ("50000 100000", 1), ("max 100000", 8)]
)
def test_a_quota_of_any_group_around_the_process_counts(
    quota: str, cores: int, groups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    (groups / "pod/one/cpu.max").write_text("max 100000\n")
    (groups / "pod/cpu.max").write_text(f"{quota}\n")
    assert available_cores() == cores


@pytest.mark.parametrize(("quota", "cores"), [(300000, 3), (-1, 8)])
def test_a_quota_in_groups_of_version_1_counts(
    quota: int, cores: int, groups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    (groups / "cpu/first/cpu.cfs_quota_us").write_text(f"{quota}\n")
    (groups / "cpu/first/cpu.cfs_period_us").write_text("100000\n")
    assert available_cores() == cores
