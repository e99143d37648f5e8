"""Search spaces by name: built in, registered in this process, or in a module of the user."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from relativenas_optuna.exceptions import SpaceError
from relativenas_optuna.networks.nasbench201 import NASBench201Network, NASBench201Supernet
from relativenas_optuna.networks.space_network import any_network
from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.spaces import CellSpace, NASBench201, registry
from relativenas_optuna.spaces.names import BUILT_IN_NAMES, CELLS
from relativenas_optuna.spaces.nasbench201 import NASBench201Cell
from relativenas_optuna.spaces.registry import (
    BUILT_IN,
    NetworkSizes,
    load_space,
    register_space,
    registered_space,
)
from relativenas_optuna.spaces.space_genotype import SpaceGenotype
from tests.helpers.own_space import BARE, DepthNetwork, Depths

SIZES = NetworkSizes(channels=2, cells=5, in_channels=1, num_classes=3)
TEXT = "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTERED", dict(BUILT_IN))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a module of the user in the current folder, which is not on the Python path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    path = tmp_path / "a_space_of_mine.py"
    path.write_text("from tests.helpers.own_space import DEPTHS\nOTHER = 3\n")
    yield path
    sys.modules.pop(path.stem, None)


def test_built_in_spaces_have_their_space_and_networks() -> None:
    cells, nasbench201 = registered_space(CELLS), registered_space("nasbench201")
    assert (cells.space(2), nasbench201.space(2)) == (CellSpace(nodes=2), NASBench201())
    assert isinstance(cells.build_supernet(cells.space(1), SIZES), Supernet)
    assert isinstance(nasbench201.build_supernet(NASBench201(), SIZES), NASBench201Supernet)
    network = nasbench201.build_network(NASBench201Cell.from_text(TEXT), SIZES)
    assert isinstance(network, NASBench201Network)
    assert network.stage_cells == 1
    assert tuple(BUILT_IN) == BUILT_IN_NAMES
    for built_in in (cells, nasbench201):
        assert built_in.built_in
        assert built_in.own_supernet(channels=2, cells=3, nodes=1) is None


def test_a_registered_space_is_found_by_its_name() -> None:
    space = Depths()
    registered = register_space("mine", space, supernet=DepthNetwork)
    assert registered_space("mine") is load_space("mine") is registered
    assert registered.space(4) is space
    assert registered.parse("2") == 2
    build = registered.own_supernet(channels=2, cells=3, nodes=1)
    assert isinstance(build(1, 3), DepthNetwork)
    again = register_space("mine", Depths(), supernet=DepthNetwork)
    assert registered_space("mine") is again


def test_a_cell_space_with_other_operations_needs_no_networks() -> None:
    space = CellSpace(nodes=1, operations=("skip_connect", "sep_conv_3x3"))
    registered = register_space("two_operations", space)
    assert registered.own_supernet(channels=2, cells=3, nodes=1) is None
    genotype = registered.parse(
        "normal: node2 skip_connect(0) skip_connect(1)\n"
        "reduce: node2 sep_conv_3x3(0) skip_connect(1)"
    )
    assert registered.build_network(genotype, SIZES)(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize("name", ["", "a b", "a:b", CELLS, "nasbench201", "torchvision", "x" * 101])
def test_a_name_that_cannot_be_taken_is_refused(name: str) -> None:
    with pytest.raises(
        SpaceError, match=r"name must be 1 to 100 letters.*nasbench201, torchvision; got"
    ):
        register_space(name, Depths(), supernet=DepthNetwork)


def test_a_name_that_is_not_text_is_refused_naming_the_argument() -> None:
    with pytest.raises(TypeError, match="name must be the name of a search space, as text; got 3"):
        load_space(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a search space, as text; got None"):
        register_space(None, Depths(), supernet=DepthNetwork)  # type: ignore[arg-type]


def test_a_stand_alone_network_that_is_no_module_is_refused() -> None:
    register_space("mine", Depths(), supernet=DepthNetwork, network=lambda *_: 3)
    with pytest.raises(SpaceError, match=r"space 'mine' must be a torch.nn.Module; got int"):
        any_network(SpaceGenotype("mine", "2"), "cifar10", SIZES, auxiliary=False)


def test_a_space_without_a_supernet_is_refused() -> None:
    with pytest.raises(TypeError, match=r"supernet must be a function .* for a Depths; got None"):
        register_space("mine", Depths())
    with pytest.raises(TypeError, match="network must be a function; got int"):
        register_space("mine", Depths(), supernet=DepthNetwork, network=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="space must be a CellSpace or have distributions"):
        register_space("mine", 3)  # type: ignore[arg-type]


def test_a_space_without_stand_alone_networks_says_how_to_give_them() -> None:
    with pytest.raises(SpaceError, match=r"'bare_depths' has no stand-alone networks: give"):
        BARE.build_network(2, SIZES)
    with pytest.raises(SpaceError, match=r"'tests.helpers.own_space:BARE' has no stand-alone"):
        load_space("tests.helpers.own_space:BARE").build_network(2, SIZES)


def test_a_module_in_the_current_folder_is_imported_by_load_space_alone(module: Path) -> None:
    name = f"{module.stem}:DEPTHS"
    with pytest.raises(SpaceError, match=f"space '{name}' is not loaded: give --space {name}"):
        registered_space(name)
    loaded = load_space(name)
    assert loaded.name == name
    assert not loaded.built_in
    assert registered_space(name) is load_space(name) is loaded


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "one of cells, nasbench201, or MODULE:ATTRIBUTE .*; got 'nothing'"),
        ("no_such_module:X", "'no_such_module' of space .* cannot be imported, ModuleNotFound"),
        (
            "a_space_of_mine:X",
            r"'X' of module 'a_space_of_mine' \(.*mine.py\) must be .*; got no such attribute",
        ),
        (
            "test:X",
            r"'X' of module 'test' \(.*test.__init__.py\) must be .*; got no such attribute",
        ),
        ("sys:X", r"'X' of module 'sys' \(built into Python\) must be"),
        ("a_space_of_mine:OTHER", "must be what register_space returned; got int"),
        ("../a:b", "space must be one of"),
        ("a:b:c", "space must be one of"),
    ],
)
def test_what_is_no_space_is_refused_in_one_line(name: str, said: str, module: Path) -> None:
    with pytest.raises(SpaceError, match=said) as caught:
        load_space(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["1 / 0", "raise SystemExit(3)", "def"])
def test_a_module_that_cannot_be_imported_is_refused_in_one_line(line: str, module: Path) -> None:
    module.write_text(f"{line}\n")
    with pytest.raises(SpaceError, match=r"'a_space_of_mine' of space .* imported") as caught:
        load_space("a_space_of_mine:DEPTHS")
    assert "\n" not in str(caught.value)
