from __future__ import annotations

import math
import shutil
import statistics
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.samplers.relative_nas.slow_fast import diversity
from relativenas_optuna.samplers.seats.claims import Claim, Seat, seat_of
from relativenas_optuna.samplers.seats.worker import this_worker
from relativenas_optuna.search.choice import FINALISTS, RANDOM_ARCHITECTURES, Choice
from relativenas_optuna.search.generation_summary import summary_of
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from tests.helpers.tiny_search import (
    SEATS,
    SEED,
    SETTINGS,
    SPACE,
    same_bits,
    scores,
    write_images,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data"))


def begin(
    study: optuna.Study, out: Path, data: Path, *, seed: int = SEED, **changes: Any
) -> Search:
    request = SearchRequest(
        data=str(data), out=str(out), seed=seed, settings=asdict(SETTINGS) | changes, finals=0
    )
    return Search(study, SearchPlan.of(study, request), device="cpu")


def run(search: Search) -> Search:
    search.run()
    return search


def go_on(study: optuna.Study, **settings: Any) -> Search:
    return Search(study, SearchPlan.of(study, SearchRequest(settings=settings)), device="cpu")


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Search:
    study = optuna.create_study(study_name="s")
    return run(begin(study, tmp_path_factory.mktemp("out"), data))


# --- the run


def test_a_search_scores_every_seat_once_and_stops(finished: Search) -> None:
    assert set(scores(finished.study)) == {
        Seat(generation, seat)
        for generation in range(SETTINGS.generations)
        for seat in range(SETTINGS.population)
    }
    assert finished.scored == finished.total == len(finished.study.trials) == SEATS
    run(finished)
    assert len(finished.study.trials) == SEATS


def test_a_study_made_beforehand_with_trials_of_its_own_is_gone_on_with(
    data: Path, tmp_path: Path, finished: Search
) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: float(len(str(SPACE.suggest(trial)))), n_trials=2)
    run(begin(study, tmp_path, data))
    seated = [trial for trial in study.trials if seat_of(trial) is not None]
    assert [trial.value for trial in seated] == [trial.value for trial in finished.study.trials]


def test_each_trial_is_heard_of(data: Path, tmp_path: Path) -> None:
    heard: list[int] = []
    search = begin(optuna.create_study(), tmp_path, data, generations=1)
    search.run([lambda _, trial: heard.append(trial.number)])
    assert sorted(heard) == list(range(SETTINGS.population))


def test_summaries_are_those_of_the_complete_generations(finished: Search) -> None:
    population = finished.population
    assert population is not None
    for generation in range(SETTINGS.generations):
        losses = [v for seat, v in scores(finished.study).items() if seat.generation == generation]
        assert summary_of(finished.population, generation) == (
            min(losses),
            statistics.median(losses),
            diversity(population.generations[generation].positions),
        )
    assert summary_of(finished.population, SETTINGS.generations) is None


