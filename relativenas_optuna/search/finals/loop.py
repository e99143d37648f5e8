"""The loop of a worker of the finals, which trains until all rungs are done."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from relativenas_optuna._utils.stopwatch import Watch
from relativenas_optuna.samplers.seats.lease import LEASE, RENEWAL
from relativenas_optuna.samplers.seats.worker import is_dead, is_here, this_worker
from relativenas_optuna.search.finals.records import (
    FAILURES,
    SHORTLIST,
    Claimed,
    FinalsRecord,
    Training,
    Work,
)
from relativenas_optuna.search.finals.scores import DIVERGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from relativenas_optuna.search.finals.records import Entrant
    from relativenas_optuna.search.finals.scores import RungScore
    from relativenas_optuna.search.finals.store import FinalsStore

_IDLE = 0.2  # seconds until an idle worker looks for work again


class FinalsWorker:
    """One worker of the finals, which shares the work with others through the study.

    A worker takes the first piece of work that no live worker is doing. On the same machine a dead
    worker is noticed at once, on another machine after two minutes without a sign of life. Two
    workers may do the same work. This only costs time, because both get the same result.

    Args:
        store: Record of the finals.
        start: Record without a shortlist, with which the finals start.
        leads: True to replace a record with other settings; False to leave it as it is.
        shortlist: Function (record, alive) -> record with the first or with more architectures of
            the shortlist. It calls `alive` after each evaluation.
        train: Function (record, entrant, rung, alive) -> score. It calls `alive` after each batch.
        on_change: Called with the record when work was done, here or by another worker.
        on_failure: Called with the work and its error if a training failed. The training is then
            repeated. None to raise the error instead.
    """

    def __init__(
        self,
        store: FinalsStore,
        start: FinalsRecord,
        *,
        leads: bool = True,
        shortlist: Callable[[FinalsRecord, Callable[[], None]], FinalsRecord],
        train: Callable[[FinalsRecord, Entrant, int, Callable[[], None]], RungScore],
        on_change: Callable[[FinalsRecord], None] = lambda _: None,
        on_failure: Callable[[Work, Exception], None] | None = None,
    ) -> None:
        self._store, self._start, self._leads = store, start, leads
        self._shortlist, self._train = shortlist, train
        self._on_change, self._on_failure = on_change, on_failure
        self._watch = Watch()
        self._worker = this_worker()
        self._failing: Work | None = None
        self._renewed = 0.0

    def run(self) -> FinalsRecord | None:
        """Work until all rungs are done; return the finished record.

        The result is None if the search was extended and has other finals now.

        Raises:
            Exception: The error of a training: without `on_failure`, or if two different trainings
                fail in a row, because the architectures are then hardly the cause. The error of a
                shortlist that could not be made.
            KeyError: The study was deleted.
        """
        seen: object = None
        while True:
            self._store.check_study()
            record = self._store.change(self._begun)
            if record is None or not record.belongs_to(self._start):
                return None
            if seen != (seen := (record.entrants, record.sizes, len(record.trainings))):
                self._on_change(record)
            if record.finished:
                return record
            taken = self._take(record)
            if taken is None:
                time.sleep(_IDLE)
            elif taken[1].rung == SHORTLIST:
                self._choose(*taken)
            else:
                self._do(*taken)

    def _begun(self, record: FinalsRecord | None) -> FinalsRecord | None:
        """Return the start of these finals if the study has none or older ones; else None."""
        if record is None or record.generations < self._start.generations:
            return self._start
        others = record.generations == self._start.generations and not record.belongs_to(
            self._start
        )
        return self._start if others and self._leads else None

    def _take(self, record: FinalsRecord) -> tuple[FinalsRecord, Work] | None:
        """Claim the first piece of work that no live worker is doing; None if there is none.

        The result has the record with the claim, since others may have changed it meanwhile.
        """
        taken: Work | None = None

        def claimed(now: FinalsRecord | None) -> FinalsRecord | None:
            nonlocal taken
            taken = None
            if now is None or not now.belongs_to(record):
                return None
            for work in now.open_work():
                claim = now.claim_of(work)
                if claim is None or self._is_free(claim):
                    taken = work
                    failures = 0 if claim is None else claim.failures
                    mine = Claimed(
                        rung=work.rung,
                        entrant=work.entrant,
                        worker=self._worker,
                        failures=failures,
                    )
                    return now.with_claim(mine, work)
            return None

        now = self._store.change(claimed)
        self._renewed = time.monotonic()
        return None if now is None or taken is None else (now, taken)

    def _is_free(self, claim: Claimed) -> bool:
        if not claim.worker or claim.worker == self._worker:
            return True
        silence = self._watch.unchanged((claim.rung, claim.entrant), (claim.worker, claim.beats))
        if is_here(claim.worker):
            return is_dead(claim.worker)
        return silence > LEASE

    def _choose(self, record: FinalsRecord, work: Work) -> None:
        """Choose the first or more architectures of the shortlist."""
        try:
            made = self._shortlist(record, lambda: self._live(work))
        except BaseException:
            self._release(work, failed=False)
            raise

        def grown(now: FinalsRecord | None) -> FinalsRecord | None:
            if now is None or not now.belongs_to(made) or now.entrants != record.entrants:
                return None
            return replace(
                now,
                sizes=made.sizes,
                epochs=made.epochs,
                entrants=made.entrants,
                random_accuracies=made.random_accuracies,
            ).with_claim(None, work)

        self._store.change(grown)

    def _do(self, record: FinalsRecord, work: Work) -> None:
        begun = time.monotonic()
        try:
            entrant = record.entrants[work.entrant]
            score = self._train(record, entrant, work.rung, lambda: self._live(work))
        except OSError:  # such as a full disk, which no architecture causes
            self._release(work, failed=False)
            raise
        except Exception as error:
            failures = self._release(work, failed=True)
            before, self._failing = self._failing, work
            if self._on_failure is None or before not in (None, work):
                raise
            self._on_failure(work, error)
            if failures < FAILURES:
                return
            score = DIVERGED
        except BaseException:  # Ctrl-C
            # Others notice the end of this process anyway, if the study cannot be written now.
            with suppress(Exception):
                self._release(work, failed=False)
            raise
        else:
            self._failing = None
        training = Training(
            rung=work.rung,
            entrant=work.entrant,
            score=score,
            seconds=round(time.monotonic() - begun, 3),
        )

        def added(now: FinalsRecord | None) -> FinalsRecord | None:
            same = now is not None and now.belongs_to(record) and now.entrants == record.entrants
            return now.with_training(training) if now is not None and same else None

        self._store.change(added)

    def _live(self, work: Work) -> None:
        """Write a sign of life to the claim of a piece of work, every 20 seconds."""
        if time.monotonic() - self._renewed < RENEWAL:
            return
        self._renewed = time.monotonic()

        def renewed(now: FinalsRecord | None) -> FinalsRecord | None:
            claim = None if now is None else now.claim_of(work)
            if now is None or claim is None or claim.worker != self._worker:
                return None
            return now.with_claim(replace(claim, beats=claim.beats + 1), work)

        # A database that fails now may work later; the next claim or score reports its error.
        with suppress(Exception):
            self._store.change(renewed)

    def _release(self, work: Work, *, failed: bool) -> int:
        """Give a piece of work back; return how often it has failed."""
        failures = 0

        def released(now: FinalsRecord | None) -> FinalsRecord | None:
            nonlocal failures
            claim = None if now is None else now.claim_of(work)
            if now is None or claim is None:
                return None
            failures = claim.failures + failed
            left = replace(claim, worker={}, failures=failures) if failures else None
            return now.with_claim(left, work)

        self._store.change(released)
        return failures
