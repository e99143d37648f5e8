"""Detect things on photographs: write a folder of PASCAL VOC, train on it, measure and draw.

The photographs come with scikit-image and Matplotlib, the boxes were drawn by hand. To run in
seconds, a small network learns only these photographs and their mirror images, and is shown them
again. `relativenas train --task detection --data VOCdevkit` trains a whole network on a folder of
your own, with the augmentation of SSD.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from matplotlib.cbook import get_sample_data
from PIL import Image, ImageOps
from skimage import data
from torchvision.transforms.v2.functional import pil_to_tensor

from relativenas_optuna import build
from relativenas_optuna.evaluation.tasks.detection.task import DETECTION

Boxes = dict[str, tuple[int, int, int, int]]
STEPS = 80
SIDE = 320  # pixels of a drawn photograph
# The side of an image is at most 400 pixels; boxes have first and last column and row, from 1.
PHOTOS: dict[str, tuple[Image.Image, Boxes]] = {
    "astronaut": (
        Image.fromarray(data.astronaut()),
        {
            "face": (121, 11, 237, 148),
            "helmet": (219, 267, 400, 400),
            "rocket": (291, 1, 352, 222),
        },
    ),
    "chelsea": (Image.fromarray(data.chelsea()), {"cat": (20, 1, 345, 262)}),
    "coffee": (Image.fromarray(data.coffee()), {"cup": (110, 8, 285, 205)}),
    "hopper": (
        Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)),
        {"face": (102, 13, 249, 237)},
    ),
}

devkit = Path(sys.argv[1] if len(sys.argv) > 1 else "VOCdevkit")
year = devkit / "VOC2007"
for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
    (year / folder).mkdir(parents=True, exist_ok=True)


def write(name: str, image: Image.Image, boxes: Boxes) -> None:
    objects = ""
    for label, (left, top, right, bottom) in boxes.items():
        objects += (
            f"<object><name>{label}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
            f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        )
    image.save(year / "JPEGImages" / f"{name}.jpg")
    (year / "Annotations" / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")


for name, (image, boxes) in PHOTOS.items():
    image.thumbnail((400, 400))
    write(name, image, boxes)
    last = image.width + 1
    mirrored = {
        label: (last - right, top, last - left, bottom)
        for label, (left, top, right, bottom) in boxes.items()
    }
    write(f"{name}-mirrored", ImageOps.mirror(image), mirrored)
parts = {"trainval": [*PHOTOS, *(f"{name}-mirrored" for name in PHOTOS)], "test": [*PHOTOS]}
for part, names in parts.items():
    (year / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(names))
(devkit / "classes.txt").write_text("face\nhelmet\nrocket\ncat\ncup\n")

recipe = replace(DETECTION.recipe, size=160)
training, test = (DETECTION.load(str(devkit), recipe, train=part) for part in (True, False))
assert training is not None
assert test is not None
torch.manual_seed(0)
backbone = build(
    "RelativeNAS", "imagenet", channels=8, cells=3, features_only=True, out_indices=(3, 4)
)
network = DETECTION.network(backbone, training.classes)
optimizer = torch.optim.AdamW(network.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=STEPS)
((images, targets),) = training.batches(len(training))
for step in range(STEPS):
    optimizer.zero_grad()
    loss = DETECTION.loss(network, images, targets, recipe)
    torch.autograd.backward(loss)
    optimizer.step()
    schedule.step()
    if step % 10 == 9:
        print(f"step {step + 1}: loss {loss:.2f}")

((images, targets),) = test.batches(len(test))
with torch.no_grad():
    predictions = DETECTION.predict(network.eval(), images)
meter = DETECTION.meter(test)
meter.update(predictions, targets)
print({name: round(value, 2) for name, value in meter.result().items()})
drawn = Image.new("RGB", (SIDE * len(images), SIDE))
for number, (name, prediction) in enumerate(zip(PHOTOS, predictions, strict=True)):
    photo = PHOTOS[name][0].resize((SIDE, SIDE))
    scaled = prediction | {"boxes": prediction["boxes"] * (SIDE / recipe.size)}
    boxed = DETECTION.draw(pil_to_tensor(photo), scaled, None, test.classes)
    drawn.paste(boxed, (SIDE * number, 0))
drawn.save("detections.png")
