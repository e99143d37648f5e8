"""The shared weights: inherit, commit, snapshot, restore."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from relativenas_optuna.networks.protocol import SharedNetwork
from relativenas_optuna.training.memory import kept_memory


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """What a candidate's training made of the weights that it inherited.

    Args:
        genotype: The candidate.
        tensors: By state-dict name, the parameters and buffers that the candidate uses, apart from
            those of the supernet.
    """

    genotype: Hashable
    tensors: Mapping[str, Tensor]


class Candidate:
    """A genotype whose tensors in the supernet may be trained in place for now.

    Args:
        genotype: Of the candidate.
        tensors: By state-dict name, the live tensors of the supernet that the candidate uses.
        inherited: Copies of them as they were before the training.
    """

    def __init__(
        self, *, genotype: Hashable, tensors: Mapping[str, Tensor], inherited: Mapping[str, Tensor]
    ) -> None:
        self.genotype = genotype
        self._tensors = tensors
        self._inherited = inherited
        self._open = True

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The live parameters to train, and no others."""
        return [tensor for tensor in self._tensors.values() if isinstance(tensor, nn.Parameter)]

    def trained(self) -> Trained:
        """A copy of the candidate's weights as they are now.

        Raises:
            RuntimeError: The candidate was left already, and its weights are gone.
        """
        if not self._open:
            raise RuntimeError("trained() must be called inside `with weight_set.candidate(...)`")
        return Trained(genotype=self.genotype, tensors=_clones(self._tensors))

    @torch.no_grad()
    def is_spoilt(self) -> bool:
        """Whether the training made any finite number of the candidate's infinite, or none.

        A loss need not show it: what a batch norm divides by an infinite variance is zero.
        """
        pairs = [(self._inherited[n], t) for n, t in self._tensors.items() if t.is_floating_point()]
        whole = [now.isfinite().all() for _, now in pairs]
        if not whole or bool(torch.stack(whole).all()):  # waits for the device only once
            return False
        return any(bool((before.isfinite() & ~now.isfinite()).any()) for before, now in pairs)

    def close(self) -> None:
        """From here on the supernet's tensors are no longer the candidate's."""
        self._open = False
        for parameter in self.parameters:
            parameter.grad = None


class WeightSet:
    """The weights that all candidates share; they live in a supernet and change only by a commit.

    A candidate inherits the weights of its own operations and of everything outside the
    operations. It trains them in place, and what it made of them is taken out before the shared
    weights are put back, so that both learners of a pair start from the same weights::

        trained = []
        for genotype in pair:
            with weight_set.candidate(genotype) as candidate:
                ...  # train candidate.parameters, score the supernet with this genotype
                trained.append(candidate.trained())
        weight_set.commit_pair(fast, slow)

    Args:
        supernet: Owned by the weight set from here on, in any memory format, on any device.
    """

    def __init__(self, supernet: SharedNetwork[Any]) -> None:
        # A module and a SharedNetwork, for which there is no type.
        self.supernet: Any = supernet
        # Looked up once: naming thousands of tensors takes as long as copying them.
        self._state: dict[str, Tensor] = supernet.state_dict()
        self.version = 0  #: Number of commits so far.
        self._candidate: Candidate | None = None

    @contextmanager
    def candidate(self, genotype: Hashable) -> Iterator[Candidate]:
        """Lends the supernet's tensors of one genotype to be trained in place.

        On leaving, by an exception too, they are back to the last bit and without gradients.

        Raises:
            RuntimeError: Another candidate is being trained in this supernet.
        """
        self._refuse_during_training("candidate")
        tensors = self.supernet.tensors(genotype)
        inherited = _clones(tensors)
        candidate = Candidate(genotype=genotype, tensors=tensors, inherited=inherited)
        try:
            self._candidate = candidate
            with kept_memory():
                yield candidate
        finally:
            try:
                _write(inherited, tensors)
            finally:
                candidate.close()
                self._candidate = None

    def commit_pair(self, fast: Trained, slow: Trained) -> None:
        """Makes the weights of a pair the shared ones, by the rule of the paper.

        Operations that only the slow learner uses come from the slow learner; all others that were
        used, and everything outside the operations, from the fast learner; what neither used stays.

        Raises:
            RuntimeError: A candidate is being trained.
            ValueError: Weights do not belong to their genotype in this supernet.
        """
        # All tensors outside the operations are in both, so the fast learner's go over them.
        self._commit(slow, fast)

    def commit(self, *learners: Trained) -> None:
        """Makes all weights of candidates the shared ones, in one commit.

        Args:
            learners: One in a search without pairs. Of more, the weights of a later one are written
                over those of an earlier one.

        Raises:
            RuntimeError: A candidate is being trained.
            ValueError: Weights do not belong to their genotype in this supernet.
        """
        self._commit(*learners)

    def check(self, trained: Trained) -> None:
        """Refuses weights that cannot be committed.

        Raises:
            ValueError: The weights do not belong to the genotype in this supernet.
        """
        own = self.supernet.tensors(trained.genotype)
        _require_match(trained.tensors, own, "weights do not fit their genotype")

    def snapshot(self) -> dict[str, Tensor]:
        """Copies of all weights of the supernet by state-dict name, contiguous and on the CPU.

        Raises:
            RuntimeError: A candidate is being trained.
        """
        self._refuse_during_training("snapshot")
        return {
            name: torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor)
            for name, tensor in self._state.items()
        }

    def restore(self, tensors: Mapping[str, Tensor], *, version: int | None = None) -> None:
        """Makes a snapshot the shared weights, to the last bit.

        Args:
            tensors: All of the supernet's, as `snapshot` gave them.
            version: Number of commits behind the snapshot; None: the present number stays.

        Raises:
            RuntimeError: A candidate is being trained.
            ValueError: Names, shapes or types are not those of the supernet; nothing was changed.
        """
        self._refuse_during_training("restore")
        _require_match(tensors, self._state, "weights do not fit the supernet")
        if version is not None:
            self.version = version
        _write(tensors, self._state)

    def _commit(self, *learners: Trained) -> None:
        """Writes the learners' weights, those of a later one over those of an earlier one."""
        self._refuse_during_training("commit")
        tensors: dict[str, Tensor] = {}
        live: dict[str, Tensor] = {}
        for trained in learners:
            self.check(trained)
            tensors |= trained.tensors
            live |= self.supernet.tensors(trained.genotype)
        self.version += 1
        _write(tensors, live)

    def _refuse_during_training(self, action: str) -> None:
        if self._candidate is not None:
            raise RuntimeError(
                f"{action} is not possible while a candidate is being trained in this supernet; "
                "leave its `with` block first"
            )


@torch.no_grad()
def _clones(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _write(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    """Copies values into the live tensors of the same names, whole even when interrupted."""
    try:
        _copy(source, target)
    except KeyboardInterrupt:
        _copy(source, target)
        raise


@torch.no_grad()
def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    for name, values in source.items():
        target[name].copy_(values)


def _require_match(given: Mapping[str, Tensor], live: Mapping[str, Tensor], problem: str) -> None:
    differences = []
    for name in sorted(given.keys() | live.keys()):
        ours, theirs = _described(live.get(name)), _described(given.get(name))
        if ours != theirs:
            differences.append(f"{name} is {theirs} but must be {ours}")
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise ValueError(f"{problem}: {'; '.join(differences[:3])}{more}")


def _described(tensor: Tensor | None) -> str:
    if tensor is None:
        return "absent"
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
