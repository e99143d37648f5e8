"""Train, measure, compare and export what a search has found.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.exporting.export import export
    from relativenas_optuna.evaluation.fidelity.rank_correlation import Agreement, agreement
    from relativenas_optuna.evaluation.measurement.latency import Latency, latency
    from relativenas_optuna.evaluation.measurement.latency_table import (
        LatencyRequest,
        measure_latencies,
    )
    from relativenas_optuna.evaluation.measurement.measure import Measured, measure
    from relativenas_optuna.evaluation.network_in_file import open_network
    from relativenas_optuna.evaluation.standalone.recipe import RECIPES, Recipe
    from relativenas_optuna.evaluation.standalone.result import Result
    from relativenas_optuna.evaluation.standalone.run import training_run
    from relativenas_optuna.evaluation.tasks.backbones import TorchvisionBackbone
    from relativenas_optuna.evaluation.tasks.detection.head import SSDLite
    from relativenas_optuna.evaluation.tasks.detection.pyramid import PyramidBackbone
    from relativenas_optuna.evaluation.tasks.keypoints.head import SimpleBaseline
    from relativenas_optuna.evaluation.tasks.segmentation.head import BiSeNet
    from relativenas_optuna.exceptions import DivergedError, ExportError

__all__ = [
    "RECIPES",
    "Agreement",
    "BiSeNet",
    "DivergedError",
    "ExportError",
    "Latency",
    "LatencyRequest",
    "Measured",
    "PyramidBackbone",
    "Recipe",
    "Result",
    "SSDLite",
    "SimpleBaseline",
    "TorchvisionBackbone",
    "agreement",
    "export",
    "latency",
    "measure",
    "measure_latencies",
    "open_network",
    "training_run",
]

_HOMES = {
    "Agreement": "evaluation.fidelity.rank_correlation",
    "BiSeNet": "evaluation.tasks.segmentation.head",
    "DivergedError": "exceptions",
    "ExportError": "exceptions",
    "Latency": "evaluation.measurement.latency",
    "LatencyRequest": "evaluation.measurement.latency_table",
    "Measured": "evaluation.measurement.measure",
    "PyramidBackbone": "evaluation.tasks.detection.pyramid",
    "RECIPES": "evaluation.standalone.recipe",
    "Recipe": "evaluation.standalone.recipe",
    "Result": "evaluation.standalone.result",
    "SSDLite": "evaluation.tasks.detection.head",
    "SimpleBaseline": "evaluation.tasks.keypoints.head",
    "TorchvisionBackbone": "evaluation.tasks.backbones",
    "agreement": "evaluation.fidelity.rank_correlation",
    "export": "evaluation.exporting.export",
    "latency": "evaluation.measurement.latency",
    "measure": "evaluation.measurement.measure",
    "measure_latencies": "evaluation.measurement.latency_table",
    "open_network": "evaluation.network_in_file",
    "training_run": "evaluation.standalone.run",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
