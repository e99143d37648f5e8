"""A space and a supernet of one's own through the objective."""

from __future__ import annotations

import ast
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState
from torch import Tensor, nn

from relativenas_optuna.networks import Cost, CostLimits, NASBench201Supernet, cost
from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.spaces import NASBench201, Space
from tests.helpers.tiny_search import SEED, SETTINGS, database, same_bits, study, tiny_images
from tests.networks.test_conformance import Switch
from tests.objective.test_candidate_trainer import Arms

TRIALS = 9  # two generations and one of an open pair


@cache
def example() -> dict[str, Any]:
    """Return the space and the network of an example, without running the rest of it."""
    path = Path(__file__).parents[2] / "examples" / "own_network.py"
    kinds = (ast.Import, ast.ImportFrom, ast.ClassDef)
    parts: list[ast.stmt] = [
        part for part in ast.parse(path.read_text()).body if isinstance(part, kinds)
    ]
    found: dict[str, Any] = {}
    exec(compile(ast.Module(parts, []), path, "exec"), found)
    return found


def space_of(name: str) -> Space[Any]:
    space: Space[Any] = NASBench201() if name == "nasbench201" else example()["Depths"]()
    return space


def own(name: str, **options: Any) -> SupernetObjective[Any]:
    supernet = None if name == "nasbench201" else example()["Network"]
    return SupernetObjective(
        space_of(name),
        tiny_images(),
        supernet=supernet,
        settings=replace(SETTINGS, cells=5),
        seed=SEED,
        device="cpu",
        **options,
    )


SAMPLERS: dict[str, Any] = {
    "relative": lambda space: RelativeNASSampler(
        space.distributions, population_size=SETTINGS.population, seed=SEED, preset="paper"
    ),
    "tpe": lambda space: TPESampler(seed=1, n_startup_trials=TRIALS),
}


@pytest.mark.slow_except("tpe")
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("name", ["depths", "nasbench201"])
def test_a_search_that_is_begun_anew_ends_as_an_undisturbed_one(
    name: str, sampler: str, tmp_path: Path
) -> None:
    # One sampler without a memory of its own reads all from the study, the other draws on.
    space, url = space_of(name), f"sqlite:///{tmp_path / 's.db'}"
    chooses = SAMPLERS[sampler](space)
    values: list[float | None] = []
    for trials in (3, 2, TRIALS - 5):
        with database(url) as storage:
            found = study(storage=storage, study_name="s", load_if_exists=True, sampler=chooses)
            scoring = own(name, checkpoint=tmp_path / "out")
            found.optimize(scoring, n_trials=trials)
            values = [trial.value for trial in found.trials]
            costs = [
                (space.genotype(trial.params), trial.user_attrs["multiply_adds"])
                for trial in found.trials
            ]
    undisturbed, other = own(name), study(sampler=SAMPLERS[sampler](space))
    other.optimize(undisturbed, n_trials=TRIALS)
    assert values == [trial.value for trial in other.trials]
    assert same_bits(scoring.weights.snapshot(), undisturbed.weights.snapshot())
    versions = TRIALS // 2 if sampler == "relative" else TRIALS
    assert scoring.weights.version == undisturbed.weights.version == versions
    assert scoring.waiting == undisturbed.waiting == [Seat(2, 0)] * (sampler == "relative")
    if isinstance(undisturbed.supernet, NASBench201Supernet):
        for genotype, spent in costs:
            alone = undisturbed.supernet.standalone(genotype)
            assert cost(alone, (1, 8, 8)).multiply_adds == spent


def test_the_examples_network_costs_what_its_layers_cost() -> None:
    scoring, found = own("depths"), study(sampler=SAMPLERS["tpe"](space_of("depths")))
    found.optimize(scoring, n_trials=6)
    for trial in found.trials:
        depth = trial.params["depth"]
        sides = [6, 4, 2][:depth]  # 3x3 without padding, of 8x8
        inputs = [1, 16, 16]
        layers = [9 * c * 16 for c in inputs[:depth]]
        spent = Cost(
            parameters=sum(layers) + 16 * depth + 16 * 10 + 10,
            multiply_adds=sum(w * s * s for w, s in zip(layers, sides, strict=True)) + 16 * 10,
        )
        attrs = trial.user_attrs
        assert Cost(attrs["parameters"], attrs["multiply_adds"]) == spent
    assert len({trial.params["depth"] for trial in found.trials}) > 1


