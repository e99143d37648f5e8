"""Search, resume, workers, training, export and bfloat16 on a GPU, compared with a CPU.

`pytest -m gpu` runs them on a GPU, and `-m slow` runs the same tests on the CPU. Nothing is drawn
at random on the device here, so that both devices do the same work and differ by rounding. The
settings let a rounding error grow little: weights that are changed by 1e-5 change the losses by
less than a fifth of the tolerances.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnxruntime
import optuna
import pytest
import torch
from optuna.trial import TrialState

from relativenas_optuna.evaluation.exporting.export import export
from relativenas_optuna.networks.io.network_file import load_network
from relativenas_optuna.objective.candidate import CandidateTrainer
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.training import load_images
from relativenas_optuna.training.augmentation import normalise
from tests.cli.commands import test_worker
from tests.helpers import command, killed_search, small_standalone
from tests.helpers.tiny_search import (
    SEATS,
    SPACE,
    Scores,
    database,
    positions,
    scores,
    tiny_images,
    write_images,
)

if TYPE_CHECKING:
    from pathlib import Path

    from relativenas_optuna.evaluation.standalone.result import Epoch, Result

NO_AUGMENTATION: dict[str, Any] = {"padding": 0, "flip": False, "cutout": 0, "drop_path": 0.0}
SEARCH = NO_AUGMENTATION | {"learning_rate": 0.02, "batch_size": 15}
TRAINING = NO_AUGMENTATION | {"learning_rate": 0.1, "batch_size": 22}
TOLERANCE = 2e-4  # of losses of a search, in nats
TRAINING_TOLERANCE = 2e-3
BFLOAT16_TOLERANCE = 5e-2

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="processes are forked from a server"
)


@pytest.fixture(
    params=[
        pytest.param("cpu", marks=pytest.mark.slow),
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
            ],
        ),
    ]
)
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the device of a test; convolutions on it round to float32, not to TF32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    name: str = request.param
    return name


class Searched(NamedTuple):
    """The scores of a finished search, and the positions of its generations."""

    scores: Scores
    positions: list[list[list[float]]]


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """Search on the CPU without an interruption."""
    folder, study = tmp_path_factory.mktemp("cpu"), optuna.create_study()
    data = write_images(folder / "data")
    killed_search.begin(study, folder / "out", data, **SEARCH).run()
    found = Searched(scores(study), positions(study))
    pairs = [(seat, Seat(seat.generation, seat.number + 1)) for seat in found.scores]
    gaps = [abs(found.scores[a] - found.scores[b]) for a, b in pairs if a.number % 2 == 0]
    # Rounding within the tolerance makes no other learner the fast one.
    assert min(gaps) > 2 * TOLERANCE
    return found


def assert_equal(study: optuna.Study, expected: Searched) -> None:
    """Check that every seat has one score, and that the populations are the expected ones."""
    found = scores(study)
    assert len(found) == SEATS
    assert found == pytest.approx(expected.scores, abs=TOLERANCE)
    assert positions(study) == expected.positions


def test_a_search_has_the_scores_and_populations_of_the_cpu(
    device: str, on_cpu: Searched, tmp_path: Path
) -> None:
    study, data = optuna.create_study(), write_images(tmp_path / "data")
    killed_search.begin(study, tmp_path / "out", data, device=device, **SEARCH).run()
    assert_equal(study, on_cpu)


def test_a_search_killed_twice_has_the_scores_and_populations_of_the_cpu(
    device: str, on_cpu: Searched, tmp_path: Path
) -> None:
    url, data = f"sqlite:///{tmp_path / 's.db'}", write_images(tmp_path / "data")
    for point, killed in (("training", True), ("told", True), ("never", False)):
        process, _ = killed_search.process(
            url, tmp_path / "out", data, point=point, device=device, **SEARCH
        )
        process.join()
        assert (process.exitcode != 0) == killed
    with database(url) as storage:
        study = optuna.load_study(storage=storage, study_name="s")
        assert not study.get_trials(states=[TrialState.RUNNING])
        assert_equal(study, on_cpu)


def test_two_workers_score_every_seat_once(
    device: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    test_worker.plan(write_images(folder / "data"), generations=4)
    outcome = command.call(capfd, "search", "--study", "s", "--device", device, "--workers", "2")
    assert outcome.status == 0, outcome.err
    assert "ended with status" not in outcome.err
    with test_worker.searched() as study:
        test_worker.assert_scored_once(study, generations=4)


def trained(folder: Path, device: str, precision: str = "float32") -> tuple[Result, list[Epoch]]:
    """Train on images of two classes; returns the result and all epochs."""
    epochs: list[Epoch] = []
    images = folder / "images"
    if not images.exists():
        command.write_images(images, each=32)
    result = small_standalone.train(
        folder / f"{device}-{precision}",
        data=load_images(images),
        device=device,
        precision=precision,
        on_epoch=epochs.append,
        **TRAINING,
    )
    return result, epochs


def losses(epochs: list[Epoch]) -> list[float | None]:
    """Return the training loss and the validation loss of each epoch."""
    return [loss for epoch in epochs for loss in (epoch.training_loss, epoch.validation_loss)]


def test_a_training_has_the_losses_of_the_cpu(device: str, tmp_path: Path) -> None:
    _, expected = trained(tmp_path / "of_cpu", "cpu")
    assert expected[-1].training_loss < expected[0].training_loss / 2
    _, found = trained(tmp_path, device)
    assert losses(found) == pytest.approx(losses(expected), abs=TRAINING_TOLERANCE)


def test_a_training_in_bfloat16_has_nearly_the_losses_of_float32(
    device: str, tmp_path: Path
) -> None:
    _, expected = trained(tmp_path, device)
    _, found = trained(tmp_path, device, "bfloat16")
    assert losses(found) == pytest.approx(losses(expected), abs=BFLOAT16_TOLERANCE)
    assert losses(found) != pytest.approx(losses(expected), abs=1e-5)  # it was in use


def test_the_onnx_file_gives_the_logits_of_the_device(device: str, tmp_path: Path) -> None:
    result, _ = trained(tmp_path, device)
    network, description = load_network(result.network)
    (written,) = export(network, description, ("onnx",), tmp_path / "exported")
    images = load_images(tmp_path / "images").to(torch.device(device))
    with torch.inference_mode():
        logits = network.to(device).eval()(normalise(images.images, *images.statistics()))
    session = onnxruntime.InferenceSession(str(written.path), providers=["CPUExecutionProvider"])
    inputs = images.images.cpu().numpy().astype(np.float32) / 255
    (exported,) = session.run(None, {"images": inputs})
    torch.testing.assert_close(torch.from_numpy(exported), logits.cpu(), rtol=1e-3, atol=1e-4)


def candidate_trainer(device: str, precision: str = "float32") -> CandidateTrainer[Any]:
    """Return a trainer of candidates for 30 digits, which are scored on 30 others."""
    settings = SearchSettings(
        **SEARCH, nodes=1, channels=2, cells=3, population=4, precision=precision
    )
    training, validation = (
        images.to(torch.device(device)) for images in tiny_images(60).split(0.5, seed=0)
    )
    return CandidateTrainer(SPACE, training, validation, settings=settings, seed=0)


def test_an_untrained_candidate_has_the_score_of_the_cpu(device: str) -> None:
    genotype = SPACE.random(np.random.default_rng(0))
    expected = candidate_trainer("cpu").evaluate(genotype)
    found = candidate_trainer(device).evaluate(genotype)
    assert found.loss == pytest.approx(expected.loss, abs=TOLERANCE)
    assert found.count == expected.count == 30


def test_a_candidate_in_bfloat16_keeps_float32_weights_and_nearly_its_loss(device: str) -> None:
    genotype = SPACE.random(np.random.default_rng(0))
    expected = candidate_trainer(device).train(genotype, Seat(0, 0))
    found = candidate_trainer(device, "bfloat16").train(genotype, Seat(0, 0))
    assert found.score.loss == pytest.approx(expected.score.loss, abs=BFLOAT16_TOLERANCE)
    assert found.score.loss != expected.score.loss
    kinds = {tensor.dtype for tensor in found.trained.tensors.values()}
    assert torch.bfloat16 not in kinds
    assert torch.float32 in kinds
