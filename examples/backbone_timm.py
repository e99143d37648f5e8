"""Feature maps of a photograph from the ImageNet network of the published cell, by timm."""

import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from relativenas_optuna import register_with_timm

print(*register_with_timm(), sep="\n")
backbone = timm.create_model("relativenas_imagenet", features_only=True).eval()

photo = Image.fromarray(load_sample_image("flower.jpg"))
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(backbone))
with torch.no_grad():
    maps = backbone(transform(photo)[None])
for stride, x in zip(backbone.feature_info.reduction(), maps, strict=True):
    print(f"stride {stride:2}: {tuple(x.shape)}")
