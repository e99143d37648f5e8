"""Detect the flower of a photograph: torchvision's Faster R-CNN on a small network.

Any detector of torchvision that takes a backbone works the same: `RetinaNet`, `FCOS`, `MaskRCNN`.
"""

import torch
from sklearn.datasets import load_sample_image
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import box_iou

from relativenas_optuna import build
from relativenas_optuna.evaluation import PyramidBackbone

torch.manual_seed(0)
photo = torch.from_numpy(load_sample_image("flower.jpg").copy()).permute(2, 0, 1) / 255
images = [photo, photo.flip(2)]
width = photo.shape[2]
boxes = [[168.0, 84.0, 446.0, 360.0], [width - 446.0, 84.0, width - 168.0, 360.0]]
targets = [{"boxes": torch.tensor([b]), "labels": torch.tensor([1])} for b in boxes]

backbone = build(
    "RelativeNAS", "imagenet", channels=8, cells=6, features_only=True, out_indices=(2, 3, 4)
)
anchors = AnchorGenerator(((16,), (32,), (64,), (128,)), ((1.0,),) * 4)
network = FasterRCNN(
    PyramidBackbone(backbone, 32),
    num_classes=2,
    rpn_anchor_generator=anchors,
    min_size=128,
    rpn_post_nms_top_n_train=200,
)
optimizer = torch.optim.AdamW(network.parameters(), lr=0.002)
for step in range(30):
    losses = network(images, targets)
    loss = sum(losses.values())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 10 == 9:
        print(f"step {step + 1}: loss {loss:.3f}")
with torch.no_grad():
    for _ in range(20):  # the running statistics of the batch norms follow the last weights
        network(images, targets)
    found = network.eval()(images[:1])[0]
overlap = box_iou(found["boxes"][:1], targets[0]["boxes"])
print(f"best box: score {found['scores'][0]:.2f}, IoU {overlap.item():.2f}")
