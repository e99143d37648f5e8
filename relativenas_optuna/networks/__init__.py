"""How architectures compute: operations, stand-alone networks, the supernet and their cost."""

from relativenas_optuna.networks.cost import Cost, cost
from relativenas_optuna.networks.network import CellNetwork, CifarNetwork, ImageNetNetwork, build
from relativenas_optuna.networks.operations import OPERATIONS, FactorizedReduce, drop_path
from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.networks.weights import draw_weights

__all__ = [
    "OPERATIONS",
    "CellNetwork",
    "CifarNetwork",
    "Cost",
    "FactorizedReduce",
    "ImageNetNetwork",
    "Supernet",
    "build",
    "cost",
    "draw_weights",
    "drop_path",
]
