"""How architectures compute: operations, stand-alone networks, the supernet and their cost."""

from relativenas_optuna.networks.building import build
from relativenas_optuna.networks.conformance import check_supernet
from relativenas_optuna.networks.cost import Cost, CostLimits, cost
from relativenas_optuna.networks.first import first_supernet
from relativenas_optuna.networks.nasbench201 import NASBench201Network, NASBench201Supernet
from relativenas_optuna.networks.network import CellNetwork, CifarNetwork, ImageNetNetwork
from relativenas_optuna.networks.operations import OPERATIONS, FactorizedReduce, drop_path
from relativenas_optuna.networks.path_cost import PathCosts
from relativenas_optuna.networks.protocol import ProtocolError, SharedNetwork
from relativenas_optuna.networks.stored import (
    NetworkDescription,
    load_network,
    network_bytes,
    save_network,
)
from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.networks.weights import draw_weights

__all__ = [
    "OPERATIONS",
    "CellNetwork",
    "CifarNetwork",
    "Cost",
    "CostLimits",
    "FactorizedReduce",
    "ImageNetNetwork",
    "NASBench201Network",
    "NASBench201Supernet",
    "NetworkDescription",
    "PathCosts",
    "ProtocolError",
    "SharedNetwork",
    "Supernet",
    "build",
    "check_supernet",
    "cost",
    "draw_weights",
    "drop_path",
    "first_supernet",
    "load_network",
    "network_bytes",
    "save_network",
]
