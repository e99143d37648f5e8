from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from relativenas_optuna.networks.io.tensors_file import load
from relativenas_optuna.search.finals import network_trainer
from relativenas_optuna.search.finals.network_trainer import batch_size_of
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.finals.training import FinalsTrainer
from relativenas_optuna.spaces.space_genotype import SpaceGenotype
from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.calibration import calibrate
from relativenas_optuna.training.loop import evaluate, train_epoch
from tests.helpers.tiny_search import SETTINGS, SPACE, same_bits, tiny_images

FINALS = FinalsSettings(cells=3, channels=2)
TRAINING, VALIDATION = tiny_images().split(0.5, seed=0)
BATCH = batch_size_of(len(TRAINING), most=SETTINGS.batch_size)
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
    steps = -(-len(TRAINING) // BATCH)
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


@pytest.mark.parametrize(("epochs", "shifted"), [((12, 1), 1), ((13, 1), 14), ((3, 9), 0)])
def test_only_longer_trainings_are_augmented(
    epochs: tuple[int, int], shifted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Augmentation] = []

    def noted(*arguments: Any, augmentation: Augmentation, **options: Any) -> Any:
        seen.append(augmentation)
        return train_epoch(*arguments, augmentation=augmentation, **options)

    monkeypatch.setattr(network_trainer, "train_epoch", noted)
    search = replace(SETTINGS, padding=4, cutout=2, flip=True)
    trainer(epochs=epochs, search=search).train(ONE, 1)
    assert len(seen) == sum(epochs)
    changed = [augmentation for augmentation in seen if augmentation.padding]
    assert changed == seen[len(seen) - shifted :]
    assert all(augmentation.flip for augmentation in seen)
    assert [augmentation.cutout > 0 for augmentation in seen] == [
        augmentation.padding > 0 for augmentation in seen
    ]


def test_the_average_is_over_about_the_last_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[dict[str, torch.Tensor]] = []
    scored: list[dict[str, torch.Tensor]] = []
    update = AveragedModel.update_parameters

    def noted(self: AveragedModel, network: torch.nn.Module) -> None:
        steps.append({name: t.clone() for name, t in network.state_dict().items()})
        update(self, network)

    def scoring(network: AveragedModel, *arguments: Any, **options: Any) -> Any:
        scored.append({name: t.clone() for name, t in network.module.state_dict().items()})
        return evaluate(network, *arguments, **options)

    monkeypatch.setattr(AveragedModel, "update_parameters", noted)
    monkeypatch.setattr(network_trainer, "evaluate", scoring)
    trainer(epochs=(9, 9)).train(ONE, 1)
    of_epoch = -(-len(TRAINING) // BATCH)
    assert len(steps) == 18 * of_epoch
    most = 1 - 1 / max(2, 0.8 * len(TRAINING) / BATCH)
    expected = {name: t.double() for name, t in steps[0].items()}
    for number, weights in enumerate(steps[1:], start=1):
        kept = min(most, (1 + number) / (10 + number))
        expected = {n: kept * old + (1 - kept) * weights[n] for n, old in expected.items()}
    for name, tensor in scored[-1].items():
        if "running_" not in name and "num_batches" not in name:  # these are calibrated
            torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-4, atol=1e-6)


def test_batch_norms_of_a_final_have_the_statistics_of_training_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    networks: list[AveragedModel] = []

    def scoring(network: AveragedModel, *arguments: Any, **options: Any) -> Any:
        networks.append(network)
        return evaluate(network, *arguments, **options)

    monkeypatch.setattr(network_trainer, "evaluate", scoring)
    trainer().train(ONE, 0)
    (network,) = networks
    before = {name: t.clone() for name, t in network.state_dict().items()}
    calibrate(
        network,
        TRAINING,
        module=network,
        batch_size=2 * BATCH,
        generator=torch.Generator().manual_seed(3),
        memory_format=torch.channels_last,
    )
    assert same_bits(network.state_dict(), before)


@pytest.mark.parametrize(
    ("images", "most", "size"),
    [(0, 64, 16), (719, 32, 16), (1279, 64, 16), (1280, 64, 32), (25_000, 256, 256), (9, 8, 8)],
)
def test_few_images_have_small_batches(images: int, most: int, size: int) -> None:
    assert batch_size_of(images, most=most) == size


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
    own = {n: t for n, t in tensors.items() if n.startswith("network.")}
    learnt = [t for n, t in own.items() if "running_" not in n and "num_batches" not in n]
    assert trainer().parameters(ONE) == sum(tensor.numel() for tensor in learnt)


def test_architectures_of_other_spaces_are_trained_too() -> None:
    cell = SpaceGenotype(
        "nasbench201", "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
    )
    assert not trainer().train(cell, 0).diverged
