"""Texts about built-in and custom spaces."""

import pytest

from relativenas_optuna.spaces.names import network_size


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ("cells", "1 cell and 8 channels"),
        ("nasbench201", "1 cell and 8 channels"),
        ("mine:SPACE", "space mine:SPACE"),  # its networks may have neither
    ],
)
def test_only_networks_of_built_in_spaces_have_cells_and_channels(space: str, text: str) -> None:
    assert network_size(space, cells=1, channels=8) == text
