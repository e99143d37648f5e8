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
    from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.standalone.result import Result
    from relativenas_optuna.evaluation.standalone.run import training_run
    from relativenas_optuna.evaluation.tasks.backbones import TorchvisionBackbone
    from relativenas_optuna.evaluation.tasks.detection.head import SSDLite
    from relativenas_optuna.evaluation.tasks.detection.pyramid import PyramidBackbone
    from relativenas_optuna.evaluation.tasks.keypoints.head import SimpleBaseline
    from relativenas_optuna.evaluation.tasks.measuring import (
        TaskMeasured,
        draw_predictions,
        measure_task,
    )
    from relativenas_optuna.evaluation.tasks.registry import load_task, register_task
    from relativenas_optuna.evaluation.tasks.samples import Records, Samples
    from relativenas_optuna.evaluation.tasks.segmentation.head import BiSeNet
    from relativenas_optuna.evaluation.tasks.task import Meter, Task
    from relativenas_optuna.exceptions import DivergedError, ExportError, TaskError

__all__ = [
    "RECIPES",
    "Agreement",
    "BiSeNet",
    "DivergedError",
    "ExportError",
    "Latency",
    "LatencyRequest",
    "Measured",
    "Meter",
    "PyramidBackbone",
    "Recipe",
    "Records",
    "Result",
    "SSDLite",
    "Samples",
    "SimpleBaseline",
    "Task",
    "TaskError",
    "TaskMeasured",
    "TorchvisionBackbone",
    "agreement",
    "draw_predictions",
    "export",
    "latency",
    "load_task",
    "measure",
    "measure_latencies",
    "measure_task",
    "open_network",
    "register_task",
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
    "Meter": "evaluation.tasks.task",
    "PyramidBackbone": "evaluation.tasks.detection.pyramid",
    "RECIPES": "evaluation.standalone.named_recipes",
    "Recipe": "evaluation.standalone.recipe",
    "Records": "evaluation.tasks.samples",
    "Result": "evaluation.standalone.result",
    "SSDLite": "evaluation.tasks.detection.head",
    "Samples": "evaluation.tasks.samples",
    "SimpleBaseline": "evaluation.tasks.keypoints.head",
    "Task": "evaluation.tasks.task",
    "TaskError": "exceptions",
    "TaskMeasured": "evaluation.tasks.measuring",
    "TorchvisionBackbone": "evaluation.tasks.backbones",
    "agreement": "evaluation.fidelity.rank_correlation",
    "draw_predictions": "evaluation.tasks.measuring",
    "export": "evaluation.exporting.export",
    "latency": "evaluation.measurement.latency",
    "load_task": "evaluation.tasks.registry",
    "measure": "evaluation.measurement.measure",
    "measure_latencies": "evaluation.measurement.latency_table",
    "measure_task": "evaluation.tasks.measuring",
    "open_network": "evaluation.network_in_file",
    "register_task": "evaluation.tasks.registry",
    "training_run": "evaluation.standalone.run",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
