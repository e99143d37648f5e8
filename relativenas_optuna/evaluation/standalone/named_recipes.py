"""Recipes of stand-alone training by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from relativenas_optuna.evaluation.standalone.recipe import Recipe
from relativenas_optuna.search.defaults import TRAINED_CELLS, TRAINED_CHANNELS

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # Tan et al. 2021. The paper has no validation parts; these are ours.
        "cifar": Recipe(),
        "imagenet": Recipe(
            family="imagenet",
            channels=46,
            cells=14,
            size=224,
            epochs=250,
            batch_size=1024,
            learning_rate=0.5,
            schedule="linear",
            warmup_epochs=5,
            weight_decay=3e-5,
            clip=0.0,
            label_smoothing=0.1,
            drop_path=0.0,
            padding=0,
            cutout=0,
            random_resized_crop=True,
            color_jitter=0.4,
            validation_fraction=0.02,
        ),
        # For images of about 32 pixels, in minutes on a CPU.
        "short": Recipe(
            channels=TRAINED_CHANNELS,
            cells=TRAINED_CELLS,
            epochs=30,
            batch_size=64,
            auxiliary=0.0,
            learning_rate=0.05,
            drop_path=0.0,
            padding=2,
            cutout=4,
            validation_fraction=0.2,
        ),
        # For images of 8 pixels, which must not be mirrored.
        "digits": Recipe(
            channels=TRAINED_CHANNELS,
            cells=TRAINED_CELLS,
            epochs=20,
            batch_size=32,
            auxiliary=0.0,
            learning_rate=0.05,
            drop_path=0.0,
            padding=1,
            flip=False,
            cutout=2,
            validation_fraction=0.2,
        ),
    }
)
"""Recipes for classification by name."""

_TRANSFER = Recipe(
    family="imagenet", channels=46, cells=14, drop_path=0.0, padding=0, cutout=0, clip=0.0
)
"""The backbone of Tan et al. 2021 for other tasks."""

TASK_RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # Yu et al., BiSeNet, 2018, for Cityscapes: batches of 16 crops, SGD, poly. 430 epochs of
        # 2,975 images are 80,000 steps. The size of the crops is that of the multiply-adds in
        # Tan et al. 2021, who do not state their recipe. The validation part is ours.
        "segmentation": replace(
            _TRANSFER,
            size=1024,
            epochs=430,
            batch_size=16,
            auxiliary=1.0,
            learning_rate=0.025,
            schedule="poly",
            weight_decay=1e-4,
            validation_fraction=0.05,
        ),
        # Xiao et al., SimpleBaseline, 2018, for COCO: batches of 128 persons, Adam, steps. Tan et
        # al. 2021 do not state their recipe. The validation part is ours.
        "keypoints": replace(
            _TRANSFER,
            size=256,
            epochs=140,
            batch_size=128,
            auxiliary=0.0,
            learning_rate=1e-3,
            optimizer="adam",
            schedule="steps",
            weight_decay=0.0,
            validation_fraction=0.02,
        ),
        # Tan et al. 2021 do not state their recipe for VOC. Batches of 32 images and a cosine decay
        # from 0.01 in 200 epochs are customary for SSDLite. The validation part is ours.
        "detection": replace(
            _TRANSFER,
            size=320,
            epochs=200,
            batch_size=32,
            auxiliary=0.0,
            learning_rate=0.01,
            weight_decay=5e-4,
            validation_fraction=0.05,
        ),
    }
)
"""Default recipes of the built-in tasks other than classification by the name of the task."""
