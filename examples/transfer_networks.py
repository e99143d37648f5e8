"""Sizes of the networks for detection, segmentation and keypoints, on found and other backbones.

A found genotype stands in the place of a name. The networks are built on the meta device, without
memory for their weights.
"""

import torch

from relativenas_optuna.evaluation import BiSeNet, SimpleBaseline, SSDLite
from relativenas_optuna.networks import cost

NAMES = (
    "RelativeNAS",
    "DARTS_V2",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mnasnet1_0",
    "shufflenet_v2_x1_0",
)
for name in NAMES:
    with torch.device("meta"):
        networks = {
            "SSDLite": (SSDLite(name).raw_outputs(), (3, 320, 320)),
            "BiSeNet": (BiSeNet(name), (3, 1024, 1024)),
            "SimpleBaseline": (SimpleBaseline(name), (3, 256, 192)),
        }
    for task, (network, size) in networks.items():
        found = cost(network, size)
        print(
            f"{name:18} {task:14} {found.parameters:10,} parameters, "
            f"{found.multiply_adds / 1e6:8,.0f} M multiply-adds"
        )
