"""Any interleaving of writes and reads over threads and trials, beside Optuna's memory."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import OptunaError
from optuna.storages import InMemoryStorage, get_storage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna.storages import parameter_buffer
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.databases import KINDS, address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import BaseStorage

TRIALS = 3
SPACE = {
    "x": FloatDistribution(0, 1),
    "n": IntDistribution(1, 9),
    "op": CategoricalDistribution(["a", "b", "c"]),
    "z": FloatDistribution(1, 2, log=True),
}
INTERNAL = {"x": 0.25, "n": 3.0, "op": 2.0, "z": 1.5}
# Beside a trial and a thread: what is done there, and with which of the parameters.
STEPS = st.lists(
    st.tuples(
        st.integers(0, TRIALS - 1),
        st.integers(0, 2),
        st.sampled_from(
            ["param"] * 4
            + ["clash", "user", "system", "report", "finish", "read", "all", "value", "wait"]
        ),
        st.sampled_from(sorted(SPACE)),
    ),
    min_size=12,
    max_size=36,
)


class Side:
    """A study in one of the two storages: what one says, the other is to say too."""

    def __init__(self, storage: BaseStorage) -> None:
        self.storage = storage
        self.study_id = storage.create_new_study([StudyDirection.MINIMIZE])
        first = storage.create_new_trial(self.study_id)  # so that every parameter is known
        for name, distribution in SPACE.items():
            storage.set_trial_param(first, name, INTERNAL[name], distribution)
        storage.set_trial_state_values(first, TrialState.COMPLETE, [0.0])
        self.trials = [storage.create_new_trial(self.study_id) for _ in range(TRIALS)]
        self.given: set[tuple[int, str]] = set()

    def do(self, trial: int, what: str, name: str) -> object:
        """Return the answer of an operation, or the name of its error."""
        try:
            return self._do(trial, what, name)
        except (OptunaError, ValueError, KeyError) as error:
            return type(error).__name__

    def _do(self, number: int, what: str, name: str) -> object:
        storage, trial_id = self.storage, self.trials[number]
        if what == "param" and (number, name) not in self.given:  # twice is the storage's affair
            self.given.add((number, name))
            storage.set_trial_param(trial_id, name, INTERNAL[name], SPACE[name])
        elif what == "clash":
            storage.set_trial_param(trial_id, "x", 0.0, SPACE["op"])
        elif what == "user":
            storage.set_trial_user_attr(trial_id, name, number)
        elif what == "system":
            storage.set_trial_system_attr(trial_id, name, number)
        elif what == "report":
            storage.set_trial_intermediate_value(trial_id, number, 1.0)
        elif what == "finish":
            return storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [number])
        elif what == "read":
            return self._seen(storage.get_trial(trial_id))
        elif what == "all":
            return [self._seen(trial) for trial in storage.get_all_trials(self.study_id)]
        elif what == "value":
            return storage.get_trial_param(trial_id, name)
        elif what == "wait" and not isinstance(storage, InMemoryStorage):
            time.sleep(0.01)
        return None

    @staticmethod
    def _seen(trial: optuna.trial.FrozenTrial) -> list[object]:
        """Return all visible parts of a trial, with the order of its parameters."""
        parameters = [(n, trial.params[n], trial.distributions[n]) for n in trial.params]
        more: list[Any] = [trial.user_attrs, trial.system_attrs, trial.intermediate_values]
        return [trial.number, trial.state, trial.values, parameters, *more]


@pytest.fixture(params=KINDS, scope="module")
def storage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BaseStorage]:
    with storage_at(address(request.param, tmp_path_factory.mktemp("oracle"))) as opened:
        yield get_storage(opened)


@pytest.mark.slow_except("sqlite", "postgresql")
@settings(max_examples=20, derandomize=True)
@given(steps=STEPS, delay=st.sampled_from([0.0, 0.003, 600.0]))
def test_nobody_in_the_process_can_tell(
    storage: BaseStorage, steps: list[tuple[int, int, str, str]], delay: float
) -> None:
    threads = [ThreadPoolExecutor(1) for _ in range(3)]
    ours, oracle = Side(storage), Side(InMemoryStorage())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parameter_buffer, "DELAY", delay)
        for trial, thread, what, name in [*steps, (0, 0, "all", "x")]:
            answer = threads[thread].submit(ours.do, trial, what, name).result()
            assert answer == oracle.do(trial, what, name)
    for pool in threads:
        pool.shutdown()
    storage.delete_study(ours.study_id)


@pytest.mark.slow_except("sqlite")
def test_threads_that_work_at_the_same_time_lose_and_mix_nothing(
    storage: BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameter_buffer, "DELAY", 0.002)
    study_id = storage.create_new_study([StudyDirection.MINIMIZE])
    names = [f"x{number}" for number in range(12)]
    expected: dict[int, tuple[dict[str, float], dict[str, int]]] = {}
    failures = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        try:
            for _ in range(4):
                trial_id = storage.create_new_trial(study_id)
                params: dict[str, float] = {}
                notes: dict[str, int] = {}
                for name in rng.sample(names, len(names)):
                    params[name] = rng.random()
                    storage.set_trial_param(trial_id, name, params[name], FloatDistribution(0, 1))
                    done = rng.random()
                    if done < 0.1:
                        notes[name] = seed
                        storage.set_trial_user_attr(trial_id, name, seed)
                    elif done < 0.2:
                        assert list(storage.get_trial(trial_id).params.items()) == [*params.items()]
                    elif done < 0.3:
                        storage.get_all_trials(study_id, deepcopy=False)
                    elif done < 0.4:
                        time.sleep(0.004)
                storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.0])
                expected[trial_id] = params, notes
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    found = {
        trial._trial_id: (trial.params, trial.user_attrs)
        for trial in storage.get_all_trials(study_id)
    }
    assert found == expected
    assert [list(found[i][0]) for i in found] == [list(expected[i][0]) for i in found]
    storage.delete_study(study_id)
