from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from optuna.distributions import CategoricalDistribution
from torch import Tensor, nn

from relativenas_optuna.networks import ProtocolError, SharedNetwork, check_supernet
from relativenas_optuna.networks.protocol import as_module
from relativenas_optuna.spaces import Space
from tests.helpers.networks import SMALL, random_images, small_supernet

IMAGES = random_images(4, 3, 4, 4)


class Switch:
    """A space of one switch."""

    distributions: Mapping[str, CategoricalDistribution] = {
        "kind": CategoricalDistribution(("left", "right"))
    }

    def genotype(self, params: Mapping[str, Any]) -> str:
        return str(params["kind"])

    def params(self, genotype: str) -> dict[str, Any]:
        return {"kind": genotype}

    def text(self, genotype: str) -> str:
        return genotype

    def parse(self, text: str) -> str:
        return text

    def random(self, rng: np.random.Generator) -> str:
        return str(rng.choice(["left", "right"]))


class Arms(nn.Module):
    """One of two arms, then a batch norm that both share."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.arms = nn.ModuleDict({"left": nn.Linear(48, 3), "right": nn.Linear(48, 3)})
        self.norm = nn.BatchNorm1d(3)

    def forward(
        self,
        images: Tensor,
        genotype: str,
        *,
        drop_path: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        logits: Tensor = self.norm(self.arms[genotype](images.flatten(1)))
        return logits

    def tensors(self, genotype: str) -> dict[str, Tensor]:
        parts = (f"arms.{genotype}.", "norm.")
        state = self.state_dict(keep_vars=True)
        return {name: tensor for name, tensor in state.items() if name.startswith(parts)}


def check(supernet: SharedNetwork[str], space: Space[str] | None = None) -> None:
    check_supernet(Switch() if space is None else space, supernet, IMAGES, classes=3)


def test_a_small_space_and_supernet_of_ones_own_pass() -> None:
    supernet = Arms()
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    check(supernet)
    assert all(torch.equal(before[n], t) for n, t in supernet.state_dict().items())
    assert all(parameter.grad is None for parameter in supernet.parameters())
    assert supernet.training


def test_the_cell_space_passes() -> None:
    check_supernet(SMALL, small_supernet(), random_images(4, 3, 8, 8), classes=10)


class TooFew(Arms):
    def tensors(self, genotype: str) -> dict[str, Tensor]:
        own = super().tensors(genotype)
        return {name: tensor for name, tensor in own.items() if not name.startswith("norm")}


class OnlyEvaluated(Arms):
    """Its running statistics move unseen."""

    def tensors(self, genotype: str) -> dict[str, Tensor]:
        own = super().tensors(genotype)
        return {name: tensor for name, tensor in own.items() if "num_batches" not in name}


class Copies(Arms):
    def tensors(self, genotype: str) -> dict[str, Tensor]:
        return {name: tensor.detach() for name, tensor in super().tensors(genotype).items()}


class OtherNames(Arms):
    def tensors(self, genotype: str) -> dict[str, Tensor]:
        return {f"my.{name}": tensor for name, tensor in super().tensors(genotype).items()}


class NoMapping(Arms):
    def tensors(self, genotype: str) -> Any:
        return list(super().tensors(genotype))


class Wrapped(Arms):
    def forward(self, *args: Any, **options: Any) -> Any:
        return (super().forward(*args, **options),)


class TooManyLogits(Arms):
    def forward(self, *args: Any, **options: Any) -> Tensor:
        return torch.cat([super().forward(*args, **options)] * 2, dim=1)


class Restless(Arms):
    def forward(self, *args: Any, **options: Any) -> Tensor:
        logits = super().forward(*args, **options)
        return logits + torch.rand(logits.shape)


class GlobalNoise(Arms):
    def forward(self, *args: Any, **options: Any) -> Tensor:
        return nn.functional.dropout(super().forward(*args, **options), 0.5, self.training)


class Penalised(Arms):
    """Its other arm gets a gradient."""

    def forward(self, images: Tensor, genotype: str, **options: Any) -> Tensor:
        logits = super().forward(images, genotype, **options)
        other = self.arms["right" if genotype == "left" else "left"].get_parameter("weight")
        return logits + 0 * torch.nan_to_num(other).sum()


class WrongCopy(Arms):
    def standalone(self, genotype: str) -> nn.Module:
        return nn.Sequential(nn.Flatten(), self.arms[genotype])


class Broken(Arms):
    def forward(self, *args: Any, **options: Any) -> Tensor:
        raise RuntimeError("mat1 and mat2\nshapes cannot be multiplied")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (TooFew, "other logits when run with other values outside tensors"),
        (OnlyEvaluated, "training writes 'norm.num_batches_tracked'"),
        (Copies, "module's own tensors, 'arms.(left|right).weight' is another"),
        (OtherNames, "names of the state dict, got 'my.arms"),
        (NoMapping, "must be a mapping of names to tensors, got list"),
        (Wrapped, r"must give logits \[4, 3\], got tuple"),
        (TooManyLogits, r"logits \[4, 3\] for 3 classes, got torch.float32 \[4, 6\]"),
        (Restless, "other logits when run a second time"),
        (GlobalNoise, "training must draw from `generator`"),
        (Penalised, "training gives a gradient to 'arms.(left|right).weight'"),
        (WrongCopy, "standalone.genotype. must give the logits of its path"),
        (Broken, "does not take images of 3 channels and 4x4 pixels, RuntimeError: mat1 and"),
    ],
)
def test_what_breaks_the_protocol_is_named_in_one_line(
    make: Callable[[], SharedNetwork[str]], message: str
) -> None:
    with pytest.raises(ProtocolError, match=message) as caught:
        check(make())
    assert "\n" not in str(caught.value)
    assert "(architecture " in str(caught.value)


class OtherText(Switch):
    def parse(self, text: str) -> str:
        return "left" if text == "right" else "right"


class LostParams(Switch):
    def params(self, genotype: str) -> dict[str, Any]:
        return {}


class OtherParams(Switch):
    def genotype(self, params: Mapping[str, Any]) -> str:
        return "both"


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (OtherText(), r"parse\(text\(g\)\) must be g"),
        (LostParams(), "must have the names of distributions, not so: .'kind'"),
        (OtherParams(), r"genotype\(params\(g\)\) must be g"),
    ],
)
def test_spaces_that_do_not_lead_back_are_refused(space: Space[str], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        check(Arms(), space)


def test_what_is_no_module_or_has_no_tensors_is_refused() -> None:
    for wrong, name in ((nn.Linear(2, 2), "Linear"), (Arms, "Arms"), ("net", "str")):
        with pytest.raises(TypeError, match=f"must be a torch.nn.Module .*got {name}"):
            as_module(wrong)
