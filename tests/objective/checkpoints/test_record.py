from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna._utils.checked_fields import from_data
from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.objective.checkpoints import (
    CandidateScore,
    Record,
    StoredFile,
    Version,
    WaitingLearner,
)
from relativenas_optuna.objective.checkpoints.record import MOST_CHARACTERS, MOST_RECENT
from relativenas_optuna.objective.checkpoints.store import check_name
from relativenas_optuna.samplers.seats.claims import Seat

seats = st.builds(Seat, st.integers(0, 999), st.integers(0, 99))
numbers = st.floats(allow_nan=False)
scored = st.builds(
    CandidateScore,
    seat=seats,
    architecture=st.text(max_size=300),
    loss=numbers,
    accuracy=numbers,
    train_loss=numbers,
).map(lambda one: one.brief)
files = st.builds(
    StoredFile,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    size=st.integers(0, 2**40),
)
versions = st.lists(
    st.builds(Version, version=st.integers(0, 10**6), file=files),
    max_size=2,
    unique_by=lambda one: one.version,
).map(lambda found: tuple(sorted(found, key=lambda one: -one.version)))
waiting = st.lists(
    st.builds(WaitingLearner, score=scored, file=files, start_version=st.integers(0, 10**6)),
    max_size=5,
    unique_by=lambda one: one.score.seat,
).map(lambda found: tuple(sorted(found, key=lambda one: one.score.seat)))
recent = st.lists(scored, max_size=MOST_RECENT, unique_by=lambda one: one.seat).map(tuple)
records = st.builds(
    Record,
    search=st.text(max_size=50),
    versions=versions,
    waiting=waiting,
    recent=recent,
    study=st.none() | st.text(max_size=500),
)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def a_scored(number: int, architecture: str = "a") -> CandidateScore:
    seat = Seat(number // 8, number % 8)
    return CandidateScore(
        seat=seat, architecture=architecture, loss=0.1, accuracy=1 / 3, train_loss=2.5
    )


def a_file(name: str) -> StoredFile:
    return StoredFile.of(name, name.encode())


def a_waiting(number: int) -> WaitingLearner:
    file = a_file(f"weights-01234567-01234567-waiting-{number}-01234567.safetensors")
    return WaitingLearner(score=a_scored(number).brief, file=file, start_version=number)


FULL = Record(
    search="s",
    versions=(Version(version=5, file=a_file("e")), Version(version=4, file=a_file("d"))),
    waiting=(a_waiting(1), a_waiting(4)),
    recent=(a_scored(2).brief, a_scored(3).brief),
)


@given(records)
def test_a_record_is_read_back_from_its_text(record: Record) -> None:
    text = record.to_text()
    assert Record.from_text(text) == record
    assert len(text.encode()) <= MOST_CHARACTERS
    assert "\n" not in text
    json.dumps(json.loads(text), allow_nan=False)


def refusal(text: str) -> str:
    with pytest.raises(ValueError, match=r"^not a record of weights: ") as caught:
        Record.from_text(text)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@given(st.text() | jsons.map(json.dumps))
def test_any_other_text_is_refused_in_one_line(text: str) -> None:
    refusal(text)


@given(st.data(), jsons)
def test_a_record_with_any_part_exchanged_is_refused_or_is_one(
    data: st.DataObject, odd: Any
) -> None:
    whole = json.loads(FULL.to_text())
    part: Any = whole
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(part[key], dict | list) or data.draw(st.booleans()):
            break
        part = part[key]
    part[key] = odd
    text = json.dumps(whole)
    try:
        record = Record.from_text(text)
    except ValueError:
        refusal(text)
    else:
        assert Record.from_text(record.to_text()) == record


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        "[" * 100_000,
        '{"search": ' + "9" * 10_000 + "}",
        FULL.to_text().replace('"version":5', '"version":3'),
        FULL.to_text().replace('"version":5', '"version":true'),
        FULL.to_text().replace('"number":4}', '"number":1}'),
        FULL.to_text().replace('"number":4}', '"number":-4}'),
        FULL.to_text().replace('"number":3}', '"number":2}'),
        FULL.to_text().replace('"name":"e"', '"name":"../e"'),
        FULL.to_text().replace('"size":1', '"size":-1'),
        FULL.to_text().replace('"loss":0.1', '"loss":"low"'),
    ],
)
def test_hostile_text_is_refused(text: str) -> None:
    assert text != FULL.to_text()
    refusal(text)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/b", "a\\b", "/a", ".a", "a\n", "a\0", "ä", "a" * 129, 5, None],
)
def test_a_name_that_leads_elsewhere_is_refused(name: object) -> None:
    with pytest.raises(ValueError, match="a file's name must be"):
        check_name(name)


def test_numbers_that_are_none_are_read_back() -> None:
    odd = replace(a_scored(0), accuracy=float("nan"), train_loss=float("-inf"))
    read = from_data(CandidateScore, json.loads(json.dumps(plain(odd), allow_nan=False)))
    assert str(read) == str(odd)


def test_a_commit_takes_a_learner_from_those_that_wait_to_those_that_were_scored() -> None:
    new = Version(version=6, file=a_file("f"))
    after = FULL.committed(new, [a_scored(2).brief, a_scored(5).brief], dropped=Seat(0, 4))
    assert after.versions == (new, FULL.versions[0])
    assert after.waiting == FULL.waiting[:1]
    assert [one.seat.number for one in after.recent] == [3, 4, 2, 5]
    assert after.file_names == {"f", "e", FULL.waiting[0].file.name}
    assert FULL.committed(new, [], dropped=Seat(7, 7)).waiting == FULL.waiting


def test_only_the_newest_scores_are_remembered() -> None:
    record = Record(search="s")
    for number in range(50):
        version = Version(version=number, file=a_file(f"n{number}"))
        record = record.committed(version, [a_scored(number).brief])
    assert [one.seat for one in record.recent] == [a_scored(n).seat for n in range(34, 50)]
    assert record.score_of(Seat(6, 1), "a") == a_scored(49)
    assert record.score_of(Seat(6, 1), "b") is None
    assert record.score_of(Seat(0, 0), "a") is None


def test_of_many_waiting_learners_none_is_left_out() -> None:
    record = FULL
    for number in range(80):
        record = record.with_waiting(a_waiting(number))
    read = Record.from_text(record.to_text())
    assert read.waiting == tuple(a_waiting(number) for number in range(80))
    assert len(record.to_text()) <= MOST_CHARACTERS
    for number in range(80, 150):
        record = record.with_waiting(a_waiting(number))
    with pytest.raises(ValueError, match=r"got 150 learners .* search with fewer workers"):
        record.to_text()


def test_a_text_of_any_length_has_a_short_fingerprint() -> None:
    one = a_scored(1, "x" * 100_000)
    record = Record(search="s").committed(Version(version=1, file=a_file("f")), [one.brief])
    assert len(record.to_text()) < 1000
    assert record.score_of(one.seat, one.architecture) == one
