"""A search whose weights are in a bucket: real processes, and a server of S3."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import optuna
import pytest

from relativenas_optuna.cli.main import main
from relativenas_optuna.exceptions import PlaceError, SearchError
from relativenas_optuna.networks.io.tensors_file import from_bytes
from relativenas_optuna.objective.checkpoints.location import checkpoint_at
from relativenas_optuna.samplers.seats.claims import worker_of
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.training import load
from tests.cli.commands.test_worker import CPU, assert_scored_once, data, folder, searched
from tests.cli.commands.test_worker import plan as plan_tiny
from tests.helpers import faults
from tests.helpers.buckets import keys, new_bucket, read, s3_server
from tests.helpers.command import call
from tests.helpers.forked import context
from tests.helpers.tiny_search import SEED, SETTINGS, positions, same_bits, scores

__all__ = ["data", "folder"]  # fixtures
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def server() -> Iterator[Mapping[str, str]]:
    with s3_server() as environment:
        yield environment


@pytest.fixture
def bucket(server: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    return new_bucket(server, monkeypatch)


def request(data: Path, out: Path, generations: int, weights: str | None = None) -> SearchRequest:
    settings = asdict(replace(SETTINGS, generations=generations))
    return SearchRequest(
        data=str(data), seed=SEED, out=str(out), weights=weights, settings=settings, finals=0
    )


@pytest.mark.slow
def test_one_worker_makes_the_search_of_a_folder_to_the_last_bit(
    bucket: str, folder: Path, data: Path
) -> None:
    found, commits, files = [], SETTINGS.population, []  # of two generations, in pairs
    for name, weights in (("folder", None), ("bucket", f"s3://{bucket}/some/where")):
        with storage_at(f"sqlite:///{name}.db") as storage:
            study = optuna.create_study(storage=storage, study_name="s")
            plan = SearchPlan.of(study, request(data, folder / name, 2, weights))
            Search(study, plan, device="cpu").run()
            record = checkpoint_at(plan.place, study, search=plan.search).record()
            assert record is not None
            assert record.version == commits
            files = [version.file.name for version in record.versions]
            found.append((scores(study), positions(study)))
    assert sorted(keys(bucket)) == sorted(f"some/where/{name}" for name in files)
    assert not (folder / "bucket").exists()
    tensors, _ = from_bytes(read(bucket, f"some/where/{files[0]}"))
    (other,) = (folder / "folder").glob(f"*-{commits:06}-*")
    assert same_bits(tensors, load(other)[0])
    assert found[0] == found[1]


def work(cwd: Path, url: str, environment: Mapping[str, str], fault: str) -> None:
    """Run the command in a process that is forked after the imports."""
    os.chdir(cwd)
    os.environ.update(environment)
    faults.arm(fault)
    main(["worker", *CPU, "--storage", url])


@pytest.mark.slow
def test_workers_without_a_common_folder_share_a_search(
    bucket: str, server: Mapping[str, str], folder: Path, data: Path
) -> None:
    generations = 3
    url = f"sqlite:///{folder / 'relativenas.db'}"
    (folder / "file").write_text("")
    with storage_at(url) as storage:
        study = optuna.create_study(study_name="s", storage=storage)
        # No process can make the folder.
        asked = request(data, folder / "file" / "out", generations, f"s3://{bucket}")
        SearchPlan.of(study, asked).store(study)
    for number in range(3):
        (folder / str(number)).mkdir()

    def started(number: int, fault: str) -> ForkServerProcess:
        process = context.Process(target=work, args=(folder / str(number), url, server, fault))
        process.start()
        return process

    def is_begun() -> bool:
        with searched() as study:
            return bool(scores(study))

    killed = started(0, "pointer:2")
    # The other one starts when this one has its second pair, and cannot leave it without one.
    while killed.is_alive() and not is_begun():
        time.sleep(0.01)
    other = started(1, "never:1")
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    again = started(2, "never:1")
    for process in (other, again):
        process.join()
        assert process.exitcode == 0
    with searched() as study:
        assert_scored_once(study, generations=generations)
        share = {worker_of(trial.system_attrs)["pid"] for trial in study.trials}
        record = checkpoint_at(f"s3://{bucket}", study, search=_search(study)).record()
    assert share >= {killed.pid, other.pid}
    assert record is not None
    # What was written last before the kill is named by nothing, and cannot be seen.
    assert record.file_names <= set(keys(bucket))
    assert len(keys(bucket)) <= len(record.file_names) + 2
    assert all(not any((folder / str(number)).iterdir()) for number in range(3))


def _search(study: optuna.Study) -> str:
    plan = SearchPlan.stored_in(study)
    assert plan is not None
    return plan.search


@pytest.mark.slow
def test_the_commands_keep_weights_in_a_bucket(
    bucket: str, folder: Path, data: Path, capfd: Capture
) -> None:
    place = f"s3://{bucket}/my/search"
    plan_tiny(data, generations=1)
    begun = call(capfd, "search", *CPU, "--weights", f"{place}/")
    assert (begun.status, begun.err) == (0, "")
    assert {key.rpartition("/")[0] for key in keys(bucket)} == {"my/search"}
    with searched() as study:
        plan = SearchPlan.stored_in(study)
    assert plan is not None
    assert plan.weights == place
    for command in ("show", "worker", "fidelity"):
        more = ("--sample", "2", "--epochs", "1") if command == "fidelity" else ()
        options = ("--study", "s") if command == "show" else CPU
        outcome = call(capfd, command, *options, *more)
        assert (outcome.status, outcome.err) == (0, "")
    lost = call(capfd, "search", *CPU, "--generations", "2", "--weights", f"s3://{bucket}/other")
    assert (
        f"no weights in 's3://{bucket}/other': give the place of the first run with --weights"
        in (lost.line)
    )
    longer = call(capfd, "search", *CPU, "--generations", "2")
    assert (longer.status, longer.err) == (0, "")
    assert not list(Path("relativenas-out", "s").glob("*.safetensors"))


def test_a_bucket_that_is_not_there_is_refused_before_anything_is_trained(
    bucket: str, folder: Path, data: Path, capfd: Capture
) -> None:
    outcome = call(capfd, "search", *CPU, "--data", data, "--weights", "s3://none-of-ours")
    assert "cannot be written to s3://none-of-ours" in outcome.line
    assert "NoSuchBucket" in outcome.line
    assert not (folder / "relativenas.db").exists()


def test_a_study_in_no_database_cannot_have_its_weights_in_a_bucket(
    bucket: str, folder: Path, data: Path
) -> None:
    study = optuna.create_study()
    plan = SearchPlan.of(study, request(data, folder, 1, f"s3://{bucket}"))
    with pytest.raises(PlaceError, match="need a study in a SQL database"):
        Search(study, plan)
    assert not isinstance(PlaceError(), SearchError)
