"""Test the plan of trainings with equal time."""

from __future__ import annotations

from pathlib import Path

import pytest

from relativenas_optuna.evaluation.comparison.contestants import Contestant
from relativenas_optuna.evaluation.comparison.equal_time import FILE, EqualTime, planned_time
from relativenas_optuna.evaluation.comparison.figures import FOUND, PUBLISHED, TORCHVISION
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.spaces import published
from relativenas_optuna.spaces.space_genotype import AnyGenotype, SpaceGenotype

BEST, OTHER, RIVAL = published("DARTS_V1"), published("DARTS_V2"), SpaceGenotype("s", "rival")
EVERYONE = [
    Contestant(kind=FOUND, name="found", genotype=BEST),
    Contestant(kind=PUBLISHED, name="P", genotype=OTHER),
    Contestant(kind=TORCHVISION, name="rival", genotype=RIVAL, optional=True),
]


def planned(folder: Path, **changes: object) -> EqualTime:
    options = {"found": BEST, "search_seconds": 40.0, "seconds": None, "study_name": "s"}
    return planned_time(
        folder,
        training_seconds=lambda: 60.0,
        **(options | changes),  # type: ignore[arg-type]
    )


def test_the_default_time_is_that_of_the_search_and_a_training(tmp_path: Path) -> None:
    time = planned(tmp_path)
    assert (time.seconds, time.search_seconds) == (100, 40)
    assert [time.training_seconds(one.genotype.to_text()) for one in EVERYONE] == [60, 100, 100]
    assert planned(tmp_path, seconds=70.0).seconds == 70


def test_a_stored_plan_is_continued_and_measures_only_what_is_new(tmp_path: Path) -> None:
    measured: list[AnyGenotype] = []

    def epoch_seconds(genotype: AnyGenotype) -> float:
        measured.append(genotype)
        return 5.0

    first, _, _ = planned(tmp_path).with_contestants(EVERYONE[:1], epoch_seconds)
    first.write(tmp_path)
    again = planned(tmp_path)
    assert again == first
    _, part, left_out = again.with_contestants(EVERYONE, epoch_seconds)
    assert (part, left_out) == (EVERYONE, [])
    assert measured == [BEST, OTHER, RIVAL]


def test_optional_networks_are_left_out_and_others_refused(tmp_path: Path) -> None:
    time = planned(tmp_path)
    _, part, left_out = time.with_contestants(
        EVERYONE, lambda genotype: 101.0 if genotype == RIVAL else 60.0
    )
    assert (part, left_out) == (EVERYONE[:2], EVERYONE[2:])
    with pytest.raises(SearchError, match="at least 101s, since the search took 40s and an epoch"):
        time.with_contestants(EVERYONE, lambda _: 61.0)
    with pytest.raises(SearchError, match=r"at least 101s, since an epoch of P .* leave it out"):
        time.with_contestants(EVERYONE[1:], lambda _: 101.0)


def test_another_comparison_in_the_folder_is_refused(tmp_path: Path) -> None:
    planned(tmp_path).write(tmp_path)
    with pytest.raises(SearchError, match="time must be 100s to continue"):
        planned(tmp_path, seconds=99.0)
    with pytest.raises(SearchError, match="went on after the comparison"):
        planned(tmp_path, search_seconds=41.0)
    with pytest.raises(SearchError, match="went on after the comparison"):
        planned(tmp_path, found=OTHER)
    with pytest.raises(SearchError, match="does not say how long its search took"):
        planned(tmp_path, search_seconds=None)


@pytest.mark.parametrize("content", ["", "{}", '{"seconds": -1}', "[1]", '{"epochs": {"a": "b"}}'])
def test_a_damaged_plan_is_reported(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(SearchError, match="is damaged"):
        planned(tmp_path)
