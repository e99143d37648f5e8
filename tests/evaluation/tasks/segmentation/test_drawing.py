"""Test the drawing of masks over images."""

from __future__ import annotations

import numpy as np
import torch

from relativenas_optuna.evaluation.tasks.segmentation.drawing import draw_masks

HEIGHT, WIDTH = 40, 60


def test_each_class_has_its_colour_and_the_truth_is_to_the_right() -> None:
    image = torch.full((3, HEIGHT, WIDTH), 128, dtype=torch.uint8)
    predicted = torch.zeros(HEIGHT, WIDTH, dtype=torch.uint8)
    predicted[:, 30:] = 1
    true = torch.full((HEIGHT, WIDTH), 255, dtype=torch.uint8)
    true[:10] = 1
    drawn = np.array(draw_masks(image, predicted, true, ("leaves", "flower")))
    assert drawn.shape[1] == 2 * WIDTH
    assert drawn.shape[0] > HEIGHT  # the legend
    leaves, flower = drawn[20, 5], drawn[20, 50]
    assert not np.array_equal(leaves, flower)
    assert np.array_equal(drawn[5, WIDTH + 5], flower)
    assert (drawn[20, WIDTH + 5] == 128).all()  # a pixel without a class is as in the image


def test_classes_of_cityscapes_have_its_colours() -> None:
    image = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)
    drawn = np.array(draw_masks(image, image[0], None, ("road", "car")))
    red, green, blue = (int(part) for part in drawn[0, 0])
    assert red == blue > green  # the road is (128, 64, 128)
