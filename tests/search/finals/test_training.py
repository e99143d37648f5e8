from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from relativenas_optuna.networks.io.tensors_file import load
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.finals.training import FinalsTrainer
from relativenas_optuna.spaces.space_genotype import SpaceGenotype
from tests.helpers.tiny_search import SETTINGS, SPACE, same_bits, tiny_images

FINALS = FinalsSettings(cells=3, channels=2)
TRAINING, VALIDATION = tiny_images().split(0.5, seed=0)
ONE, OTHER = (SPACE.random(np.random.default_rng(seed)) for seed in (0, 1))


def trainer(folder: Path | None = None, **changes: Any) -> FinalsTrainer:
    arguments: dict[str, Any] = {
        "settings": FINALS,
        "search": SETTINGS,
        "built_in": True,
        "epochs": (1, 2),
        "seed": 3,
        "folder": folder,
    }
    return FinalsTrainer(TRAINING, VALIDATION, **arguments | changes)


def weights(folder: Path) -> list[dict[str, torch.Tensor]]:
    return [load(path)[0] for path in sorted(folder.iterdir())]


def test_a_rung_goes_on_from_the_rung_before_wherever_it_was_trained(tmp_path: Path) -> None:
    whole = trainer()
    scores = [whole.train(ONE, rung) for rung in (0, 1)]
    assert scores[0] != scores[1]
    assert [trainer(tmp_path).train(ONE, rung) for rung in (0, 1)] == scores
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    kept = weights(tmp_path)
    for path in files:  # also where a file is damaged, or where all of them are missing
        path.write_bytes(path.read_bytes()[:-1])
    assert trainer(tmp_path).train(ONE, 1) == scores[1]
    assert all(map(same_bits, weights(tmp_path), kept))
    for path in files:
        path.unlink()
    assert trainer(tmp_path).train(ONE, 1) == scores[1]
    assert all(map(same_bits, weights(tmp_path), kept))


def test_what_is_stored_is_not_trained_again(tmp_path: Path) -> None:
    batches: list[None] = []
    first = trainer(tmp_path).train(ONE, 0, lambda: batches.append(None))
    steps = -(-len(TRAINING) // SETTINGS.batch_size)
    assert len(batches) == steps
    assert trainer(tmp_path).train(ONE, 0, lambda: batches.append(None)) == first
    assert len(batches) == steps
    trainer(tmp_path).train(ONE, 1, lambda: batches.append(None))
    assert len(batches) == 3 * steps


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 4},
        {"epochs": (2, 2)},
        {"settings": replace(FINALS, channels=3)},
        {"settings": replace(FINALS, learning_rate=0.1)},
        {"settings": replace(FINALS, pixels=6)},
        {"settings": replace(FINALS, batch_size=10)},
        {"search": replace(SETTINGS, momentum=0.5)},
    ],
)
def test_another_training_takes_nothing_that_is_stored(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    trainer(tmp_path).train(ONE, 0)
    assert trainer(tmp_path, **changes).train(ONE, 0) == trainer(**changes).train(ONE, 0)
    assert len(list(tmp_path.iterdir())) == 2
    trainer(tmp_path).train(OTHER, 0)
    assert len(list(tmp_path.iterdir())) == 3


def test_settings_of_later_rungs_and_of_the_shortlist_take_what_is_stored(tmp_path: Path) -> None:
    trainer(tmp_path).train(ONE, 0)
    more = replace(FINALS, shortlist=16, rungs=2, target="full")
    trainer(tmp_path, epochs=(1, 5, 6), settings=more).train(ONE, 0)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_learning_rate_falls_to_zero_in_every_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    step = torch.optim.SGD.step

    def noted(self: torch.optim.SGD, *arguments: Any, **options: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", noted)
    trainer().train(ONE, 1)
    steps = -(-len(TRAINING) // SETTINGS.batch_size)
    assert len(rates) == 3 * steps
    for rung in (rates[:steps], rates[steps:]):
        assert rung[0] == FINALS.learning_rate
        assert rung == sorted(rung, reverse=True)
    assert rates[-1] < 0.05 * FINALS.learning_rate


def test_a_training_that_diverges_has_no_loss_and_no_file(tmp_path: Path) -> None:
    wild = trainer(tmp_path, settings=replace(FINALS, learning_rate=1e30))
    for rung in (0, 1):
        score = wild.train(ONE, rung)
        assert (score.loss, score.accuracy, score.diverged) == (None, 0.0, True)
    assert not list(tmp_path.iterdir())


def test_torchs_random_numbers_stay_as_they_are() -> None:
    before = torch.random.get_rng_state()
    trainer().train(ONE, 0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_parameters_are_those_of_the_trained_network(tmp_path: Path) -> None:
    trainer(tmp_path).train(ONE, 0)
    (tensors,) = weights(tmp_path)
    learnt = [t for n, t in tensors.items() if "running_" not in n and "num_batches" not in n]
    assert trainer().parameters(ONE) == sum(tensor.numel() for tensor in learnt)


def test_architectures_of_other_spaces_are_trained_too() -> None:
    cell = SpaceGenotype(
        "nasbench201", "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
    )
    assert not trainer().train(cell, 0).diverged
