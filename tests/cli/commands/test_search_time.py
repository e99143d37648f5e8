"""The option --time of `relativenas search`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from relativenas_optuna.search.choice import RESULT_ATTRIBUTE
from relativenas_optuna.search.study_access import study_at
from relativenas_optuna.search.time_used import USED_ATTRIBUTE
from tests.helpers.command import call, write_images, write_study_file

Capture = pytest.CaptureFixture[str]


def write_timed(folder: Path, time: str, population: int = 2) -> str:
    """Write a study file of a small search with a time; its name."""
    settings = f"nodes = 1\nchannels = 2\ncells = 3\npopulation = {population}\n"
    search = f'data = "images"\npreset = "digits"\nfinals = 2\ntime = "{time}"\n'
    text = f'study = "relativenas"\n[search]\n{search}[settings]\n{settings}'
    (folder / "timed.toml").write_text(text)
    return "timed.toml"


@pytest.mark.slow
def test_a_time_is_planned_said_and_kept_by_the_study(folder: Path, capfd: Capture) -> None:
    write_images(folder / "images")
    line = call(capfd, "run", write_timed(folder, "9s", population=4000), "--threads", "1").line
    assert re.search(r"time must be at least \d+m for these images, because 2 generations", line)
    assert sorted(path.name for path in folder.iterdir()) == ["images", "timed.toml"]
    out = call(capfd, "run", write_timed(folder, "12s"), "--threads", "1").out
    assert "population 2, time 12s, seed 0" in out
    planned = (
        r"plan for 12 seconds: \d+ epochs of shared weights \(\d+ seconds?\), \d+ generations of 2 "
        r"\(\d+ seconds?\), finals of 2 with \d+ passes \(\d+ seconds?\)"
    )
    assert re.search(planned, out)
    assert "left for all generations" not in out
    assert "search --time 24s" in out
    assert "is finished" in call(capfd, "search", "--time", "12s").out
    status = json.loads(call(capfd, "status", "--json").out)
    assert status["time"] == 12
    assert status["seconds_used"] > 3
    with study_at("sqlite:///relativenas.db", "relativenas") as study:
        study.set_user_attr(RESULT_ATTRIBUTE, None)
        study.set_user_attr(USED_ATTRIBUTE, 5.0)
    assert re.search(r"time left +about 7 seconds of 12 seconds", call(capfd, "status").out)
    line = call(capfd, "search", "--time", "6s").line
    assert "time must be at least 12s, the present time of study 'relativenas'; got 6s" in line


def test_a_wrong_duration_is_one_line(folder: Path, capfd: Capture) -> None:
    line = call(capfd, "search", "--data", "images", "--time", "soon").line
    assert "time must be a duration such as 90s, 10m or 1.5h" in line
    assert "got 'soon'" in line


def test_without_a_time_the_rest_is_estimated(folder: Path, capfd: Capture) -> None:
    out = call(capfd, "run", write_study_file(folder, "mine")).out
    assert re.search(r"about \d+ seconds? left for all generations and the choice", out)