@pytest.mark.slow
def test_a_random_search_differs_in_its_candidates_alone(
    data: Path, tmp_path: Path, finished: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    sgd = torch.optim.SGD

    def noted(*arguments: Any, **options: Any) -> torch.optim.SGD:
        rates.append(options["lr"])
        return sgd(*arguments, **options)

    monkeypatch.setattr(torch.optim, "SGD", noted)
    study = optuna.create_study(study_name="s")
    plan = replace(finished.plan, sampler="random", data=str(data), out=str(tmp_path))
    drawn = run(Search(study, plan, device="cpu"))
    assert rates == [SETTINGS.learning_rate_of(n // SETTINGS.population) for n in range(SEATS)]
    ours, theirs = scores(study), scores(finished.study)
    assert ours.keys() == theirs.keys()
    assert {seat.generation for seat in ours if ours[seat] == theirs[seat]} == {0}
    # Both of a pair, and no others, begin with the same weights.
    begun = [trial.user_attrs["weights_version"] for trial in study.trials]
    assert begun == [number // 2 for number in range(SEATS)]
    by_loss = sorted(ours, key=ours.__getitem__)  # of all generations
    finalists = drawn.choose().finalists
    found = {seat_of(study.trials[f.trial]) for f in finalists if f.trial is not None}
    assert found == set(by_loss[:FINALISTS])


def test_a_loss_of_zero_is_a_loss(data: Path, tmp_path: Path) -> None:
    search = begin(optuna.create_study(), tmp_path, data)
    assert summary_of(search.population, 0) is None
    for value in (0.0, 0.0, 0.0, 8.0):
        trial = search.study.ask({**SPACE.distributions})
        search.study.tell(trial, value)
    summary = summary_of(search.population, 0)
    assert summary is not None
    assert summary[:2] == (0.0, 0.0)


# --- the choice


def test_finalists_are_the_best_distinct_members_of_the_last_generation(finished: Search) -> None:
    before = finished.objective.weights.snapshot()
    heard: list[None] = []
    choice = finished.choose(lambda: heard.append(None))
    assert same_bits(finished.objective.weights.snapshot(), before)
    last = [t for t in finished.study.trials if t.user_attrs["generation"] == 2]
    distinct = {SPACE.genotype(trial.params) for trial in last}
    assert len(choice.finalists) == min(FINALISTS, len(distinct))
    assert {finalist.genotype for finalist in choice.finalists} == distinct
    assert len(heard) == len(choice.finalists) + RANDOM_ARCHITECTURES
    assert list(choice.finalists) == sorted(choice.finalists, key=lambda f: f.loss)
    for finalist in choice.finalists:
        same = [t for t in last if SPACE.genotype(t.params) == finalist.genotype]
        best = min(same, key=lambda t: (t.value, t.number))
        assert (finalist.trial, finalist.search_loss) == (best.number, best.value)
        score = finished.objective.evaluate(finalist.genotype)
        assert (finalist.loss, finalist.accuracy) == (score.loss, score.accuracy)
    assert choice.winner == choice.finalists[0]
    rng = np.random.default_rng([SEED, SETTINGS.generations])
    accuracies = [
        finished.objective.evaluate(SPACE.random(rng)).accuracy for _ in range(RANDOM_ARCHITECTURES)
    ]
    assert list(choice.random_accuracies) == accuracies
    assert choice.random_accuracy == statistics.median(accuracies)
    assert choice.generations == SETTINGS.generations
    assert Choice.stored_in(finished.study) == choice
    assert finished.choose() == choice


@pytest.mark.slow
def test_no_more_than_a_few_are_finalists(data: Path, tmp_path: Path) -> None:
    search = run(begin(optuna.create_study(), tmp_path, data, population=8, generations=1))
    choice = search.choose()
    assert len(choice.finalists) == FINALISTS
    kept = {finalist.search_loss or 0.0 for finalist in choice.finalists}
    losses = sorted({t.value for t in search.study.trials if t.value is not None})
    assert max(kept) == losses[FINALISTS - 1]


def test_a_choice_does_not_depend_on_interruptions(data: Path, tmp_path: Path) -> None:
    study = optuna.create_study()
    first = run(begin(study, tmp_path, data)).choose()
    assert go_on(study).choose() == first


@pytest.mark.slow
def test_a_learner_widowed_in_the_last_pair_is_committed_before_the_choice(
    data: Path, tmp_path: Path
) -> None:
    # Which training overflows is decided by how the CPU rounds.
    diverging: dict[str, Any] = {"learning_rate": 300.0, "clip": 1e6, "drop_path": 0.0}
    for seed in range(50):
        study, out = optuna.create_study(), tmp_path / str(seed)
        search = run(begin(study, out, data, seed=seed, generations=1, **diverging))
        version = search.objective.weights.version
        if search.objective.waiting:
            with suppress(SearchError):  # nothing of it has a finite loss
                choice = search.choose()
                break
    else:
        pytest.fail("no seed widows a learner")
    assert not search.objective.waiting
    assert search.objective.weights.version == version + 1
    assert all(math.isfinite(finalist.loss) for finalist in choice.finalists)
    resumed = go_on(search.study)
    assert not resumed.objective.waiting
    assert same_bits(resumed.objective.weights.snapshot(), search.objective.weights.snapshot())


def test_a_search_of_which_nothing_can_be_scored_ends_in_one_line(
    data: Path, tmp_path: Path
) -> None:
    search = begin(
        optuna.create_study(), tmp_path, data, population=2, generations=1, learning_rate=1e12
    )
    run(search)
    assert [trial.state for trial in search.study.trials] == [TrialState.FAIL] * 6
    with pytest.raises(SearchError, match="no architecture of the last generation") as caught:
        search.choose()
    assert "\n" not in str(caught.value)
    run(go_on(search.study))  # there are no weights, and none are missed
    assert len(search.study.trials) == 6


# --- more generations


@pytest.mark.slow
def test_with_a_level_schedule_an_extended_search_is_the_longer_one(
    data: Path, tmp_path: Path, finished: Search
) -> None:
    level: dict[str, Any] = {"learning_rate": 0.1, "learning_rate_end": 0.1, "drop_path": 0.0}
    study, whole = optuna.create_study(), optuna.create_study()
    run(begin(study, tmp_path / "a", data, generations=1, **level)).choose()
    run(go_on(study, generations=2)).choose()
    extended = run(go_on(study, generations=3))
    longer = run(begin(whole, tmp_path / "b", data, generations=3, **level))
    assert scores(study) == scores(whole)
    assert same_bits(extended.objective.weights.snapshot(), longer.objective.weights.snapshot())
    assert extended.choose() == longer.choose()


def test_a_search_that_is_extended_in_its_first_generation_is_the_longer_one(
    data: Path, tmp_path: Path, finished: Search
) -> None:
    study = optuna.create_study()
    run(begin(study, tmp_path, data, generations=1))
    extended = run(go_on(study, generations=3))
    assert scores(study) == scores(finished.study)
    assert same_bits(extended.objective.weights.snapshot(), finished.objective.weights.snapshot())


@pytest.mark.slow
def test_otherwise_what_was_scored_stays_and_the_schedule_is_the_new_one(
    data: Path, tmp_path: Path, finished: Search
) -> None:
    study = optuna.create_study()
    run(begin(study, tmp_path, data, generations=2)).choose()
    before = scores(study)
    extended = run(go_on(study, generations=3))
    assert scores(study).items() >= before.items()
    assert len(scores(study)) == SEATS
    assert before != {s: v for s, v in scores(finished.study).items() if s.generation < 2}
    assert extended.choose().generations == 3


# --- what is refused


def test_weights_that_are_missing_are_refused(data: Path, tmp_path: Path) -> None:
    study = optuna.create_study(study_name="s")
    run(begin(study, tmp_path / "a", data, generations=1))
    shutil.move(tmp_path / "a", tmp_path / "b")
    with pytest.raises(
        SearchError, match=r"study 's' has scores, but no weights in .*: give the"
    ) as caught:
        go_on(study)
    assert "\n" not in str(caught.value)
    moved = SearchPlan.of(study, SearchRequest(out=str(tmp_path / "b")))
    assert Search(study, moved, device="cpu").scored == SETTINGS.population


def test_a_damaged_weights_file_is_replaced_by_the_one_before(data: Path, tmp_path: Path) -> None:
    study = optuna.create_study()
    run(begin(study, tmp_path, data, generations=1))
    newest = max(tmp_path.glob("*.safetensors"), key=lambda path: path.name)
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="the search goes on from the weights before, of version"):
        assert run(go_on(study, generations=2)).scored == 2 * SETTINGS.population


def other_process(search: Search) -> subprocess.Popen[bytes]:
    """Return a live process that seems to run the study's last trial."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    trial = search.study.ask()
    worker = this_worker() | {"pid": process.pid, "start": float(fields[19])}
    Claim(Seat(0, 0), worker, "RelativeNASSampler").write(search.study._storage, trial._trial_id)
    return process


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the start of a process")
def test_the_seat_of_another_process_is_left_to_it_until_it_dies(
    data: Path, tmp_path: Path
) -> None:
    study = optuna.create_study(study_name="my study")
    search = begin(study, tmp_path, data, generations=1)
    heard: list[Seat | None] = []
    with other_process(search) as process:

        def hear(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
            heard.append(seat_of(trial))
            if len(heard) == 3:
                process.communicate(b"\n")

        search.run([hear])
    assert heard == [Seat(0, 2), Seat(0, 3), Seat(0, 1), Seat(0, 0)]
    assert study.trials[0].state == TrialState.FAIL


def test_a_seed_out_of_range_is_refused_before_the_study_is_touched(
    data: Path, tmp_path: Path
) -> None:
    study = optuna.create_study()
    with pytest.raises(ValueError, match="seed must be a whole number"):
        begin(study, tmp_path, data, seed=-1)
    assert not study.user_attrs


def test_fewer_generations_than_were_searched_are_refused(data: Path, tmp_path: Path) -> None:
    study = optuna.create_study(study_name="s")
    run(begin(study, tmp_path, data, generations=2))
    with pytest.raises(SearchError, match="generations must be at least 2, for study 's'"):
        go_on(study, generations=1)
    assert go_on(study, generations=2).scored == 2 * SETTINGS.population
