from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from gcp_storage_emulator.server import create_server
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.exceptions import PlaceError
from relativenas_optuna.objective.checkpoints import Checkpoint, DamagedFileError
from relativenas_optuna.objective.checkpoints.location import checked_place, checkpoint_at
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.buckets import keys, new_bucket, s3_server
from tests.helpers.checkpoints.stores import SEARCH, commit, expected, values, weight_set
from tests.helpers.command import ROOT
from tests.helpers.tiny_search import same_bits

# --- what is a place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://my-bucket", "s3://my-bucket"),
        ("S3://my-bucket/", "s3://my-bucket"),
        ("s3://my-bucket/a/b.c/d_e-f=g/", "s3://my-bucket/a/b.c/d_e-f=g"),
        ("gs://my_bucket/a", "gs://my_bucket/a"),
        ("folder", str(Path("folder").absolute())),
        ("a/../b:c", str(Path("a/../b:c").absolute())),
    ],
)
def test_a_place_is_written_in_one_way(text: str, place: str) -> None:
    assert checked_place(text) == place
    assert checked_place(place) == place


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "weights must be a folder, s3://BUCKET[/PREFIX] or gs://BUCKET[/PREFIX]; got ''"),
        ("  ", "weights must be a folder"),
        ("a\0b", "weights must be a folder"),
        ("s3://", "weights must be a folder, s3://BUCKET"),
        ("s3:///a", "weights must be a folder, s3://BUCKET"),
        ("http://host/a", "weights must be a folder, s3://BUCKET"),
        ("s3://-a", "weights must be a folder, s3://BUCKET"),
        ("s3://key:secret@bucket", "without a user: keys come from the environment"),
        ("s3://bucket/a//b", "the prefix of weights must be"),
        ("s3://bucket/a b", "the prefix of weights must be"),
        ("s3://bucket/a?x=1", "the prefix of weights must be"),
        (f"s3://bucket/{'a' * 801}", "the prefix of weights must be at most 800 letters"),
    ],
)
def test_what_is_no_place_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(PlaceError) as caught:
        checked_place(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=30) | st.text("s3g:/@a.-", max_size=12))
def test_every_text_is_a_place_or_none(text: str) -> None:
    try:
        place = checked_place(text)
    except PlaceError:
        return
    assert checked_place(place) == place


# --- buckets


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server() as environment:
        yield new_bucket(environment, monkeypatch)


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="weights")
    server.start()
    port = server._api._httpd.server_port
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    yield "weights"
    server.stop()


@pytest.fixture(params=["s3", "gs"])
def bucket(request: pytest.FixtureRequest) -> str:
    name = request.getfixturevalue("s3" if request.param == "s3" else "gcs")
    return f"{request.param}://{name}"


@pytest.fixture
def study(tmp_path: Path) -> Iterator[optuna.Study]:
    with storage_at(f"sqlite:///{tmp_path / 's.db'}") as storage:
        yield optuna.create_study(storage=storage)


def test_weights_in_a_bucket_are_those_of_a_folder(bucket: str, study: optuna.Study) -> None:
    place = f"{bucket}/a/b"
    one, other = (checkpoint_at(place, study, search=SEARCH, writes=True) for _ in range(2))
    mine, theirs = weight_set(), weight_set()
    learned = [("sep_conv_3x3", 1.0), ("sep_conv_5x5", 2.0), ("sep_conv_3x3", 3.0)]
    for (operation, value), checkpoint, weights in zip(
        learned, (one, other, one), (mine, theirs, mine), strict=True
    ):
        commit(checkpoint, weights, operation, value)
    other.sync(theirs)
    assert same_bits(theirs.snapshot(), expected(*learned))
    record = one.record()
    assert record is not None
    assert [version.version for version in record.versions] == [3, 2]
    if bucket.startswith("s3"):
        assert set(keys(bucket.removeprefix("s3://"))) == {
            f"a/b/{name}" for name in record.file_names
        }
    assert not one.is_lost()
    # What is removed twice, as by two workers, is removed.
    store: Any = one._ledger._store
    for _ in range(2):
        store.remove(record.versions[0].file.name)
    with pytest.raises(DamagedFileError, match="is missing"):
        store.get(record.versions[0].file)
    with pytest.warns(UserWarning, match="goes on from the weights before, of version 2"):
        checkpoint_at(place, study, search=SEARCH).sync(mine)
    assert values(mine, "sep_conv_3x3") == {1.0}
    assert checkpoint_at(f"{bucket}/a", study, search=SEARCH).is_lost()


def test_a_service_that_fails_is_named_in_one_line(s3: str, study: optuna.Study) -> None:
    checkpoint: Checkpoint = checkpoint_at("s3://none-of-ours/x", study, search=SEARCH)
    with pytest.raises(OSError, match=r"cannot be written to s3://none-of-ours/x: .*") as caught:
        commit(checkpoint, weight_set(), "sep_conv_3x3", 1.0)
    assert "\n" not in str(caught.value)


WITHOUT = """
import sys
sys.modules |= {"boto3": None, "google.cloud.storage": None}  # cannot be imported then
from relativenas_optuna.objective.checkpoints.location import PlaceError, _Address
for place in ("s3://bucket", "gs://bucket/a"):
    try:
        _Address.of(place).store()
    except PlaceError as error:
        print(error)
"""


def test_a_package_that_is_missing_is_named_with_the_way_to_get_it() -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert run.stdout.splitlines() == [
        f"weights in {place} need the Python package {package}, which is not installed: "
        f"pip install {package}"
        for place, package in (("s3://bucket", "boto3"), ("gs://bucket/a", "google-cloud-storage"))
    ]


def test_credentials_that_are_missing_are_said(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(PlaceError, match=r"weights in s3://bucket cannot be reached: .*nobody"):
        checkpoint_at("s3://bucket", study, search=SEARCH)
