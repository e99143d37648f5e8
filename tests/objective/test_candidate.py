from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.objective import weight_set
from relativenas_optuna.objective.weight_set import WeightSet
from relativenas_optuna.training import evaluate
from tests.helpers.training.sharing import (
    IMAGES,
    KIN,
    POOLS,
    TWIN,
    assert_equal,
    supernet,
    train_in_place,
    trained_copy,
    trained_in,
)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, GeneratorExit])
def test_leaving_by_an_error_puts_everything_back(error: type[BaseException]) -> None:
    weights = WeightSet(supernet())
    before = weights.snapshot()

    def fail_after_training() -> None:
        with weights.candidate(KIN) as candidate:
            train_in_place(weights.supernet, KIN, candidate.parameters, 0)
            trained = weights.supernet.classifier.weight
            assert not torch.equal(trained, before["classifier.weight"])
            raise error

    with pytest.raises(error):
        fail_after_training()
    assert_equal(weights.snapshot(), before)
    assert all(parameter.grad is None for parameter in weights.supernet.parameters())
    assert weights.version == 0
    trained_in(weights, KIN, 0)


def interrupt_next_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the first tensor of the next copy."""
    copy = weight_set._copy

    def interrupted(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
        monkeypatch.undo()
        first = next(iter(source))
        copy({first: source[first]}, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(weight_set, "_copy", interrupted)


def test_an_interrupt_during_the_way_back_does_not_cut_it_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = WeightSet(supernet())
    before = weights.snapshot()
    interrupt_next_copy(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        trained_in(weights, KIN, 0)
    assert_equal(weights.snapshot(), before)


def test_an_interrupt_during_a_commit_does_not_cut_it_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights, undisturbed = WeightSet(supernet()), WeightSet(supernet())
    trained = trained_in(weights, KIN, 0)
    undisturbed.commit(trained)
    interrupt_next_copy(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        weights.commit(trained)
    assert_equal(weights.snapshot(), undisturbed.snapshot())
    assert weights.version == 1


def test_a_candidate_trains_its_own_parameters_in_place_and_no_others() -> None:
    weights = WeightSet(supernet())
    addresses = {n: t.data_ptr() for n, t in weights.supernet.state_dict().items()}
    own = weights.supernet.tensors(POOLS)
    with weights.candidate(POOLS) as candidate:
        expected = {id(tensor) for tensor in own.values() if isinstance(tensor, nn.Parameter)}
        assert {id(parameter) for parameter in candidate.parameters} == expected
        trained = candidate.trained()
    assert trained.genotype == POOLS
    assert {n: t.data_ptr() for n, t in weights.supernet.state_dict().items()} == addresses
    assert not {t.data_ptr() for t in trained.tensors.values()} & set(addresses.values())


def test_the_score_inside_is_that_of_the_trained_weights() -> None:
    weights, oracle = WeightSet(supernet()), supernet()
    copy = trained_copy(oracle, KIN, 0)

    def score(network: Supernet) -> float:
        return evaluate(
            lambda images: network(images, KIN), IMAGES, module=network, batch_size=5
        ).loss

    with weights.candidate(KIN) as candidate:
        train_in_place(weights.supernet, KIN, candidate.parameters, 0)
        inside = score(weights.supernet)
    assert inside == score(copy) != score(weights.supernet)


def test_nothing_shared_is_read_or_written_while_a_candidate_is_trained() -> None:
    weights = WeightSet(supernet())
    snapshot, trained = weights.snapshot(), trained_in(weights, KIN, 0)
    with weights.candidate(KIN):
        for action in (
            weights.snapshot,
            lambda: weights.commit(trained),
            lambda: weights.commit_pair(trained, trained),
            lambda: weights.restore(snapshot),
            lambda: weights.candidate(TWIN).__enter__(),
        ):
            with pytest.raises(RuntimeError, match="while a candidate is being trained"):
                action()
    assert_equal(weights.snapshot(), snapshot)


def test_a_candidate_that_was_left_has_no_weights_any_more() -> None:
    weights = WeightSet(supernet())
    with weights.candidate(KIN) as candidate:
        pass
    with pytest.raises(RuntimeError, match=r"inside `with weight_set.candidate"):
        candidate.trained()


def test_only_numbers_that_the_training_spoilt_count_as_spoilt() -> None:
    weights = WeightSet(supernet())
    with weights.candidate(KIN) as candidate:
        assert not candidate.is_spoilt()
        with torch.no_grad():
            candidate.parameters[0].view(-1)[0] = torch.inf
        assert candidate.is_spoilt()
    with torch.no_grad():  # as a mask of a network of one's own may hold it
        next(iter(weights.supernet.tensors(KIN).values())).view(-1)[0] = -torch.inf
    with weights.candidate(KIN) as candidate:
        assert not candidate.is_spoilt()
        with torch.no_grad():
            candidate.parameters[-1].view(-1)[-1] = torch.nan
        assert candidate.is_spoilt()
