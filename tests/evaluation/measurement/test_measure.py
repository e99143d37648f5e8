"""Test accuracy, cost and latency of networks against plain torch."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from relativenas_optuna.evaluation.measurement.latency import latency
from relativenas_optuna.evaluation.measurement.measure import Measured, measure
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.networks import CellNetwork, CifarNetwork, Cost, cost
from relativenas_optuna.training.data.images import Images
from relativenas_optuna.training.loop import Evaluation
from tests.helpers.small_standalone import GENOTYPE

CLASSES = 7


def network(classes: int = CLASSES, *, auxiliary: bool = False) -> CellNetwork:
    """With running statistics that are not those of the beginning."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = CifarNetwork(
            GENOTYPE, channels=2, cells=3, num_classes=classes, auxiliary=auxiliary
        )
        built.train()(torch.randn(8, 3, 29, 29))
    return built


def labelled(classes: int = CLASSES, count: int = 40) -> Images:
    generator = torch.Generator().manual_seed(1)
    return Images(
        images=torch.randint(256, (count, 3, 8, 9), generator=generator, dtype=torch.uint8),
        labels=torch.randint(classes - 1, (count,), generator=generator),  # none of the last
        classes=tuple(map(str, range(classes))),
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4),
    )


def measured(of: CellNetwork, images: Images, batch_size: int = 16) -> Measured:
    return measure(of, images, batch_size=batch_size, seconds=0.0)


@torch.no_grad()
def expected(of: CellNetwork, images: Images) -> Tensor:
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (images.mean, images.std))
    logits = of.eval()((images.images.float() / 255 - mean) / std)
    assert isinstance(logits, Tensor)
    return logits


@pytest.mark.parametrize("auxiliary", [False, True])
def test_figures_equal_those_of_plain_torch(auxiliary: bool) -> None:
    of, images = network(auxiliary=auxiliary), labelled()
    batches: list[None] = []
    found = measure(of, images, batch_size=16, seconds=0.0, on_batch=lambda: batches.append(None))
    assert len(batches) == 3
    logits, truth = expected(of, images), images.labels
    taken = logits.argmax(1)
    loss = functional.cross_entropy(logits, truth)
    assert found.scored.loss == pytest.approx(float(loss), rel=1e-5)
    assert found.scored.accuracy == pytest.approx(float((taken == truth).float().mean()))
    assert found.scored.count == 40
    assert found.error == pytest.approx(float((taken != truth).float().mean()))
    among = (logits.topk(5).indices == truth[:, None]).any(1)
    assert found.top5 == pytest.approx(float(among.float().mean()))
    pairs = torch.zeros(CLASSES, CLASSES, dtype=torch.int64)
    for true, other in zip(truth, taken, strict=True):
        pairs[true, other] += 1
    assert found.confusion == pairs.tolist()
    assert found.confusion[-1] == [0] * CLASSES
    # The auxiliary head is neither counted nor run.
    assert found.cost == cost(network(), (3, 8, 9))
    assert not any(module.training for module in of.modules())
    assert [one.batch_size for one in found.latencies] == [1, 16]
    assert all(one.median > 0 and one.measurements >= 2 for one in found.latencies)


def test_pairs_of_classes_are_named_with_the_worst_first() -> None:
    scored = Evaluation(loss=0.0, accuracy=1.0, count=19)
    confusion = [[5, 1, 0], [3, 0, 1], [0, 0, 9]]
    found = Measured(scored=scored, top5=None, confusion=confusion, cost=Cost(1, 1), latencies=[])
    pairs = [(pair.true, pair.taken, pair.count, pair.of) for pair in found.most_confused(2)]
    assert pairs == [(1, 0, 3, 4), (0, 1, 1, 6)]
    assert len(found.most_confused(9)) == 3
    assert replace(found, confusion=[[5, 0], [0, 2]]).most_confused(9) == []


def test_batches_of_one_have_one_latency() -> None:
    found = measured(network(5), labelled(5), batch_size=1)
    (only,) = found.latencies
    assert (only.batch_size, only.threads) == (1, torch.get_num_threads())
    assert found.top5 is None


class Waiting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.shapes: set[tuple[int, ...]] = set()

    def forward(self, images: Tensor) -> Tensor:
        assert torch.is_inference_mode_enabled()
        assert images.is_contiguous(memory_format=torch.channels_last)
        self.shapes.add(tuple(images.shape))
        time.sleep(0.003)
        return images


def test_latency_is_the_time_of_one_call() -> None:
    waiting = Waiting()
    found = latency(waiting, (3, 5, 6), 4, seconds=0.002)
    assert waiting.shapes == {(4, 3, 5, 6)}
    assert found.measurements >= 2
    assert 0.003 <= found.median < 0.3
    assert found.interquartile_range < found.median * 100


def test_networks_and_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="at least 1 image"):
        measured(network(), labelled().subset([]))
    small = replace(labelled(), images=labelled().images[..., :2, :2])
    with pytest.raises(ValueError, match="height and width of at least 4"):
        measured(network(), small)
    broken = network()
    with torch.no_grad():
        broken.classifier.bias[0] = torch.inf
    with pytest.raises(ValueError, match="the logits of the network are not finite"):
        measured(broken, labelled())
