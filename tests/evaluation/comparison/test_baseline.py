"""Test the plan of the random search that a search is compared with."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import optuna
import pytest

from relativenas_optuna.cli.output.search import Console
from relativenas_optuna.cli.run_search import baseline_architecture
from relativenas_optuna.evaluation.comparison.baseline import baseline_name, baseline_plan
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.study_weights import IMAGES
from relativenas_optuna.samplers.seats.claims import seat_of
from relativenas_optuna.search.choice import Choice, Finalist, best_architectures
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.spaces import CellSpace, Genotype, published
from relativenas_optuna.training.data.load import DataError
from tests.helpers.tiny_search import SEATS, SEED, SETTINGS, SPACE, write_images

if TYPE_CHECKING:
    from pathlib import Path

    from optuna.storages import BaseStorage

FINALIST = Finalist(
    trial=0, genotype=published("RelativeNAS"), search_loss=1.0, loss=1.0, accuracy=0.5
)


def begun(
    storage: BaseStorage | None = None, *, data: str = "digits", out: str = "out", over: int = 3
) -> tuple[optuna.Study, SearchPlan]:
    """Create a study "s" whose search has ended after `over` of its 3 generations."""
    study = optuna.create_study(study_name="s", storage=storage)
    request = SearchRequest(data=data, out=out, seed=SEED, settings=asdict(SETTINGS), finals=0)
    plan = SearchPlan.of(study, request)
    plan.store(study)
    Choice(finalists=(FINALIST,), random_accuracies=(0.5,), generations=over).store(study)
    return study, plan


def baseline(plan: SearchPlan | None = None) -> optuna.Study:
    study = optuna.create_study(study_name=baseline_name("s"))
    if plan is not None:
        plan.store(study)
    return study


def refused(study: optuna.Study, plan: SearchPlan, other: optuna.Study) -> str:
    with pytest.raises(SearchError) as refusal:
        baseline_plan(study, plan, other)
    (line,) = str(refusal.value).splitlines()
    assert line.endswith("--no-baseline")
    return line


def test_a_new_random_search_copies_the_plan_into_its_own_folder() -> None:
    study, plan = begun()
    planned = baseline_plan(study, plan, baseline())
    assert (planned.sampler, planned.search != plan.search) == ("random", True)
    assert planned.out == f"{plan.out}-random"
    assert replace(planned, search=plan.search, sampler="relativenas", out=plan.out) == plan


def test_a_started_random_search_continues_and_is_extended() -> None:
    study, plan = begun()
    fewer = replace(plan.settings, generations=2)
    stored = replace(plan, sampler="random", search="its own", out="elsewhere", settings=fewer)
    planned = baseline_plan(study, plan, baseline(stored))
    assert planned == replace(stored, settings=plan.settings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"sampler": "relativenas"},
            "has sampler 'relativenas', but a random search for study 's' needs 'random'",
        ),
        ({"seed": 1}, f"has seed 1, but a random search for study 's' needs {SEED}"),
        (
            {"data": "cifar10"},
            "has data 'cifar10', but a random search for study 's' needs 'digits'",
        ),
        ({"settings": replace(SETTINGS, channels=7)}, "has channels 7"),
        ({"settings": replace(SETTINGS, generations=9)}, "has generations 9"),
    ],
)
def test_a_random_search_under_other_conditions_is_refused(
    changes: dict[str, Any], words: str
) -> None:
    study, plan = begun()
    stored = replace(replace(plan, sampler="random", search="x"), **changes)
    line = refused(study, plan, baseline(stored))
    assert words in line
    assert "study 's-random'" in line


def test_a_random_search_takes_the_new_path_of_moved_images() -> None:
    study, plan = begun(data="moved")
    stored = replace(plan, sampler="random", search="its own", data="/before")
    assert baseline_plan(study, plan, baseline(stored)) == replace(stored, data=plan.data)


def test_a_random_search_that_fails_to_start_leaves_nothing(tmp_path: Path) -> None:
    storage = optuna.storages.InMemoryStorage()
    study, plan = begun(storage, data=str(tmp_path / "nowhere"), out=str(tmp_path / "out"))
    console = Console(storage="sqlite:///s.db", study=baseline_name("s"), stderr=True)
    with pytest.raises(DataError, match="nowhere"):
        baseline_architecture(storage, study, plan, console=console, device="cpu")
    assert optuna.get_all_study_names(storage) == ["s"]
    assert not [*tmp_path.iterdir()]


def test_a_random_search_on_other_images_is_refused(tmp_path: Path) -> None:
    storage = optuna.storages.InMemoryStorage()
    data = str(write_images(tmp_path / "data"))
    study, plan = begun(storage, data=data, out=str(tmp_path / "out"))
    study.set_user_attr(IMAGES, "those of then")
    console = Console(storage="sqlite:///s.db", study=baseline_name("s"), stderr=True)
    with pytest.raises(DataError, match="was started with other images"):
        baseline_architecture(storage, study, plan, console=console, device="cpu")
    assert optuna.get_all_study_names(storage) == ["s"]


def test_an_unrelated_study_of_that_name_is_refused() -> None:
    study, plan = begun()
    other = baseline()
    other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert "study 's-random' has trials, but not of a search" in refused(study, plan, other)


def test_unfinished_and_random_searches_have_no_random_search() -> None:
    study, plan = begun(over=2)
    assert "the search of study 's' is not finished" in refused(study, plan, baseline())
    study, plan = begun()
    line = refused(study, replace(plan, sampler="random"), baseline())
    assert "study 's' is a random search itself" in line


@pytest.mark.slow
def test_the_random_search_runs_once_with_as_many_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = optuna.storages.InMemoryStorage()
    data = str(write_images(tmp_path / "data"))
    study, plan = begun(storage, data=data)
    console = Console(storage="sqlite:///s.db", study=baseline_name("s"), stderr=True)
    found = baseline_architecture(storage, study, plan, console=console, device="cpu")
    drawn = optuna.load_study(study_name="s-random", storage=storage)
    assert len({seat_of(trial) for trial in drawn.trials}) == len(drawn.trials) == SEATS
    # What `relativenas show` says is the best is what takes part in the comparison.
    assert found == next(iter(best_architectures(drawn)))
    assert CellSpace(nodes=SETTINGS.nodes) == SPACE
    assert isinstance(found, Genotype)
    assert SPACE.contains(found)
    out, err = capfd.readouterr()
    assert out == ""
    assert "the best of all candidates, scored again" in err
    assert baseline_architecture(storage, study, plan, console=console, device="cpu") == found
    assert len(drawn.trials) == SEATS
    assert capfd.readouterr() == ("", "")
