"""Any space, supernet, loss and metric through the trainer that searches use."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from relativenas_optuna.networks import NASBench201Supernet, ProtocolError, cost
from relativenas_optuna.objective.candidate import CandidateTrainer
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.spaces import NASBench201, Space
from relativenas_optuna.training import DataError, Images, Stopped
from tests.helpers.tiny_search import SEED, SETTINGS, SPACE, same_bits, tiny_images
from tests.networks.test_conformance import Switch

PLACE = Seat(0, 0)


class Arms(nn.Module):
    """One of two convolutions before a classifier that both share."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.arms = nn.ModuleDict(
            {
                name: nn.Conv2d(in_channels, 4, kernel)
                for name, kernel in (("left", 3), ("right", 5))
            }
        )
        self.norm = nn.BatchNorm2d(4)
        self.classifier = nn.Linear(4, classes)

    def forward(
        self,
        images: Tensor,
        genotype: str,
        *,
        drop_path: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        features = self.norm(self.arms[genotype](images)).relu()
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits

    def tensors(self, genotype: str) -> dict[str, Tensor]:
        parts = (f"arms.{genotype}.", "norm.", "classifier.")
        state = self.state_dict(keep_vars=True)
        return {name: tensor for name, tensor in state.items() if name.startswith(parts)}


def trainer(
    space: Space[Any] = SPACE,
    *,
    data: Images | None = None,
    settings: SearchSettings = SETTINGS,
    **options: Any,
) -> CandidateTrainer[Any]:
    training, validation = (data or tiny_images()).split(seed=SEED)
    return CandidateTrainer(space, training, validation, settings=settings, seed=SEED, **options)


def own(**options: Any) -> CandidateTrainer[Any]:
    return trainer(Switch(), **options)


def test_mixed_precision_is_that_of_training_and_of_scoring_and_not_of_the_weights() -> None:
    types = []

    class Seen(Arms):
        def forward(self, images: Tensor, genotype: str, **options: Any) -> Tensor:
            logits = super().forward(images, genotype, **options)
            types.append((self.training, logits.dtype))
            return logits

    training = own(supernet=Seen, settings=dataclasses.replace(SETTINGS, precision="bfloat16"))
    types.clear()
    outcome = training.train("left", PLACE)
    assert set(types) == {(True, torch.bfloat16), (False, torch.bfloat16)}
    assert {t.dtype for t in outcome.trained.tensors.values() if t.is_floating_point()} == {
        torch.float32
    }
    assert math.isfinite(outcome.score.loss)


def test_mixed_precision_computes_as_float32_does_but_for_rounding() -> None:
    architecture = SPACE.random(np.random.default_rng(0))
    losses = {
        precision: trainer(settings=dataclasses.replace(SETTINGS, precision=precision))
        .train(architecture, PLACE)
        .score.loss
        for precision in ("float32", "bfloat16")
    }
    assert losses["float32"] != losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


def test_a_supernet_of_ones_own_is_trained_and_scored_and_put_back() -> None:
    training = own(supernet=Arms)
    before = training.weights.snapshot()
    outcomes = [training.train(name, PLACE) for name in ("left", "right", "left")]
    assert same_bits(training.weights.snapshot(), before)
    assert outcomes[0].score == outcomes[2].score != outcomes[1].score
    training.weights.commit_pair(outcomes[0].trained, outcomes[1].trained)
    after = training.weights.snapshot()
    assert not torch.equal(after["arms.right.weight"], before["arms.right.weight"])
    assert math.isfinite(training.evaluate("left").loss)
    assert same_bits(training.weights.snapshot(), after)


def test_what_builds_a_supernet_draws_its_weights_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    world = torch.get_rng_state()
    first = own(supernet=Arms).weights.snapshot()
    assert torch.equal(torch.get_rng_state(), world)
    torch.manual_seed(2)
    assert same_bits(own(supernet=Arms).weights.snapshot(), first)


def test_a_supernet_that_was_built_keeps_its_weights() -> None:
    supernet = Arms(1, 10)
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    assert same_bits(own(supernet=supernet).weights.snapshot(), before)


def test_nasbench201_has_a_supernet_of_its_own() -> None:
    space = NASBench201()
    training = trainer(space, settings=dataclasses.replace(SETTINGS, cells=5))
    supernet = training.supernet
    assert isinstance(supernet, NASBench201Supernet)
    assert (supernet.channels, supernet.stage_cells) == (SETTINGS.channels, 1)
    genotype = space.random(np.random.default_rng(0))
    outcome = training.train(genotype, PLACE)
    assert not outcome.diverged
    assert training.costs.cost(genotype) == cost(supernet.standalone(genotype), (1, 8, 8))


def squared(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.mse_loss(logits.softmax(1), functional.one_hot(labels, 10).float())


def wrong(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(1) != labels).float().mean()


def test_loss_and_metric_of_ones_own_are_what_candidates_go_by() -> None:
    training = own(supernet=Arms, loss=squared, metric=wrong)
    outcome = training.train("left", PLACE)
    assert 0 < outcome.training.loss < 0.2  # a cross-entropy would be near 2.3
    assert 0 < outcome.score.loss < 0.2
    assert outcome.score.score == pytest.approx(1 - outcome.score.accuracy)
    untrained = training.evaluate("left")
    assert untrained.score == pytest.approx(1 - untrained.accuracy)


@pytest.mark.parametrize("metric", [None, wrong])
def test_a_loss_that_is_not_a_number_shows_in_the_outcome_and_harms_no_weights(
    metric: Any,
) -> None:
    training = own(
        supernet=Arms,
        metric=metric,
        loss=lambda logits, labels: functional.cross_entropy(logits, labels) * torch.nan,
    )
    before = training.weights.snapshot()
    outcome = training.train("left", PLACE)
    assert outcome.diverged
    assert math.isnan(outcome.training.loss)
    assert same_bits(training.weights.snapshot(), before)
    assert not own(supernet=Arms).train("left", PLACE).diverged


def test_a_candidate_that_a_report_stops_leaves_nothing_behind() -> None:
    training = own(supernet=Arms)
    before = training.weights.snapshot()
    with pytest.raises(Stopped):
        training.train("left", PLACE, report=lambda step, loss: step >= 4)
    assert same_bits(training.weights.snapshot(), before)
    reported = training.train("left", PLACE, report=lambda step, loss: step > 8)
    assert reported.score == training.train("left", PLACE).score


class Wide(Arms):
    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__(in_channels, classes + 1)


class Foreign(Arms):
    def tensors(self, genotype: str) -> dict[str, Tensor]:
        return {f"net.{name}": tensor for name, tensor in super().tensors(genotype).items()}


class Careful(Arms):
    least_size = 9


@pytest.mark.parametrize(
    ("supernet", "message"),
    [
        (Wide(1, 10), r"logits \[2, 10\] for 10 classes, got torch.float32 \[2, 11\]"),
        (Arms(3, 10), "does not take images of 1 channels and 8x8 pixels, RuntimeError"),
        (Foreign(1, 10), "names of the state dict, got 'net.arms"),
        (Careful(1, 10), "at least 9x9 pixels; got 8x8"),
    ],
)
def test_a_supernet_that_does_not_fit_is_refused_before_the_first_trial(
    supernet: nn.Module, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        own(supernet=supernet)
    assert isinstance(caught.value, ProtocolError | DataError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("supernet", "message"),
    [
        (None, "a space of your own needs supernet=.*got none for a Switch"),
        (nn.Linear(2, 2), r"a torch.nn.Module with a method tensors\(genotype\).*got Linear"),
        ("resnet", "torch.nn.Module with a method .*got str"),
        (lambda in_channels, classes: nn.Linear(2, 2), "got Linear"),
    ],
)
def test_what_is_no_supernet_is_refused(supernet: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        own(supernet=supernet)
    assert "\n" not in str(caught.value)


def test_images_of_one_class_are_refused() -> None:
    first = tiny_images().subset((tiny_images().labels == 0).nonzero().flatten())
    alike = dataclasses.replace(first, classes=("zero",))
    with pytest.raises(DataError, match="at least 2 classes, all are of class 'zero'"):
        trainer(data=alike)
