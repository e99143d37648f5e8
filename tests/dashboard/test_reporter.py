"""Notes, drawings and figures of a search, read by optuna-dashboard's own functions."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from optuna_dashboard import save_note
from PIL import Image
from sqlalchemy import event

from relativenas_optuna import SearchView
from relativenas_optuna.dashboard import DashboardReporter, reporter_of
from relativenas_optuna.dashboard import contents as writing
from relativenas_optuna.dashboard.state import KEY
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.dashboard_shown import FIGURES, artifacts, attributes, figures, note, noted
from tests.helpers.databases import KINDS, empty_database
from tests.helpers.visualization_studies import HOSTILE, score, searched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from relativenas_optuna.storages.search_storage import SearchStorage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SearchStorage]:
    with storage_at(f"sqlite:///{tmp_path / 'study.db'}", heartbeat_interval=None) as opened:
        yield opened


@pytest.fixture(autouse=True)
def newest(monkeypatch: pytest.MonkeyPatch) -> int:
    """Fewer trials with notes, for searches that take less time."""
    monkeypatch.setattr(writing, "NEWEST", 10)
    return 10


def best_of(study: optuna.Study) -> list[int]:
    """Return the trial that was the best of each complete generation."""
    view = SearchView.of(study)
    assert view is not None
    members = [g.members[g.best] for g in view.generations if g.complete and g.best is not None]
    return [member.counted for member in members if member.counted is not None]


def quiet(line: str) -> None:
    raise AssertionError(line)


@pytest.mark.slow_except("postgresql")
@pytest.mark.parametrize("database", KINDS)
def test_a_search_shows_figures_notes_and_drawings(database: str, tmp_path: Path) -> None:
    with empty_database(database, tmp_path) as url, storage_at(url) as storage:
        folder = tmp_path / "artifacts"
        reporter = DashboardReporter(folder, warn=quiet)
        study = searched(0, storage=storage, study_name=HOSTILE)
        study.optimize(score, n_trials=15, callbacks=[reporter])
        reporter.write(study)
        shown = figures(study)
        assert shown.keys() == FIGURES
        assert all(figure["data"] for figure in shown.values())
        best = best_of(study)
        assert len(best) == 3
        assert noted(study) == sorted({*best, *range(5, 15)})
        assert "3 generations are complete" in note(study)
        assert study.trials[best[-1]].user_attrs["genotype"].split(" | ")[0] in note(study)
        for number in set(best):
            (artifact,) = artifacts(study, number)
            assert artifact["mimetype"] == "image/png"
            with Image.open(folder / artifact["artifact_id"]) as drawing:
                assert drawing.width > 500
            assert f"/{artifact['artifact_id']})" in note(study, number)
            assert note(study, number).startswith("**The best of generation")
        assert len(list(folder.iterdir())) == len(set(best))


def test_notes_of_older_trials_are_removed_and_those_of_a_person_stay(
    storage: SearchStorage,
) -> None:
    study, reporter = searched(10, storage=storage), DashboardReporter(warn=quiet)
    save_note(study, "mine")
    save_note(asked := study.ask(), "mine too")
    study.tell(asked, 1.0)
    reporter.write(study)
    edited = next(n for n in range(10) if n not in best_of(study))
    trial_id = study.trials[edited]._trial_id
    storage.set_study_system_attr(study._study_id, f"dashboard:{trial_id}:note_ver", 2)
    storage.set_study_system_attr(study._study_id, f"dashboard:{trial_id}:note_str:0", "edited")
    study.optimize(score, n_trials=14)
    reporter.write(study)
    assert note(study) == "mine"
    assert note(study, 10) == "mine too"
    assert note(study, edited) == "edited"
    assert noted(study) == sorted({10, edited, *best_of(study), *range(15, 25)})
    keys = [key for key in attributes(study) if "note" in key]
    assert len({key.split(":")[1] for key in keys if key.count(":") > 2}) == len(noted(study))


def test_nothing_that_stays_as_it_is_is_written_again(storage: SearchStorage) -> None:
    study, reporter = searched(24, size=8, storage=storage), DashboardReporter(warn=quiet)
    reporter.write(study)
    before = attributes(study)
    reporter.write(study)
    reporter.write(study, ended=True)
    after = attributes(study)
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed == {KEY}
    assert before.keys() == after.keys()


@pytest.mark.slow
def test_all_of_it_is_one_transaction(storage: SearchStorage) -> None:
    study, reporter = searched(24, size=8, storage=storage), DashboardReporter(warn=quiet)
    commits: list[int] = []
    event.listen(storage.engine, "commit", lambda _: commits.append(1))
    written = []
    event.listen(
        storage.engine,
        "after_cursor_execute",
        lambda *got: written.append(got[2]) if "study_system_attributes" in got[2] else None,
    )
    reporter.write(study)
    assert sum(not text.startswith("SELECT") for text in written) <= 3


def test_a_generation_is_written_once_by_whoever_comes_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with storage_at(url) as one, storage_at(url) as other:
        study = searched(8, storage=one)
        again = optuna.load_study(study_name=study.study_name, storage=other)
        DashboardReporter(tmp_path / "a", warn=quiet)(study, study.trials[-1])
        before = attributes(study)
        DashboardReporter(tmp_path / "b", warn=quiet)(again, again.trials[-1])
        assert attributes(again) == before
        assert before[KEY]["stage"] == [2, 8, 0]
        assert (tmp_path / "a").exists()
        assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("kind", ["sql", "memory"])
def test_a_worker_that_is_overtaken_writes_nothing_and_keeps_no_drawing(
    kind: str, storage: SearchStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = searched(8, storage=storage if kind == "sql" else None)
    contents, other = writing.stage_contents, DashboardReporter(tmp_path / "other", warn=quiet)

    def overtaken(*arguments: Any, **options: Any) -> Any:
        staged = contents(*arguments, **options)
        monkeypatch.setattr(writing, "stage_contents", contents)
        other.write(study)
        return staged

    monkeypatch.setattr(writing, "stage_contents", overtaken)
    DashboardReporter(tmp_path / "late", warn=quiet)(study, study.trials[-1])
    assert list((tmp_path / "late").iterdir()) == []
    best = set(best_of(study))
    shown = {path.name for path in (tmp_path / "other").iterdir()}
    assert {a["artifact_id"] for n in best for a in artifacts(study, n)} == shown
    assert attributes(study)[KEY]["stage"] == [2, 8, 0]


@pytest.mark.parametrize("value", [None, 3, "x", {"stage": 1}, {"stage": [0, 0], "notes": []}])
def test_an_attribute_that_is_none_of_ours_begins_anew(value: Any, storage: SearchStorage) -> None:
    study = searched(4, storage=storage)
    storage.set_study_system_attr(study._study_id, KEY, value)
    DashboardReporter(warn=quiet).write(study)
    assert figures(study).keys() == FIGURES


def test_a_failure_is_one_line_and_the_search_goes_on(
    storage: SearchStorage, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    lines: list[str] = []
    reporter = DashboardReporter(tmp_path / "file" / "artifacts", warn=lines.append)
    study = searched(8, storage=storage)
    reporter.write(study)
    study.optimize(score, n_trials=8)
    reporter.write(study)
    (line,) = lines
    assert line.startswith("a drawing for optuna-dashboard could not be written (NotADirectory")
    assert line.endswith("; the search goes on")
    assert figures(study).keys() == FIGURES
    assert not any(artifacts(study, number) for number in range(16))


def test_a_folder_that_was_removed_is_made_again(storage: SearchStorage, tmp_path: Path) -> None:
    folder, study = tmp_path / "a" / "b", searched(4, storage=storage)
    reporter = DashboardReporter(folder, warn=quiet)
    reporter.write(study)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    study.optimize(score, n_trials=4)
    reporter.write(study)
    assert len(list(folder.iterdir())) == 1


def test_a_worker_without_the_folder_of_the_search_leaves_the_drawings_to_others(
    storage: SearchStorage, tmp_path: Path
) -> None:
    study = searched(4, storage=storage)
    for out in (tmp_path / "elsewhere", tmp_path):
        reporter = reporter_of(study, str(out), quiet)
        assert reporter is not None
        reporter.write(study, ended=out == tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    assert len(list((tmp_path / "artifacts").iterdir())) == 1
    assert len(artifacts(study, best_of(study)[0])) == 1


class FullStore:
    """A store that takes nothing."""

    def open_reader(self, artifact_id: str) -> io.BytesIO:
        raise AssertionError(artifact_id)

    def remove(self, artifact_id: str) -> None:
        raise AssertionError(artifact_id)

    def write(self, artifact_id: str, content_body: Any) -> None:
        raise OSError("no space left")


def test_a_drawing_that_was_not_stored_is_drawn_later(
    storage: SearchStorage, tmp_path: Path
) -> None:
    lines: list[str] = []
    study = searched(4, storage=storage)
    DashboardReporter(FullStore(), warn=lines.append).write(study)
    assert len(lines) == 1
    assert not artifacts(study, best_of(study)[0])
    tmp_path.joinpath("a").mkdir()
    DashboardReporter(FileSystemArtifactStore(tmp_path / "a")).write(study, ended=True)
    assert len(artifacts(study, best_of(study)[0])) == 1


def test_a_database_that_takes_nothing_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with storage_at(f"sqlite:///{path}") as storage:
        study = searched(4, storage=storage)
        name = study.study_name
    lines: list[str] = []
    reporter = DashboardReporter(tmp_path / "a", warn=lines.append)
    with storage_at(f"sqlite:///file:{path}?mode=ro&uri=true") as storage:
        study = optuna.load_study(study_name=name, storage=storage)
        reporter(study, study.trials[-1])
        reporter.write(study)
        trial, asked = study.trials[-1], []
        event.listen(storage.engine, "before_cursor_execute", lambda *got: asked.append(got[2]))
        reporter(study, trial)
        assert not asked  # for each attempt takes a while
    (line,) = lines
    assert "\n" not in line
    assert line.startswith("what optuna-dashboard shows could not be brought up to date (")
    assert "readonly" in line


@pytest.mark.slow_except("grpc")
@pytest.mark.parametrize("kind", ["memory", "journal"])
def test_other_storages_show_the_same(kind: str, tmp_path: Path) -> None:
    journal = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    study = searched(9, storage=journal if kind == "journal" else None)
    reporter = DashboardReporter(tmp_path / "a", warn=quiet)
    reporter.write(study)
    study.optimize(score, n_trials=8)
    reporter.write(study)
    assert figures(study).keys() == FIGURES
    assert noted(study) == sorted({*best_of(study), *range(7, 17)})
    assert "Run the program of the search again" in note(study)


def test_a_study_of_another_sampler_shows_what_makes_sense(storage: SearchStorage) -> None:
    study = optuna.create_study(storage=storage, sampler=RandomSampler(seed=0))
    reporter = DashboardReporter(warn=quiet)
    study.optimize(score, n_trials=39, callbacks=[reporter])
    assert attributes(study)[KEY]["stage"] == [0, 20, 0]
    reporter.write(study)
    assert [bool(figure["data"]) for _, figure in sorted(figures(study).items())] == [
        True,  # costs
        False,  # diversity
        False,  # fast learners
        False,  # generations
        True,  # operations
    ]
    assert "another sampler" in note(study)
    assert "study.optimize" in note(study)
    study.sampler = searched(0).sampler
    study.optimize(score, n_trials=4)
    DashboardReporter(warn=quiet)(study, study.trials[-1])
    assert attributes(study)[KEY]["stage"] == [1, 43, 0]
    assert figures(study)["relativenas-fast-learners"]["data"]


def test_failed_trials_do_not_end_a_report(storage: SearchStorage) -> None:
    study = searched(0, storage=storage)
    for _ in range(12):
        study.tell(study.ask(), state=TrialState.FAIL)
    DashboardReporter(warn=quiet).write(study)
    assert "4 seats count as failed" in note(study)
    assert figures(study)["relativenas-fast-learners"]["data"]


def test_without_more_to_do_a_search_that_no_dashboard_sees_has_no_reporter(
    storage: SearchStorage,
) -> None:
    assert reporter_of(searched(0), "out", None) is None
    with storage_at("sqlite://") as memory:
        assert reporter_of(searched(0, storage=memory), "out", None) is None
    assert reporter_of(searched(0, storage=storage), "out", None) is not None
