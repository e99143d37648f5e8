import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SERVERS = ("RELATIVENAS_TEST_POSTGRESQL", "RELATIVENAS_TEST_MYSQL")


def printed(benchmark: str, *arguments: str, environment: dict[str, str]) -> str:
    """Return the output of a benchmark in a wide terminal."""
    command = [sys.executable, "-W", "error", str(BENCHMARKS / benchmark), *arguments]
    ended = subprocess.run(
        command, env=environment | {"COLUMNS": "200"}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def row(text: str, begin: str) -> list[str]:
    """Return the cells of the only row whose first cell starts with a text."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    (found,) = [cells for cells in rows if cells and cells[0].startswith(begin)]
    return found


@pytest.mark.slow
def test_without_servers_every_other_table_is_printed_and_says_what_is_missing() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in SERVERS}
    output = printed("sampler.py", "--quick", environment=environment)
    share, _, rest = output.partition("ask and tell in all")
    for sampler in ("RandomSampler", "TPESampler", "NSGAIISampler", "CmaEsSampler"):
        own = row(share, sampler)[1:]
        assert len(own) == 2
        assert all(cell.endswith("x)") and float(cell.split()[0]) > 0 for cell in own)
    for preset in ("plain", "paper"):
        assert all(float(cell.split()[0]) > 0 for cell in row(share, f"ours, {preset}")[1:])
    restarts = [line.split("│")[1:-1] for line in rest.splitlines() if "in memory │" in line]
    assert [cells[-1].strip() for cells in restarts] == ["-", "0", "0"]
    assert float(row(rest, "SQLite, open_storage")[-1]) > 0
    assert row(rest, "PostgreSQL, open_storage")[-1] == "RELATIVENAS_TEST_POSTGRESQL is not set"
    assert "left out: RELATIVENAS_TEST_POSTGRESQL is not set" in rest


@pytest.mark.slow
def test_a_training_is_measured_beside_the_bare_passes() -> None:
    sizes = ("--device", "cpu", "--cases", "short", "--images", "64", "--repetitions", "2")
    output = printed("training.py", *sizes, environment=os.environ | {"OMP_NUM_THREADS": "1"})
    ours, bare, ratio = row(output, "short")[1:]
    least = [float(cell.split()[0]) for cell in (ours, bare)]
    assert min(least) > 0
    assert float(ratio) == pytest.approx(least[0] / least[1], abs=0.02)


@pytest.mark.slow
def test_what_users_run_is_measured_in_one_table() -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    output = printed("gpu.py", "--device", "cpu", "--tiny", environment=environment)
    lines = [line.split("|")[1:-1] for line in output.splitlines() if line.startswith("| ")]
    head, *rows = [[cell.strip() for cell in line] for line in lines]
    assert head == ["what", "seconds", "figures"]
    assert [row[0] for row in rows] == [
        *(f"candidate, {way}" for way in ("published", "ours", "bare", "ours, bfloat16")),
        *("search", "search, killed and continued", "search, 2 workers"),
        *("train, float32", "train, bfloat16", "export, ONNX"),
    ]
    assert all(float(row[1]) > 0 for row in rows)
    figures = {row[0]: row[2] for row in rows}
    assert figures["search"].startswith("12 candidates, ")
    assert "of 12 candidates scored before the kill" in figures["search, killed and continued"]


@pytest.mark.slow
def test_what_the_dashboard_costs_is_measured() -> None:
    cells = row(printed("dashboard.py", "--quick", environment=dict(os.environ)), "1")
    without, with_it = (float(cell) for cell in cells[1:3])
    assert min(without, with_it) > 0
    assert 5 < int(cells[5]) < 200
    assert int(cells[6]) > 20


@pytest.mark.skipif(SERVERS[0] not in os.environ, reason=f"{SERVERS[0]} is not set")
@pytest.mark.slow
def test_workers_score_seats_of_one_study_on_a_server() -> None:
    output = printed("sampler.py", "--quick", "--only", "workers", environment=dict(os.environ))
    stock, _, own = output.partition("open_storage")
    for table in (stock, own):
        for preset in ("plain", "paper"):
            rate, _, _, seats, twice = row(table, f"ours, {preset}")[1:]
            assert float(rate) > 0
            # Two workers warm up with three trials each; two trials may meet at a seat.
            assert int(seats) >= 5
            assert twice.endswith("%")
