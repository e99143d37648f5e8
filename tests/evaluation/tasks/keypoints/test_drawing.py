"""Drawings of keypoints over a crop."""

from __future__ import annotations

import numpy as np
import torch

from relativenas_optuna.evaluation.tasks.keypoints.drawing import draw_person

ORANGE, CYAN = [255, 165, 0], [0, 255, 255]
JOINTS = ("left_knee", "left_ankle", "tail")


def drawn(true: torch.Tensor | None) -> list[list[list[int]]]:
    image = torch.zeros(3, 128, 96, dtype=torch.uint8)
    predicted = torch.tensor([[20.0, 30, 0.9], [20, 90, 0.1], [70, 100, 0.5]])
    pixels: list[list[list[int]]] = np.asarray(draw_person(image, predicted, true, JOINTS)).tolist()
    return pixels


def test_predictions_are_orange_and_true_keypoints_cyan() -> None:
    true = torch.tensor([[60.0, 30, 1], [60, 90, 1], [0, 0, 0]])
    pixels = drawn(true)
    assert (len(pixels), len(pixels[0])) == (3 * 128, 3 * 96)
    for x, y in ((20, 30), (20, 60), (20, 90), (70, 100)):  # (20, 60) is on the line of the leg
        assert pixels[3 * y][3 * x] == ORANGE
    for x, y in ((60, 30), (60, 60), (60, 90)):
        assert pixels[3 * y][3 * x] == CYAN
    assert pixels[0][0] == [0, 0, 0]  # the keypoint that is not labelled


def test_a_prediction_is_drawn_without_truth() -> None:
    assert CYAN not in [colour for row in drawn(None) for colour in row]
