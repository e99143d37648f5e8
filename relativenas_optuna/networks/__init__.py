"""Supernets, stand-alone networks, their cost, and their files.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import ProtocolError
    from relativenas_optuna.networks.additive_cost import costs_of, network_costs
    from relativenas_optuna.networks.backbone import Backbone, FeatureInfo
    from relativenas_optuna.networks.build_network import build
    from relativenas_optuna.networks.conformance import check_supernet
    from relativenas_optuna.networks.feature_maps import FeatureMapNetwork
    from relativenas_optuna.networks.initial import initial_supernet
    from relativenas_optuna.networks.initial_weights import draw_weights
    from relativenas_optuna.networks.io.network_file import (
        NetworkDescription,
        load_network,
        network_bytes,
        save_network,
    )
    from relativenas_optuna.networks.latency import LatencyTable
    from relativenas_optuna.networks.layers.operations import (
        OPERATIONS,
        FactorizedReduce,
        drop_path,
    )
    from relativenas_optuna.networks.nasbench201 import NASBench201Network, NASBench201Supernet
    from relativenas_optuna.networks.network import CellNetwork, CifarNetwork, ImageNetNetwork
    from relativenas_optuna.networks.network_cost import Cost, CostLimits, cost
    from relativenas_optuna.networks.path_cost import PathCosts
    from relativenas_optuna.networks.protocol import SharedNetwork
    from relativenas_optuna.networks.supernet import Supernet
    from relativenas_optuna.networks.timm_models import register_with_timm

__all__ = [
    "OPERATIONS",
    "Backbone",
    "CellNetwork",
    "CifarNetwork",
    "Cost",
    "CostLimits",
    "FactorizedReduce",
    "FeatureInfo",
    "FeatureMapNetwork",
    "ImageNetNetwork",
    "LatencyTable",
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
    "costs_of",
    "draw_weights",
    "drop_path",
    "initial_supernet",
    "load_network",
    "network_bytes",
    "network_costs",
    "register_with_timm",
    "save_network",
]

_HOMES = {
    "Backbone": "networks.backbone",
    "CellNetwork": "networks.network",
    "CifarNetwork": "networks.network",
    "Cost": "networks.network_cost",
    "CostLimits": "networks.network_cost",
    "FactorizedReduce": "networks.layers.operations",
    "FeatureInfo": "networks.backbone",
    "FeatureMapNetwork": "networks.feature_maps",
    "ImageNetNetwork": "networks.network",
    "LatencyTable": "networks.latency",
    "NASBench201Network": "networks.nasbench201",
    "NASBench201Supernet": "networks.nasbench201",
    "NetworkDescription": "networks.io.network_file",
    "OPERATIONS": "networks.layers.operations",
    "PathCosts": "networks.path_cost",
    "ProtocolError": "exceptions",
    "SharedNetwork": "networks.protocol",
    "Supernet": "networks.supernet",
    "build": "networks.build_network",
    "check_supernet": "networks.conformance",
    "cost": "networks.network_cost",
    "costs_of": "networks.additive_cost",
    "draw_weights": "networks.initial_weights",
    "drop_path": "networks.layers.operations",
    "initial_supernet": "networks.initial",
    "load_network": "networks.io.network_file",
    "network_bytes": "networks.io.network_file",
    "network_costs": "networks.additive_cost",
    "register_with_timm": "networks.timm_models",
    "save_network": "networks.io.network_file",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
