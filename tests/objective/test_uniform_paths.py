from __future__ import annotations

import math
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState

from relativenas_optuna.exceptions import DivergedError
from relativenas_optuna.objective.checkpoints import Checkpoint, FilePointer
from relativenas_optuna.objective.settings import preset
from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.objective.uniform_paths import UniformProgress
from relativenas_optuna.samplers import RelativeNASSampler
from relativenas_optuna.spaces import Genotype, NASBench201, NASBench201Cell
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from relativenas_optuna.training import Images
from relativenas_optuna.training.loop import Evaluation
from tests.helpers import supernet_reference, uniform_reference
from tests.helpers.tiny_search import (
    SEED,
    SETTINGS,
    SPACE,
    Scoring,
    kept_in,
    objective,
    same_bits,
    scores,
    study,
    tiny_images,
)

EPOCHS = 3
WAY: dict[str, Any] = {"uniform_epochs": EPOCHS}


def uniform(**options: Any) -> Scoring:
    return objective(**WAY | options)


def prepared(scoring: Scoring) -> list[UniformProgress]:
    found: list[UniformProgress] = []
    scoring.prepare(study(), found.append)
    return found


@cache
def weights() -> dict[str, torch.Tensor]:
    """Return the weights after the training, in memory and undisturbed."""
    scoring = uniform()
    prepared(scoring)
    return scoring.weights.snapshot()


class Ended(BaseException):
    """The end of a process, as far as one process can show it."""


def ends(scoring: Scoring, epochs: int) -> None:
    """Train until some epochs are done, and end there."""

    def report(progress: UniformProgress) -> None:
        if progress.done == epochs:
            raise Ended

    with pytest.raises(Ended):
        scoring.prepare(study(), report)