def test_threads_score_every_seat_and_commit_every_pair_once() -> None:
    scoring = own("nasbench201")
    found = study(sampler=SAMPLERS["relative"](scoring.space))
    found.optimize(scoring, n_trials=16, n_jobs=4)
    assert {trial.state for trial in found.trials} == {TrialState.COMPLETE}
    assert len({trial.user_attrs["multiply_adds"] for trial in found.trials}) > 1
    for trial in found.trials:
        alone = scoring.supernet.standalone(scoring.space.genotype(trial.params))
        spent = cost(alone, (1, 8, 8))
        assert trial.user_attrs["multiply_adds"] == spent.multiply_adds
        assert trial.user_attrs["parameters"] == spent.parameters
    seats = {seat_of(trial) for trial in found.trials}
    assert {Seat(g, s) for g in (0, 1) for s in range(4)} <= seats
    # Where no seat was free one was given out twice, and then has one score.
    scores = {(seat_of(trial), trial.value) for trial in found.trials}
    assert len(scores) == len(seats)
    pairs = {(seat.generation, seat.pair) for seat in seats if seat and seat.partner in seats}
    assert scoring.weights.version == len(pairs)


# --- what does not fit


def of_arms(supernet: Any = Arms, **options: Any) -> SupernetObjective[str]:
    return SupernetObjective(
        Switch(),
        tiny_images(),
        supernet=supernet,
        settings=SETTINGS,
        seed=SEED,
        device="cpu",
        **options,
    )


def of_switch() -> optuna.Study:
    return study(sampler=SAMPLERS["relative"](Switch()), study_name="s")


class Locked(Arms):
    """Holds what cannot be copied."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__(in_channels, classes)
        self.lock = threading.Lock()


class Looking(Arms):
    """Reads the values of its images."""

    def forward(self, images: Tensor, genotype: str, **options: Any) -> Tensor:
        return super().forward(images / images.abs().max().item(), genotype, **options)


@pytest.mark.parametrize(
    ("supernet", "reason"),
    [(Locked, "cannot be copied .*TypeError"), (Looking, "does not run on the meta device")],
)
def test_a_network_that_cannot_be_counted_is_searched_after_one_warning(
    supernet: Any, reason: str
) -> None:
    scoring, found = of_arms(supernet), of_switch()
    with pytest.warns(UserWarning, match=f"will not say what they cost: .*{reason}") as caught:
        found.optimize(scoring, n_trials=4)
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    assert {trial.state for trial in found.trials} == {TrialState.COMPLETE}
    assert not any("multiply_adds" in trial.user_attrs for trial in found.trials)
    assert scoring.weights.version == 2
    limited = of_arms(supernet, limits=CostLimits(multiply_adds=1))
    with pytest.raises(ValueError, match=f"cannot be counted.*{reason}") as refused:
        of_switch().optimize(limited, n_trials=1)
    assert "\n" not in str(refused.value)


class Headless(Arms):
    def forward(self, images: Tensor, genotype: str, **options: Any) -> Any:
        return (super().forward(images, genotype, **options),)


class Copies(Arms):
    def tensors(self, genotype: str) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in super().tensors(genotype).items()}


class Narrow(Arms):
    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__(3, classes)


@pytest.mark.parametrize(
    ("supernet", "error", "message"),
    [
        (Headless, ValueError, r"must give logits \[2, 10\], got tuple"),
        (Copies, ValueError, "must hold the module's own tensors"),
        (Narrow, ValueError, "does not take images of 1 channels and 8x8 pixels"),
        (nn.Flatten(), TypeError, "with a method tensors"),
        (None, TypeError, "needs supernet="),
    ],
)
def test_a_supernet_that_breaks_the_protocol_is_refused_at_construction(
    supernet: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        of_arms(supernet)
    assert "\n" not in str(caught.value)


def test_a_space_that_breaks_the_protocol_is_refused_at_construction() -> None:
    space: Any = Switch.distributions
    with pytest.raises(TypeError, match=r"lacks distributions, genotype, .*text") as caught:
        SupernetObjective(space, tiny_images(), supernet=Arms, settings=SETTINGS)
    assert "\n" not in str(caught.value)
