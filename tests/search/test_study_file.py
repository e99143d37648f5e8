"""Study files: valid ones are read, and each mistake is one line that names it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.choice import Choice, Finalist
from relativenas_optuna.search.finals.scores import RungScore
from relativenas_optuna.search.study_file import StudyFile
from relativenas_optuna.spaces.published_cells import published

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))


def read(folder: Path, text: str) -> StudyFile:
    path = folder / "study.toml"
    path.write_text(text)
    return StudyFile.read(path)


def choice_with(accuracy: float, random_accuracy: float) -> Choice:
    finalist = Finalist(
        trial=1,
        genotype=published("RelativeNAS"),
        search_loss=1.0,
        loss=0.5,
        accuracy=accuracy,
    )
    return Choice(finalists=(finalist,), random_accuracies=(random_accuracy,), generations=1)


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    described = read(
        tmp_path,
        """
        study = "mine"
        [search]
        data = "images"
        size = 32
        preset = "small"
        seed = 7
        out = "results"
        finals = 4
        target = "full"
        [settings]
        channels = 4
        learning_rate = 0.05
        [reach]
        accuracy = 0.9
        """,
    )
    request = described.request
    assert described.study == "mine"
    assert (request.data, request.size, request.preset) == ("images", 32, "small")
    assert (request.seed, request.out) == (7, "results")
    assert (request.finals, request.target) == (4, "full")
    assert request.settings == {"channels": 4, "learning_rate": 0.05}
    assert described.reach == {"accuracy": 0.9}


@pytest.mark.parametrize("time", ['"1.5m"', "90", "90.0"])
def test_a_time_is_seconds_or_a_duration(tmp_path: Path, time: str) -> None:
    described = read(tmp_path, f'study = "mine"\n[search]\ntime = {time}')
    assert described.request.time == 90


def test_a_name_is_enough(tmp_path: Path) -> None:
    described = read(tmp_path, 'study = "mine"')
    assert (described.study, described.request.data, described.reach) == ("mine", None, {})


@pytest.mark.parametrize("path", STUDIES, ids=[path.stem for path in STUDIES])
def test_the_studies_of_the_project_are_read(path: Path) -> None:
    assert StudyFile.read(path).study


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("study = ", "is not a TOML file"),
        ("a = " + "[" * 2000, "is not a TOML file"),
        ("", "study must be the study's name; got None"),
        ("study = 3", "study must be the study's name; got 3"),
        ('study = ""', "study must be the study's name; got ''"),
        ('study = "x"\nsearch = 1', "search must be a table"),
        ('study = "x"\nstudies = 1', "entry must be one of study, search, settings, limits, reach"),
        ('study = "x"\n[search]\ndate = "x"', "entry of [search] must be one of data, size"),
        (
            'study = "x"\n[search]\nsize = "8"',
            "size must be a whole number from 1 to 16384; got '8'",
        ),
        (
            'study = "x"\n[search]\nseed = true',
            "seed must be a whole number from 0 to 4294967295; got True",
        ),
        ('study = "x"\n[search]\ndata = 1', "data must be text; got 1"),
        ('study = "x"\n[search]\npreset = "huge"', "preset must be one of paper"),
        ('study = "x"\n[search]\ntime = "soon"', "time must be a duration such as 90s"),
        ('study = "x"\n[search]\ntime = 0', "time must be a finite number of at least 1; got 0"),
        ('study = "x"\n[settings]\nchanels = 1', "entry of [settings] must be one of nodes"),
        ('study = "x"\n[settings]\npopulation = 1', "population must be a whole number from 2"),
        ('study = "x"\n[settings]\nchannels = 1.5', "channels must be a whole number"),
        ('study = "x"\n[reach]\naccuracy = 95', "accuracy must be a number from 0 to 1; got 95"),
        ('study = "x"\n[reach]\naccuracy = nan', "accuracy must be a number from 0 to 1; got nan"),
        ('study = "x"\n[reach]\naccuracy = true', "accuracy must be a number from 0 to 1"),
        ('study = "x"\n[reach]\nspeed = 1', "entry of [reach] must be one of accuracy"),
    ],
)
def test_a_mistake_is_named_with_the_file(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SearchError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert words in message
    assert "study.toml" in message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SearchError, match="is not a TOML file"):
        StudyFile.read(path)


def test_a_figure_is_reached_when_it_is_as_large_as_it_must_be(tmp_path: Path) -> None:
    described = read(tmp_path, 'study = "x"\n[reach]\naccuracy = 0.5\naccuracy_over_random = 0.25')
    figures = described.check(choice_with(0.5, 0.3))
    assert [figure.name for figure in figures] == ["accuracy", "accuracy_over_random"]
    assert [figure.reached for figure in figures] == [True, False]
    assert figures[1].value == pytest.approx(0.2)


def test_the_standalone_accuracy_is_that_of_the_last_rung_of_the_finals(tmp_path: Path) -> None:
    described = read(tmp_path, 'study = "x"\n[reach]\nstandalone_accuracy = 0.5')
    choice = choice_with(0.9, 0.3)
    (figure,) = described.check(choice)
    assert (figure.value, figure.reached) == (0.0, False)  # without finals
    rungs = (RungScore(loss=2.0, accuracy=0.2), RungScore(loss=1.0, accuracy=0.5))
    winner = replace(choice.winner, finals=rungs)
    (figure,) = described.check(replace(choice, finalists=(winner,)))
    assert (figure.value, figure.reached) == (0.5, True)
