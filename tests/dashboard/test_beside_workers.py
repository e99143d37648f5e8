"""A dashboard on a SQLite study that eight processes write: neither side fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import optuna
import pytest

from relativenas_optuna import SearchView
from relativenas_optuna.storages.opening import storage_at
from tests.browser.test_dashboard import dashboard
from tests.helpers.dashboard_shown import FIGURES, artifacts, figures, note

WORKERS, GENERATIONS, SIZE = 8, 6, 8
WORK = """
import sys, warnings
import optuna
from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.dashboard import DashboardReporter
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.visualization_studies import SPACE, score

def end(study, trial):
    if trial.number >= int(sys.argv[3]) - 1:
        study.stop()

with storage_at(sys.argv[1]) as storage:
    sampler = RelativeNASSampler(SPACE.distributions, population_size=8, seed=0, preset="paper")
    study = optuna.load_study(study_name="s", storage=storage, sampler=sampler)
    reporter = DashboardReporter(sys.argv[2])
    study.optimize(score, callbacks=[reporter, end])
    reporter.write(study)
"""


def write(address: str, note: dict[str, Any]) -> int:
    """Change a note as the dashboard's page does; the status of the answer."""
    content = json.dumps({"body": "a person's", "version": note["version"] + 1}).encode()
    request = urllib.request.Request(
        address, content, {"Content-Type": "application/json"}, method="PUT"
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
def test_a_dashboard_reads_while_eight_workers_write(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path / 'study.db'}", tmp_path / "artifacts"
    folder.mkdir()
    with storage_at(url) as storage:
        optuna.create_study(storage=storage, study_name="s")
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "error", "-c", WORK, url, str(folder), str(SIZE * GENERATIONS)]
    looks, answers = 0, set[int]()
    with dashboard(url, folder) as address:
        api = f"{address.partition('/dashboard')[0]}/api"
        crew = [
            subprocess.Popen(words, cwd=root, env=environment, stderr=subprocess.PIPE, text=True)
            for _ in range(WORKERS)
        ]
        while any(worker.poll() is None for worker in crew):
            with urllib.request.urlopen(f"{api}/studies/1", timeout=60) as answer:
                seen = json.load(answer)
            # Whole or not there, for all of it is one transaction.
            shown = {g["id"]: json.loads(g["graph_object"]) for g in seen["plotly_graph_objects"]}
            assert shown.keys() in (set(), FIGURES)
            looks += 1
            if seen["trials"]:  # and a person writes
                trial = seen["trials"][0]
                answers.add(write(f"{api}/studies/1/{trial['trial_id']}/note", trial["note"]))
        errors = [worker.communicate()[1] for worker in crew]
    assert [worker.returncode for worker in crew] == [0] * WORKERS, errors
    assert not any("locked" in text or "Warning" in text for text in errors), errors
    assert looks > 3
    assert 204 in answers
    assert answers <= {204, 409}  # the second: the note has changed meanwhile
    with storage_at(url) as storage:
        study = optuna.load_study(study_name="s", storage=storage)
        assert figures(study).keys() == FIGURES
        view = SearchView.of(study)
        assert view is not None
        complete = [g for g in view.generations if g.complete]
        assert f"**{len(complete)} generations are complete" in note(study)
        drawn = {number for number in range(len(study.trials)) if artifacts(study, number)}
        best = {g.members[g.best].counted for g in complete if g.best is not None}
        assert drawn == best
        assert len(list(folder.iterdir())) == len(best)
        assert note(study, 0) == "a person's"
