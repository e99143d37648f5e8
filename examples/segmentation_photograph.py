"""Find the petals in a photograph: train BiSeNet on one flower, and test it on another one.

Writes the prediction over the photograph to segmentation.png. Takes about half a minute on a CPU.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image

from relativenas_optuna.evaluation import (
    draw_predictions,
    load_task,
    open_network,
    training_run,
)
from relativenas_optuna.spaces import published

LEAVES, FLOWER, IGNORED = 0, 1, 255
LARGE = (170, 86, 446, 358)  # the flower in the middle: left, top, right and bottom in pixels
SMALL = [
    (288, 430), (292, 402), (322, 397), (348, 375), (372, 384), (400, 378), (434, 386), (444, 430),
]  # fmt: skip
BOTTOM = 362  # the photograph above it is trained on, and the flower below it is the test

SEGMENTATION = load_task("segmentation")
photograph = Image.fromarray(load_sample_image("flower.jpg"))
mask = Image.new("L", photograph.size, LEAVES)
pen = ImageDraw.Draw(mask)
# The outlines are drawn by hand, so pixels near them are ignored.
pen.ellipse(LARGE, fill=FLOWER, outline=IGNORED, width=8)
pen.polygon(SMALL, fill=FLOWER, outline=IGNORED, width=6)

with TemporaryDirectory() as temporary:
    folder = Path(temporary)
    for part in ("train", "val"):
        for kind in ("images", "masks"):
            (folder / part / kind).mkdir(parents=True)
    (folder / "classes.txt").write_text("leaves\nflower\n")
    for number in range(4):  # a batch needs several images, so there are four strips
        strip = (160 * number, 0, 160 * (number + 1), BOTTOM)
        photograph.crop(strip).save(folder / "train" / "images" / f"{number}.png")
        mask.crop(strip).save(folder / "train" / "masks" / f"{number}.png")
    photograph.save(folder / "val" / "images" / "whole.png")
    mask.paste(IGNORED, (0, 0, photograph.width, BOTTOM))
    mask.save(folder / "val" / "masks" / "whole.png")

    recipe = replace(
        SEGMENTATION.recipe,
        channels=8,
        cells=5,
        size=96,
        epochs=60,
        batch_size=4,
        learning_rate=0.05,
        validation_fraction=0.0,
    )
    training = SEGMENTATION.load(str(folder), recipe, train=True)
    test = SEGMENTATION.load(str(folder), recipe, train=False)
    assert training is not None
    assert test is not None
    torch.set_num_threads(1)
    result = training_run(
        published("RelativeNAS"),
        training,
        test=test,
        task=SEGMENTATION,
        recipe=recipe,
        seed=0,
        out=folder / "trained",
        device="cpu",
    )
    print({name: round(value, 4) for name, value in (result.test_figures or {}).items()})
    network = open_network(result.network, published("RelativeNAS"))[0]
    (drawn,) = draw_predictions(SEGMENTATION, network, test)
    drawn.save("segmentation.png")
    print("the prediction (left) and the pixels that count (right): segmentation.png")
