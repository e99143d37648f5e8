from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from relativenas_optuna.search.finals.images import shrunk
from relativenas_optuna.training import Images
from tests.helpers.tiny_search import tiny_images


@pytest.mark.parametrize("pixels", [8, 9, 32])
def test_small_images_stay_as_they_are(pixels: int) -> None:
    assert shrunk(tiny_images(), pixels) is tiny_images()


@pytest.mark.parametrize("floats", [False, True])
def test_larger_images_become_means_of_their_pixels(floats: bool) -> None:
    pixels = torch.full((2, 1, 12, 6), 100, dtype=torch.float32 if floats else torch.uint8)
    pixels[:, :, :6] = 200
    images = replace(tiny_images(2), images=pixels)
    small = shrunk(images, 4)
    assert isinstance(small, Images)
    assert small.images.dtype == images.images.dtype
    assert small.shape == (1, 4, 2)
    assert (small.mean, small.std, small.classes) == (images.mean, images.std, images.classes)
    assert torch.equal(small.labels, images.labels)
    assert small.images[0, 0, 0].tolist() == [200, 200]
    assert small.images[0, 0, -1].tolist() == [100, 100]
