from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch

from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.objective.weight_set import Trained, WeightSet
from relativenas_optuna.spaces import Genotype
from relativenas_optuna.training import load, save
from tests.helpers.training.sharing import (
    KIN,
    TWIN,
    assert_equal,
    pairs,
    supernet,
    trained_copy,
    trained_in,
)


def committed_copy(
    shared: Supernet, fast: tuple[Genotype, Supernet], slow: tuple[Genotype, Supernet]
) -> Supernet:
    """Return the supernet after a commit by the paper's rule, name by name, as a reference."""
    result = deepcopy(shared)
    state, fast_state, slow_state = (network.state_dict() for network in (result, fast[1], slow[1]))
    of_fast, of_slow = (shared.operation_names(learner[0]) for learner in (fast, slow))
    for name, tensor in state.items():
        if ".operations." not in name or name in of_fast:
            tensor.copy_(fast_state[name])
        elif name in of_slow:
            tensor.copy_(slow_state[name])
    return result


@pytest.mark.slow_except("memory_format1")
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_pairs_equal_copies_of_whole_supernets_to_the_last_bit(
    memory_format: torch.memory_format,
) -> None:
    weights = WeightSet(supernet(memory_format=memory_format))
    oracle = supernet(memory_format=memory_format)
    for number, (fast, slow) in enumerate(pairs()):
        fast_copy = trained_copy(oracle, fast, 2 * number)
        slow_copy = trained_copy(oracle, slow, 2 * number + 1)
        fast_trained = trained_in(weights, fast, 2 * number)
        slow_trained = trained_in(weights, slow, 2 * number + 1)
        assert_equal(fast_trained.tensors, fast_copy.tensors(fast))
        assert_equal(slow_trained.tensors, slow_copy.tensors(slow))
        assert_equal(weights.supernet.state_dict(), oracle.state_dict())
        oracle = committed_copy(oracle, (fast, fast_copy), (slow, slow_copy))
        weights.commit_pair(fast_trained, slow_trained)
        assert_equal(weights.supernet.state_dict(), oracle.state_dict())
        assert weights.version == number + 1


def test_a_pair_by_hand() -> None:
    weights = WeightSet(supernet())
    before = weights.snapshot()

    def filled(genotype: Genotype, value: float) -> Trained:
        tensors = weights.supernet.tensors(genotype)
        return Trained(
            genotype=genotype,
            tensors={name: torch.full_like(t, value) for name, t in tensors.items()},
        )

    weights.commit_pair(fast=filled(TWIN, 5), slow=filled(KIN, 7))
    state = weights.supernet.state_dict()
    cell = "cells.0.operations."
    expected = {
        "classifier.weight": 5,
        "stem.0.weight": 5,
        f"{cell}node2_input0_sep_conv_3x3.": 5,  # of both learners
        f"{cell}node2_input0_dil_conv_3x3.": 7,  # of the slow learner only
        f"{cell}node3_input2_sep_conv_5x5.": 7,
        f"{cell}node3_input1_dil_conv_5x5.": 5,
    }
    for prefix, value in expected.items():
        names = [name for name in state if name.startswith(prefix)]
        assert names
        assert all((state[name] == value).all() for name in names), prefix
    unused = [name for name in state if name.startswith(f"{cell}node2_input1_")]
    assert unused
    assert all(torch.equal(state[name], before[name]) for name in unused)


def test_a_commit_without_a_pair_writes_all_of_the_candidate_and_nothing_else() -> None:
    weights, oracle = WeightSet(supernet()), supernet()
    copy = trained_copy(oracle, TWIN, 4)
    weights.commit(trained_in(weights, TWIN, 4))
    assert_equal(weights.supernet.state_dict(), copy.state_dict())
    assert weights.version == 1


def test_two_searches_of_one_seed_are_equal_to_the_last_bit() -> None:
    states = []
    for _ in range(2):
        weights = WeightSet(supernet())
        for number, (fast, slow) in enumerate(list(pairs())[:3]):
            weights.commit_pair(
                trained_in(weights, fast, 2 * number), trained_in(weights, slow, 2 * number + 1)
            )
        states.append(weights.snapshot())
    assert_equal(*states)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_snapshot_is_restored_to_the_last_bit_and_continues_alike(
    tmp_path: Path, memory_format: torch.memory_format
) -> None:
    weights = WeightSet(supernet(memory_format=memory_format))
    weights.commit(trained_in(weights, KIN, 0))
    snapshot = weights.snapshot()
    assert all(tensor.is_contiguous() for tensor in snapshot.values())
    save(tmp_path / "w", snapshot, {})
    weights.commit(trained_in(weights, TWIN, 1))
    changed = weights.snapshot()

    other = WeightSet(supernet(memory_format=memory_format))
    other.restore(load(tmp_path / "w")[0], version=1)
    assert_equal(other.snapshot(), snapshot)
    assert other.version == 1
    other.commit(trained_in(other, TWIN, 1))
    assert_equal(other.snapshot(), changed)
    assert other.version == weights.version == 2
    other.restore(snapshot)
    assert other.version == 2


def test_a_snapshot_is_apart_from_the_supernet() -> None:
    weights = WeightSet(supernet())
    snapshot = weights.snapshot()
    before = {name: tensor.clone() for name, tensor in snapshot.items()}
    weights.commit(trained_in(weights, KIN, 0))
    assert_equal(snapshot, before)


def test_weights_of_another_supernet_are_refused_and_the_first_three_differences_named() -> None:
    weights = WeightSet(supernet())
    before = weights.snapshot()
    tensors = dict(before)
    del tensors["classifier.bias"]
    tensors["another"] = torch.zeros(2)
    tensors["classifier.weight"] = tensors["classifier.weight"].double()
    tensors["stem.0.weight"] = tensors["stem.0.weight"][:1]
    with pytest.raises(ValueError, match=r"^weights do not fit the supernet: ") as caught:
        weights.restore(tensors, version=9)
    message = str(caught.value)
    rows, columns = before["classifier.weight"].shape
    assert "another is float32 [2] but must be absent; " in message
    assert f"classifier.bias is absent but must be float32 [{rows}]; " in message
    assert f"classifier.weight is float64 [{rows}, {columns}] but must be float32" in message
    assert message.endswith(" and 1 more")
    assert "\n" not in message
    assert_equal(weights.snapshot(), before)
    assert weights.version == 0


def test_weights_of_another_genotype_are_refused_before_anything_is_written() -> None:
    weights = WeightSet(supernet())
    before = weights.snapshot()
    kin = trained_in(weights, KIN, 0)
    wrong = Trained(genotype=TWIN, tensors=kin.tensors)
    for fast, slow in ((kin, wrong), (wrong, kin)):
        with pytest.raises(ValueError, match=r"^weights do not fit their genotype: "):
            weights.commit_pair(fast, slow)
    assert_equal(weights.snapshot(), before)
    assert weights.version == 0
