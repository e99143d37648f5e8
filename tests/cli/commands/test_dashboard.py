"""The command that starts optuna-dashboard: its address, its drawings, its end, and mistakes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import optuna
import pytest

from relativenas_optuna.dashboard import artifact_folder
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import call, end, started, wait_for

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]


def fetched(page: str, path: str) -> str:
    with urllib.request.urlopen(urljoin(page, path), timeout=60) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
def test_it_shows_the_study_and_ends_on_ctrl_c(finished: Path) -> None:
    words = ("dashboard", "--study", "mine", "--port", "0", "-q")
    with started(*words, cwd=finished) as process:
        page = wait_for(process, "http://127.0.0.1:").strip()
        assert page.endswith("/dashboard/studies/1")
        assert "<title>Optuna Dashboard" in fetched(page, page)
        assert json.loads(fetched(page, "/api/meta"))["artifact_is_available"]
        assert '"mine"' in fetched(page, "/api/studies")
        os.killpg(process.pid, signal.SIGINT)
        outcome = end(process)
    assert outcome.status == 130
    assert "interrupted: the dashboard is closed" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_study_of_another_sampler_is_shown_too(tmp_path: Path) -> None:
    with storage_at("sqlite:///relativenas.db") as storage:
        study = optuna.create_study(storage=storage, study_name="<b>it's/other</b>")
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    words = ("dashboard", "--study", "<b>it's/other</b>", "--port", "0")
    with started(*words, cwd=tmp_path) as process:
        said, page = wait_for(process, "http://").splitlines()
        assert "was not searched by `relativenas search`: there are no drawings" in said
        assert "<b>it's/other</b>" in fetched(page, "/api/studies")


@pytest.mark.usefixtures("folder")
def test_a_dashboard_that_was_there_before_the_search_shows_its_drawings(tmp_path: Path) -> None:
    drawing = tmp_path / "drawing.png"
    drawing.write_text("seen")
    with storage_at("sqlite:///relativenas.db") as storage:
        study = optuna.create_study(storage=storage, study_name="mine")
        with started("dashboard", "--study", "mine", "--port", "0", cwd=tmp_path) as process:
            said, page = wait_for(process, "http://").splitlines()
            assert "drawings are shown as soon as there are some" in said
            plan = SearchPlan.of(study, SearchRequest(data="digits", out=str(tmp_path / "out")))
            plan.store(study)
            folder = artifact_folder(plan.out)
            folder.mkdir(parents=True)
            name = optuna.artifacts.upload_artifact(
                artifact_store=optuna.artifacts.FileSystemArtifactStore(folder),
                file_path=str(drawing),
                study_or_trial=study,
            )
            path = f"/artifacts/{study._study_id}/{name}"
            assert fetched(page, path) == "seen"
            shutil.rmtree(folder)
            with pytest.raises(urllib.error.HTTPError, match="404"):
                fetched(page, path)
            os.killpg(process.pid, signal.SIGINT)
            assert "Traceback" not in end(process).err


@pytest.mark.usefixtures("finished")
def test_a_mistake_is_one_line(capfd: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = call(capfd, "dashboard", "--port", port).line
    assert f"port {port} of 127.0.0.1 is taken" in line
    assert "take another by --port" in line
    nowhere = ("--port", "0", "--artifacts", "nowhere")
    assert "there is none at 'nowhere'" in call(capfd, "dashboard", *nowhere).line
    missing = ("--port", "0", "--study", "missing")
    assert "'missing' is not in the storage" in call(capfd, "dashboard", *missing).line
    assert "got 'a.invalid'" in call(capfd, "dashboard", "--host", "a.invalid").line


@pytest.mark.usefixtures("folder")
def test_neither_a_database_is_made_nor_a_password_printed(folder: Path, capfd: Capture) -> None:
    assert "is not there" in call(capfd, "dashboard", "--port", "0").line
    assert not list(folder.iterdir())
    server = "postgresql+psycopg2://me:secret@127.0.0.1:1/x"
    line = call(capfd, "dashboard", "--port", "0", "--storage", server).line
    assert "cannot be opened" in line
    assert "secret" not in line