@pytest.mark.parametrize("stage", [1, 3])
def test_the_training_is_the_plain_loop_to_the_last_bit(
    stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relativenas_optuna.objective.settings._STAGES", EPOCHS // stage)
    scoring = uniform()
    oracle = supernet_reference.initial_supernet(
        SPACE, tiny_images(), scoring.settings, scoring.seed
    )
    stages = [[0], [1], [2]] if stage == 1 else [[0, 1, 2]]
    uniform_reference.train(
        oracle, scoring.training, scoring.settings, SPACE.random, seed=SEED, stages=stages
    )
    assert [p.done for p in prepared(scoring)] == (
        [0, 1, 1, 2, 2, 3] if stage == 1 else [0, 1, 2, 3]
    )
    assert same_bits(scoring.supernet.state_dict(), oracle.state_dict())
    assert all(parameter.grad is None for parameter in scoring.supernet.parameters())


def test_trials_are_scored_from_the_same_weights_and_change_none() -> None:
    scoring = uniform()
    found = study()
    found.optimize(scoring, n_trials=2 * SETTINGS.population)
    assert same_bits(scoring.weights.snapshot(), weights())
    for trial in found.trials:
        assert trial.value == scoring.evaluate(SPACE.genotype(trial.params)).score
        assert trial.user_attrs["weights_version"] == len(scoring.settings.uniform_stages)
        assert "train_loss" not in trial.user_attrs
        assert 0 <= trial.user_attrs["accuracy"] <= 1
    assert not scoring.waiting


def test_a_score_calibrates_the_batch_norms_on_a_bounded_number_of_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    genotype = SPACE.random(np.random.default_rng(0))
    exact = uniform()
    prepared(exact)
    assert exact.evaluate(genotype) == exact._trainer.evaluate(genotype)  # of 30 images
    monkeypatch.setattr("relativenas_optuna.objective.uniform_paths.CALIBRATION_IMAGES", 20)
    bounded = uniform()
    prepared(bounded)
    seen: list[int] = []
    before = bounded._trainer.calibrated_score

    def counted(genotype: Genotype, images: Images) -> Evaluation:
        seen.append(len(images))
        return before(genotype, images)

    monkeypatch.setattr(bounded._trainer, "calibrated_score", counted)
    assert bounded.evaluate(genotype) == bounded.evaluate(genotype)
    assert seen == [20]


@pytest.mark.parametrize("place", ["memory", "checkpoint"])
@pytest.mark.parametrize("epochs", range(EPOCHS + 1))
def test_an_interrupted_training_is_the_uninterrupted_one_to_the_last_bit(
    epochs: int, place: str, tmp_path: Path
) -> None:
    first = uniform(checkpoint=kept_in(tmp_path) if place == "checkpoint" else None)
    ends(first, epochs)
    second = first if place == "memory" else uniform(checkpoint=kept_in(tmp_path))
    progress = prepared(second)
    # The end came before the commit of the epoch, whose stage is trained again.
    assert progress[0].done == max(0, epochs - 1)
    assert progress[-1] == UniformProgress(done=EPOCHS, total=EPOCHS)
    assert same_bits(second.weights.snapshot(), weights())
    assert not prepared(uniform(checkpoint=kept_in(tmp_path))) or place == "memory"


def test_the_first_of_two_processes_that_train_a_stage_commits_it(tmp_path: Path) -> None:
    """As in a store without locks, where both train at the same time."""
    fast, slow = (uniform(checkpoint=kept_in(tmp_path)) for _ in range(2))

    def overtaken(progress: UniformProgress) -> None:
        if progress.done == 1 and fast.weights.version == 0:
            monkey.undo()
            prepared(fast)

    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(Checkpoint, "training_lock", lambda _: nullcontext(True))
        slow.prepare(study(), overtaken)
    assert same_bits(slow.weights.snapshot(), weights())
    assert same_bits(fast.weights.snapshot(), weights())
    record = kept_in(tmp_path).record()
    assert record is not None
    assert record.version == EPOCHS


def test_a_process_waits_while_another_one_trains(tmp_path: Path) -> None:
    waiting, training = (uniform(checkpoint=kept_in(tmp_path)) for _ in range(2))
    seen: list[UniformProgress] = []
    with kept_in(tmp_path).training_lock() as free:
        assert free

        def interrupt(progress: UniformProgress) -> None:
            seen.append(progress)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            waiting.prepare(study(), interrupt)
    assert seen == [UniformProgress(done=0, total=EPOCHS, waiting=True)]
    assert prepared(training)[0] == UniformProgress(done=0, total=EPOCHS)
    assert not prepared(waiting)
    assert same_bits(waiting.weights.snapshot(), weights())


def test_a_damaged_file_costs_one_stage(tmp_path: Path) -> None:
    prepared(uniform(checkpoint=kept_in(tmp_path)))
    record = kept_in(tmp_path).record()
    assert record is not None
    (tmp_path / record.versions[0].file.name).write_bytes(b"")
    with pytest.warns(UserWarning, match="the search goes on from the weights before"):
        again = uniform(checkpoint=kept_in(tmp_path))
    assert prepared(again)[0].done == EPOCHS - 1
    assert same_bits(again.weights.snapshot(), weights())


def test_a_diverging_training_says_what_to_change() -> None:
    scoring = uniform(learning_rate=1e30, clip=1e9)
    before = scoring.weights.snapshot()
    with pytest.raises(DivergedError, match=r"diverged in epoch 1 of 3 .* below 1e\+30"):
        scoring.prepare(study())
    assert same_bits(scoring.weights.snapshot(), before)
    found = study()
    with pytest.raises(DivergedError):
        found.optimize(scoring, n_trials=1)
    assert found.trials[0].state == TrialState.FAIL
    assert INTERRUPTED_KEY in found.trials[0].system_attrs


def test_tuning_trains_a_copy_of_the_candidate() -> None:
    scoring, plain = uniform(tuning=0.5), uniform()
    found = study()
    found.optimize(scoring, n_trials=4)
    prepared(plain)
    assert same_bits(scoring.weights.snapshot(), weights())
    for trial in found.trials:
        genotype = SPACE.genotype(trial.params)
        assert trial.value == scoring.evaluate(genotype).score
        assert trial.value != plain.evaluate(genotype).score


def test_a_study_keeps_its_number_of_epochs() -> None:
    found = study()
    found.optimize(uniform(), n_trials=1)
    with pytest.raises(ValueError, match=r"uniform_epochs must be 3, .* got 0"):
        found.optimize(objective(), n_trials=1)
    other = study()
    other.optimize(objective(), n_trials=1)
    with pytest.raises(ValueError, match=r"uniform_epochs must be 0, .* got 3"):
        other.optimize(uniform(), n_trials=1)


@pytest.mark.filterwarnings("error")
def test_a_sampler_that_keeps_scores_is_right_with_it() -> None:
    def searched() -> optuna.Study:
        found = study(
            sampler=RelativeNASSampler(
                SPACE.distributions, population_size=4, seed=SEED, preset="plain"
            )
        )
        found.optimize(uniform(), n_trials=10)
        return found

    one, other = searched(), searched()
    assert scores(one) == scores(other)
    assert len(one.trials) == len(other.trials) == 10


def test_pruning_is_refused() -> None:
    with pytest.raises(ValueError, match="pruning must be False"):
        SupernetObjective(
            SPACE, tiny_images(), settings=replace(SETTINGS, **WAY), device="cpu", pruning=True
        )


def test_only_representatives_are_drawn_and_scored() -> None:
    space = NASBench201()
    drawn: list[NASBench201Cell] = []

    def paths(rng: np.random.Generator) -> NASBench201Cell:
        drawn.append(space.random(rng))
        return drawn[-1]

    scoring = SupernetObjective(
        space,
        tiny_images(),
        settings=replace(SETTINGS, uniform_epochs=2),
        seed=SEED,
        device="cpu",
        paths=paths,
    )
    run: list[NASBench201Cell] = []
    forward = scoring.supernet.forward

    def noted(images: torch.Tensor, cell: NASBench201Cell, **options: Any) -> torch.Tensor:
        run.append(cell)
        logits: torch.Tensor = forward(images, cell, **options)
        return logits

    scoring.supernet.forward = noted
    scoring.prepare(study())
    assert run == [cell for cell in drawn if space.canonical(cell) == cell]
    assert len(run) == 2 * math.ceil(30 / SETTINGS.batch_size)
    conv = space.parse("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    renamed = space.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
    broken = space.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert scoring.evaluate(conv) == scoring.evaluate(renamed)
    assert math.isfinite(scoring.evaluate(broken).loss)


def test_stages_cover_all_epochs_in_order() -> None:
    for epochs in (0, 1, 9, 10, 24, 32, 600):
        settings = replace(preset("small"), uniform_epochs=epochs)
        assert [e for stage in settings.uniform_stages for e in stage] == list(range(epochs))
        assert len(settings.uniform_stages) <= 19
    assert settings.uniform_learning_rate_of(0) == settings.learning_rate


def test_a_copy_of_the_supernet_is_not_touched() -> None:
    scoring = uniform()
    copy = deepcopy(scoring.supernet.state_dict())
    ends(scoring, 0)
    assert same_bits(scoring.supernet.state_dict(), copy)


def test_a_pointer_names_the_number_of_stages(tmp_path: Path) -> None:
    ends(uniform(checkpoint=kept_in(tmp_path)), 2)
    record = Checkpoint(
        tmp_path, pointer=FilePointer(tmp_path / "weights.json"), search="s"
    ).record()
    assert record is not None
    assert record.version == 1
