"""The smallest weight sets, learners whose weights are known, and places to keep them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.objective.checkpoints import CandidateScore, Checkpoint, FilePointer
from relativenas_optuna.objective.checkpoints.pointer import POINTER_NAME
from relativenas_optuna.objective.weight_set import Trained, WeightSet
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.spaces import Cell, CellSpace, Edge, Genotype

SPACE = CellSpace(nodes=1)
OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
SEARCH = "s"


def weight_set(*, channels: int = 1, space: CellSpace = SPACE) -> WeightSet:
    """Return a weight set that always has the same initial weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return WeightSet(Supernet(space, channels=channels, cells=3, in_channels=1))


def genotype(operation: str) -> Genotype:
    """Return the genotype that has only this operation."""
    cell = Cell(nodes=((Edge(operation, 0), Edge(operation, 1)),))
    return Genotype(cell, cell)


def learner(weights: WeightSet, operation: str, value: float) -> Trained:
    """Return a learner all of whose weights are `value`."""
    chosen = genotype(operation)
    tensors = {
        name: torch.full_like(tensor, value, requires_grad=False)
        for name, tensor in weights.supernet.tensors(chosen).items()
    }
    return Trained(genotype=chosen, tensors=tensors)


def scored(operation: str, seat: Seat, loss: float = 0.5) -> CandidateScore:
    return CandidateScore(
        seat=seat,
        architecture=genotype(operation).to_text(),
        loss=loss,
        accuracy=0.25,
        train_loss=2 * loss,
    )


def own_tensors(weights: WeightSet, operation: str) -> dict[str, Tensor]:
    """Return the tensors that only candidates with this operation use, by name."""
    chosen, state = genotype(operation), weights.snapshot()
    return {name: state[name] for name in weights.supernet.operation_names(chosen)}


def values(weights: WeightSet, operation: str) -> set[float]:
    """Return the set of all values of an operation's tensors."""
    tensors = own_tensors(weights, operation).values()
    return {value for tensor in tensors for value in tensor.double().flatten().tolist()}


def in_folder(folder: Path, *, search: str = SEARCH) -> Checkpoint:
    return Checkpoint(folder, pointer=FilePointer(folder / POINTER_NAME), search=search)


def names(folder: Path) -> set[str]:
    """Return the names of the weights files, without locks and the pointer."""
    return {p.name for p in folder.iterdir() if p.suffix != ".lock" and p.name != POINTER_NAME}


def pointed(folder: Path) -> set[str]:
    data = json.loads((folder / POINTER_NAME).read_text())
    return {entry["file"]["name"] for entry in (*data["versions"], *data["waiting"])}


def expected(*commits: tuple[str, float]) -> dict[str, Tensor]:
    """Return the weights after commits in one process without a checkpoint."""
    weights = weight_set()
    for operation, value in commits:
        weights.commit(learner(weights, operation, value))
    return weights.snapshot()


def commit(checkpoint: Checkpoint, weights: WeightSet, operation: str, value: float) -> int | None:
    return checkpoint.commit(weights, [learner(weights, operation, value)])
