"""`relativenas latency`: a table for people and as JSON, and one line for each mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from relativenas_optuna.cli.output import latency as output
from relativenas_optuna.networks.latency import LatencyTable
from tests.helpers.command import call

Capture = pytest.CaptureFixture[str]
SMALL = (
    "latency", "--channels", "2", "--cells", "3", "--size", "8", "--seconds", "0.001",
    "--device", "cpu", "--threads", "1", "--space", "nasbench201",
)  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_table_is_printed_and_written(here: Path, capfd: Capture) -> None:
    outcome = call(capfd, *SMALL, "--classes", "4", "--batch-size", "2")
    assert outcome.status == 0
    (path,) = here.iterdir()
    table = LatencyTable.read(path)
    assert path.name == "latency.json"
    found = (table.space, table.channels, table.cells, table.num_classes, table.input_size)
    assert found == ("nasbench201", 2, 3, 4, (3, 8, 8))
    assert (table.batch_size, table.threads, table.device_type) == (2, 1, "cpu")
    number = r"\d+\.\d{4} ms \(interquartile range \d+\.\d{4} ms\)"
    for line in (
        rf"{re.escape(table.device)}, 1 thread, PyTorch {re.escape(table.torch)}, float32",
        "space nasbench201: 2 channels, 3 cells, 4 classes; batches of 2 images, 3x8x8",
        rf"slowest   \w+ +[\dx]+ -> [\dx]+ +{number}",
        rf"fastest   \w+ +[\dx]+ -> [\dx]+ +{number}",
        r"networks  10 random ones took \S+ to \S+ ms; the sums of the space are \S+ to \S+ ms",
        rf"error     the sum is off by {100 * table.mean_error:.1f} % on average, .*tau -?\d.\d\d",
        "written: latency.json",
    ):
        assert re.search(f"^{line}$", outcome.out + outcome.err, re.MULTILINE), line
    times = [float(time) for time in re.findall(r"(\d+\.\d{4}) ms \(", outcome.out)]
    assert len(times) == 10
    assert times == sorted(times, reverse=True)


def test_the_json_is_the_content_of_the_file(here: Path, capfd: Capture) -> None:
    outcome = call(capfd, *SMALL, "--out", "mine.json", "--json", "--precision", "bfloat16")
    assert (outcome.status, outcome.err, outcome.out.count("\n")) == (0, "", 1)
    assert json.loads(outcome.out) == json.loads((here / "mine.json").read_text())
    assert LatencyTable.read("mine.json").precision == "bfloat16"


def test_a_large_error_comes_with_advice(here: Path, capfd: Capture) -> None:
    call(capfd, *SMALL, "--json")
    data = json.loads((here / "latency.json").read_text())
    advice = "Measure again while no other program runs"
    for error, said in ((0.3, True), (0.02, False)):
        table = LatencyTable.from_data(data | {"mean_error": error})
        assert any(advice in line for line in output.lines(table)) is said


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--out", "nowhere/x.json"), "--out must be in a folder that exists; got 'nowhere/x"),
        (("--device", "tpu"), "device must be one of cpu.* on this machine; got 'tpu'"),
        (("--space", "unknown"), "space must be one of cells, nasbench201"),
        (("--cells", "0"), "--cells.*0 is not in the range"),
        (("--seconds", "0"), "--seconds.*0.* is not in the range"),
        (("--precision", "int8"), "--precision.*'int8' is not one of"),
        (("--size", "2"), "images must be .* height and width of at least 4"),
    ],
)
def test_a_mistake_is_refused_in_one_line_and_nothing_is_written(
    options: tuple[str, str], line: str, here: Path, capfd: Capture
) -> None:
    outcome = call(capfd, *SMALL, *options)
    assert outcome.status in (1, 2)
    assert re.search(line, outcome.line)
    assert not list(here.iterdir())
