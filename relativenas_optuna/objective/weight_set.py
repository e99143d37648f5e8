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
    """The weights of a candidate after its training, as copies.

    Args:
        genotype: Architecture of the candidate.
        tensors: Copies of the parameters and buffers that the candidate uses, by state-dict name.
    """

    genotype: Hashable
    tensors: Mapping[str, Tensor]


class Candidate:
    """An architecture whose tensors in the supernet are being trained in place.

    Args:
        genotype: Architecture of the candidate.
        tensors: The supernet's own tensors that the candidate uses, by state-dict name.
        inherited: Copies of these tensors before the training.
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
        """The supernet's own parameters that the candidate trains."""
        return [tensor for tensor in self._tensors.values() if isinstance(tensor, nn.Parameter)]

    def trained(self) -> Trained:
        """Return a copy of the candidate's present weights.

        Raises:
            RuntimeError: The `with` block of the candidate has ended, and its weights are gone.
        """
        if not self._open:
            raise RuntimeError("trained() must be called inside `with weight_set.candidate(...)`")
        return Trained(genotype=self.genotype, tensors=_clones(self._tensors))

    @torch.no_grad()
    def is_spoilt(self) -> bool:
        """Return True if the training made any finite number of the candidate infinite or NaN.

        The loss may not show this: a batch norm with an infinite variance returns zeros.
        """
        pairs = [(self._inherited[n], t) for n, t in self._tensors.items() if t.is_floating_point()]
        whole = [now.isfinite().all() for _, now in pairs]
        if not whole or bool(torch.stack(whole).all()):  # waits for the device only once
            return False
        return any(bool((before.isfinite() & ~now.isfinite()).any()) for before, now in pairs)

    def close(self) -> None:
        """End the candidate's training, and remove the gradients of its parameters."""
        self._open = False
        for parameter in self.parameters:
            parameter.grad = None


class WeightSet:
    """The weights that all candidates share, in a supernet; only a commit changes them.

    A candidate inherits the weights of its own operations and of everything outside the
    operations. It trains them in place. Then its weights are copied and the shared weights are
    restored, so that both learners of a pair start from the same weights::

        trained = []
        for genotype in pair:
            with weight_set.candidate(genotype) as candidate:
                ...  # train candidate.parameters, score the supernet with this genotype
                trained.append(candidate.trained())
        weight_set.commit_pair(fast, slow)

    Args:
        supernet: Supernet on any device and in any memory format. Only the weight set may change it
            from now on.
    """

    def __init__(self, supernet: SharedNetwork[Any]) -> None:
        # Both a module and a SharedNetwork, which Python cannot write as a type.
        self.supernet: Any = supernet
        # Looked up once: naming thousands of tensors takes as long as copying them.
        self._state: dict[str, Tensor] = supernet.state_dict()
        self.version = 0  #: Number of commits so far.
        self._candidate: Candidate | None = None

    @contextmanager
    def candidate(self, genotype: Hashable) -> Iterator[Candidate]:
        """Yield a candidate whose tensors in the supernet may be trained in place.

        At the end of the `with` block, also after an exception, the tensors have their old values
        to the last bit, and no gradients.

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

    @contextmanager
    def trained_in_place(self) -> Iterator[list[nn.Parameter]]:
        """Yield all parameters of the supernet, which may be trained in place, as one commit.

        After an exception the weights are as before, to the last bit. No gradients stay.

        Raises:
            RuntimeError: A candidate is being trained.
        """
        self._refuse_during_training("trained_in_place")
        before, version = _clones(self._state), self.version
        parameters: list[nn.Parameter] = list(self.supernet.parameters())
        try:
            with kept_memory():
                yield parameters
            self.version = version + 1
        except BaseException:
            _write(before, self._state)
            self.version = version
            raise
        finally:
            for parameter in parameters:
                parameter.grad = None

    def commit_pair(self, fast: Trained, slow: Trained) -> None:
        """Write the weights of a pair into the shared weights, by the rule of the paper.

        Operations that only the slow learner uses come from the slow learner. All other operations
        of the pair, and everything outside the operations, come from the fast learner. Operations
        that neither uses do not change.

        Raises:
            RuntimeError: A candidate is being trained.
            ValueError: Weights do not belong to their genotype in this supernet.
        """
        # Both have the tensors outside the operations; those of the fast learner are written last.
        self._commit(slow, fast)

    def commit(self, *learners: Trained) -> None:
        """Write all weights of some candidates into the shared weights, in one commit.

        Args:
            learners: Trained weights of one or more candidates. Those of a later one overwrite
                those of an earlier one.

        Raises:
            RuntimeError: A candidate is being trained.
            ValueError: Weights do not belong to their genotype in this supernet.
        """
        self._commit(*learners)

    def check(self, trained: Trained) -> None:
        """Raise if weights cannot be committed.

        Raises:
            ValueError: The weights do not belong to the genotype in this supernet.
        """
        own = self.supernet.tensors(trained.genotype)
        _require_match(trained.tensors, own, "weights do not fit their genotype")

    def snapshot(self) -> dict[str, Tensor]:
        """Return copies of all weights by state-dict name, contiguous and on the CPU.

        Raises:
            RuntimeError: A candidate is being trained.
        """
        self._refuse_during_training("snapshot")
        return {
            name: torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor)
            for name, tensor in self._state.items()
        }

    def restore(self, tensors: Mapping[str, Tensor], *, version: int | None = None) -> None:
        """Replace the shared weights by a snapshot, to the last bit.

        Args:
            tensors: All weights of the supernet, as `snapshot` returned them.
            version: Number of commits in the snapshot; None to keep the present number.

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
        """Write the learners' weights; those of a later one overwrite those of an earlier one."""
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
    """Copy values into the tensors of the same names, completely even after Ctrl-C."""
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
