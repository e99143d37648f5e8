"""Mistakes in `relativenas ask` and `relativenas tell` are one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from optuna.trial import TrialState

from tests.helpers.ask_tell_shell import NEW, Shell, created, parsed
from tests.helpers.command import call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return created(tmp_path, "my")


@pytest.fixture
def two(tmp_path: Path) -> Shell:
    return created(tmp_path, "two")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A study with the running trial 0 and another one that waits."""
    shell = created(tmp_path_factory.mktemp("begun"), "my")
    shell.fresh("ask", *NEW)
    shell.look(lambda study: study.enqueue_trial({"x": 0.5}))
    before = shell.look(lambda study: study.trials)
    yield shell
    assert shell.look(lambda study: study.trials) == before  # no mistake leaves a trace


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["tell", "0"], 1, "needs a --value for each objective, 1 in all; got 0"),
        (["tell", "0", "--value", "1", "--value", "2"], 1, "1 in all; got 2"),
        (["tell", "0", "--value", "nan", "--state", "complete"], 1, "no value nan"),
        (["tell", "0", "--value", "1", "--state", "fail"], 1, "leave --value out"),
        (["tell", "9", "--value", "1"], 1, "study 'my' has no trial 9: it has trials 0 to 1"),
        (["tell", "0", "--value", "1", "--constraint", "a=nan"], 1, "NaN is not allowed"),
        (["tell", "0", "--value", "one"], 2, "--value"),
        (["tell", "-1"], 2, "-1"),
        (["tell", "99999999999999999999", "--value", "1"], 2, "NUMBER"),
        (["tell", "0", "--constraint", "3"], 2, "'3' is not of the form NAME=VALUE"),
        (["tell", "0", "--constraint", "a=1", "--constraint", "a=2"], 2, "'a' is there twice"),
        (["tell", "0", "--report", "a=1"], 2, "a step must be a whole number from 0; got 'a'"),
        (["tell", "0", "--state", "done"], 2, "--state"),
        (["ask", "--population", "8"], 1, "population_size=8 does not fit study 'my'"),
        (["ask", "--population", "3"], 1, "an even number"),
        (["ask", "--seed", "8"], 1, "seed=8 does not fit study 'my'"),
        (["ask", "--seed", "-8"], 2, "--seed"),
        (["ask", "--preset", "paper"], 1, "preset='paper' does not fit study 'my'"),
        (
            ["ask", "--search-space", '{"x": {"type": "int", "low": 0, "high": 1}}'],
            1,
            "does not fit",
        ),
        (["ask", "--search-space", "nowhere.json"], 1, "'nowhere.json': No such file"),
        (["ask", "--search-space", "{"], 1, "must be JSON such as"),
        (["ask", "--study", "other"], 1, "study 'other' is not in the storage: there are 'my'"),
        (["ask", "--storage", "sqlite:///nowhere.db"], 1, "is not there"),
    ],
)
def test_a_mistake_is_one_line(
    begun: Shell, capfd: Capture, words: list[str], status: int, said: str
) -> None:
    command, *rest = words
    outcome = call(capfd, command, "--storage", begun.storage, "--study", "my", *rest)
    assert (outcome.status, outcome.out) == (status, "")
    assert outcome.line.startswith("Error: ")
    assert said in outcome.line


def test_a_new_study_needs_a_space_and_no_reports_for_two(two: Shell, capfd: Capture) -> None:
    line = two.run(capfd, "ask", "--seed", "1").line
    assert (
        line
        == "Error: the parameters of study 'two' are not known yet: give them by --search-space"
    )
    assert "has no trial 0: it has none yet" in two.run(capfd, "tell", "0", "--state", "fail").line
    two.json(capfd, "ask", *NEW)
    line = two.run(capfd, "tell", "0", "--value", "1", "--value", "2", "--report", "1=1").line
    assert "intermediate values are for a single objective" in line
    assert two.look(lambda study: study.trials[0].state) == TrialState.RUNNING


def test_a_range_that_optuna_shortens_is_said_beside_the_json(shell: Shell, capfd: Capture) -> None:
    space = '{"n": {"type": "int", "low": 0, "high": 10, "step": 4}}'
    outcome = shell.run(capfd, "ask", "--search-space", space)
    assert (outcome.status, outcome.err.count("\n")) == (0, 1)
    assert outcome.err.startswith("Warning: ")
    assert parsed(outcome.out)["params"]["n"] in (0, 4, 8)
