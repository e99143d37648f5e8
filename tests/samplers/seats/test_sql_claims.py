"""Claims under the lock of a SQL database."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import CLAIM_KEY, Claim, Seat, reservation, seat_of
from relativenas_optuna.samplers.seats.sql_claims import ClaimRows
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.databases import KINDS, address
from tests.helpers.samplers.searches import SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")
SEATS = [Seat(0, number) for number in range(8)]


@pytest.fixture(params=[*KINDS, "stock sqlite"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[optuna.Study]:
    if request.param == "stock sqlite":
        storage = RDBStorage(f"sqlite:///{tmp_path / 'stock.db'}")
        yield optuna.create_study(storage=storage)
        storage.remove_session()
        storage.engine.dispose()
        return
    with storage_at(address(request.param, tmp_path)) as opened:
        created = optuna.create_study(storage=opened)
        yield created
        optuna.delete_study(study_name=created.study_name, storage=opened)


def claim(
    study: optuna.Study,
    trial_id: int,
    free: list[Seat] = SEATS,
    *,
    only_first: bool = False,
    arriving: bool = True,
) -> Seat | None:
    """Claim a seat as a process that has read nothing, or that knows the `arriving` trials."""
    ids = [trial._trial_id for trial in study.get_trials(deepcopy=False)]
    return ClaimRows(study._storage).claim(
        study._study_id,
        trial_id,
        free,
        lambda seat: Claim(seat, {}, "RelativeNASSampler").attributes(),
        only_first=only_first,
        later_than=-1 if arriving else max(ids),
        open_ids=[] if arriving else ids,
        arriving_ids=[],
    )


def make(study: optuna.Study) -> int:
    return study._storage.create_new_trial(study._study_id)


def test_simultaneous_claims_get_different_seats(study: optuna.Study) -> None:
    ids = [make(study) for _ in SEATS]
    found: list[Seat | None] = []
    barrier = threading.Barrier(len(ids))

    def work(trial_id: int) -> None:
        barrier.wait()
        found.append(claim(study, trial_id, arriving=False))

    threads = [threading.Thread(target=work, args=(trial_id,)) for trial_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seat for seat in found if seat) == SEATS
    written = [Claim.read(trial.system_attrs) for trial in study.trials]
    assert sorted(c.seat for c in written if c and c.seat) == SEATS
    assert claim(study, make(study), arriving=False) is None


def test_a_seat_is_left_for_an_arriving_lower_number(study: optuna.Study) -> None:
    first, second, third = (make(study) for _ in range(3))
    assert claim(study, third) == SEATS[2]
    assert claim(study, second) == SEATS[1]
    assert claim(study, first) == SEATS[0]
    # A trial that claimed or ended is no longer about to claim.
    study._storage.set_trial_state_values(first, TrialState.FAIL)
    assert claim(study, make(study)) == SEATS[3]
    make(study)
    assert claim(study, make(study), SEATS[4:5]) == SEATS[4]  # with one seat the first comer has it


def test_reserved_seats_are_not_free(study: optuna.Study) -> None:
    maker = make(study)
    for key, value in reservation(SEATS[:3]).items():
        study._storage.set_trial_system_attr(maker, key, value)
    assert claim(study, make(study), arriving=False) == SEATS[3]


def test_only_one_claim_starts_a_search(study: optuna.Study) -> None:
    first, second = make(study), make(study)
    assert claim(study, second, only_first=True, arriving=False) == SEATS[0]
    assert claim(study, first, only_first=True, arriving=False) is None
    assert Claim.read(study.trials[0].system_attrs) is None


def test_a_junk_attribute_is_replaced_by_the_claim(study: optuna.Study) -> None:
    trial_id = make(study)
    study._storage.set_trial_system_attr(trial_id, CLAIM_KEY, "no claim")
    assert claim(study, trial_id) == SEATS[0]
    assert seat_of(study.trials[0]) == SEATS[0]


def test_an_ended_or_missing_trial_claims_nothing(study: optuna.Study) -> None:
    trial_id = make(study)
    study._storage.set_trial_state_values(trial_id, TrialState.FAIL)
    with pytest.raises(UpdateFinishedTrialError):
        claim(study, trial_id)
    with pytest.raises(KeyError):
        claim(study, trial_id + 1_000_000)


def test_junk_claims_on_all_seats_do_not_stop_a_search(study: optuna.Study) -> None:
    for _ in range(3):
        study._storage.set_trial_system_attr(
            make(study), CLAIM_KEY, json.dumps({"generation": 0, "seat": 0, "settings": "none"})
        )
    study.sampler = RelativeNASSampler(SPACE, population_size=4, seed=0)
    with pytest.warns(UserWarning, match="3 of the study's trials"):
        found = {seat_of(study.ask()) for _ in range(4)}
    assert found == set(SEATS[:4])


def test_other_storages_have_no_rows() -> None:
    with pytest.raises(TypeError, match="InMemoryStorage"):
        ClaimRows(InMemoryStorage())
