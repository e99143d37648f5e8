"""Segment the flower of a photograph: a Unet of Segmentation Models PyTorch on a small network.

The mask to learn is every pixel with more red than green. With your own search, give its
genotype, for example `Genotype.from_text(path.read_text())`, in the place of "RelativeNAS".
"""

import segmentation_models_pytorch as smp
import torch
from sklearn.datasets import load_sample_image

from relativenas_optuna import register_with_timm

torch.manual_seed(0)
photo = torch.from_numpy(load_sample_image("flower.jpg").copy()).permute(2, 0, 1)[
    :, 40:424, 120:504
]
images = torch.nn.functional.avg_pool2d(photo.float() / 255, 3)[None]  # [1, 3, 128, 128]
mask = (images[:, :1] > images[:, 1:2]).float()

register_with_timm("relativenas_small", "RelativeNAS", channels=8, cells=6)
network = smp.Unet(
    "tu-relativenas_small", encoder_weights=None, decoder_channels=(64, 32, 16, 8, 8)
)
dice = smp.losses.DiceLoss("binary")
optimizer = torch.optim.AdamW(network.parameters(), lr=0.003)
flips = [(), (2,), (3,), (2, 3)]
for step in range(24):
    flip = flips[step % 4]
    loss = dice(network(images.flip(flip)), mask.flip(flip))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 6 == 5:
        print(f"step {step + 1}: Dice loss {loss:.3f}")
with torch.no_grad():
    for _ in range(20):  # the running statistics of the batch norms follow the last weights
        network(images)
    found = (network.eval()(images) > 0).long()
scores = smp.metrics.get_stats(found, mask.long(), mode="binary")
print(f"IoU of the flower: {smp.metrics.iou_score(*scores, reduction='micro'):.2f}")
