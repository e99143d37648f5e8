"""Studies that several worker processes search, and the checks of their results."""

from __future__ import annotations

import socket
import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import seat_of
from tests.helpers.databases import KINDS as DATABASES
from tests.helpers.databases import address as database_at
from tests.helpers.samplers.scenarios import Scenario, undisturbed
from tests.helpers.samplers.searches import bits, replayed
from tests.helpers.samplers.worker_process import AGAIN, connected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.samplers.worker_pool import WorkerPool

STORAGES = [*DATABASES, "journal", "grpc"]


@dataclass(frozen=True)
class WorkerGroup:
    """Processes that search one study together.

    Attributes:
        pool: The pool that starts the processes.
        address: Address of the storage, see `worker_process.connected`.
        study: The study, as this process sees it.
        scenario: The search.
        generations: Number of generations to score.
    """

    pool: WorkerPool
    address: str
    study: optuna.Study
    scenario: Scenario
    generations: int

    def start(self, **job: Any) -> int:
        """Start a worker and return its process id, see `worker_process.search`."""
        return self.pool.start(
            "search",
            address=self.address,
            name=self.study.study_name,
            scenario=asdict(self.scenario),
            generations=self.generations,
            **job,
        )

    def run(self, workers: int, **job: Any) -> None:
        """Start workers and wait until all have ended."""
        pids = [self.start(**job) for _ in range(workers)]
        assert [self.pool.wait(pid) for pid in pids] == [0] * workers

    @property
    def is_done(self) -> bool:
        """True if the generations are scored."""
        found = self.scenario.sampler().population(self.study)
        seats = self.generations * self.scenario.size
        return found is not None and found.scored_seats(self.generations) >= seats

    def check(self, *, doubles: int) -> Counter[str]:
        """Compare the study with an undisturbed search, to the last bit.

        Args:
            doubles: Number of seats that may be scored twice.

        Returns:
            Counts: "trials", "extras" among these, "seats" that were scored,
            "doubles" among them, those that were given out "again" since nothing was free, "failed"
            and "running".
        """
        replay = replayed(self.study)
        assert replay is not None
        found = bits(replay)
        for index in range(self.generations):
            assert found[index] == undisturbed(self.scenario).generation(index)
        trials = self.study.trials
        seated = [trial for trial in trials if seat_of(trial) is not None]
        complete = [trial for trial in seated if trial.state == TrialState.COMPLETE]
        first = Counter(seat_of(trial) for trial in complete if AGAIN not in trial.user_attrs)
        counts = Counter(
            trials=len(trials),
            extras=len(trials) - len(seated),
            seats=len({seat_of(trial) for trial in complete}),
            doubles=sum(first.values()) - len(first),
            again=sum(AGAIN in trial.user_attrs for trial in seated),
            failed=sum(trial.state == TrialState.FAIL for trial in trials),
            running=sum(trial.state == TrialState.RUNNING for trial in trials),
        )
        assert counts["doubles"] <= doubles, counts
        return counts


def scenario(preset: str = "plain", *, known: bool = True, size: int = 20) -> Scenario:
    """Return a search with one objective in a space with every kind of parameter."""
    return Scenario(
        finite=False,
        known=known,
        preset=preset,
        objectives=1,
        coarse=False,
        size=size,
        noisy=preset == "plain",
    )


@contextmanager
def place(kind: str, pool: WorkerPool, folder: Path) -> Iterator[str]:
    """Yield the address of a storage; skip the test if there is no server of its kind."""
    if kind == "journal":
        yield f"journal:{folder / 'study.log'}"
    elif kind == "grpc":
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        pid = pool.start("serve", url=f"sqlite:///{folder / 'study.db'}", port=port)
        yield f"grpc:{port}"
        pool.kill(pid)
    else:
        yield database_at(kind, folder)


@contextmanager
def worker_group(
    kind: str, pool: WorkerPool, folder: Path, searched: Scenario, generations: int
) -> Iterator[WorkerGroup]:
    """Yield a group of workers for a new study, and delete the study afterwards."""
    name = f"worker_group-{uuid.uuid4().hex}"
    with (
        place(kind, pool, folder) as address,
        connected(address, heartbeat_interval=None) as storage,
    ):
        study = optuna.create_study(
            storage=storage, study_name=name, directions=searched.directions
        )
        try:
            yield WorkerGroup(pool, address, study, searched, generations)
        finally:
            optuna.delete_study(storage=storage, study_name=name)
