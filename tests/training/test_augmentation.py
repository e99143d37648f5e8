from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from relativenas_optuna.training import Augmentation
from relativenas_optuna.training.augmentation import Draws, normalise

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
augmentations = st.builds(
    Augmentation, padding=st.integers(0, 4), flip=st.booleans(), cutout=st.integers(0, 5)
)


def random_images(count: int, height: int, width: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(count + height)
    shape = (count, channels, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def statistics(channels: int = 3) -> tuple[Tensor, Tensor]:
    return torch.tensor(MEAN[:channels]), torch.tensor(STD[:channels])


def slow(settings: Augmentation, image: np.ndarray, draws: Draws, index: int) -> np.ndarray:
    """Return one augmented image, computed pixel by pixel in float64."""
    channels, height, width = image.shape
    result = np.zeros(image.shape)
    top, left = int(draws.top[index]), int(draws.left[index])
    first_row = int(draws.row[index]) - settings.cutout // 2
    first_column = int(draws.column[index]) - settings.cutout // 2
    for row in range(height):
        for column in range(width):
            cut = (
                first_row <= row < first_row + settings.cutout
                and first_column <= column < first_column + settings.cutout
            )
            if cut:
                continue
            mirrored = width - 1 - column if draws.flip[index] else column
            source = (row + top - settings.padding, mirrored + left - settings.padding)
            inside = 0 <= source[0] < height and 0 <= source[1] < width
            for channel in range(channels):
                value = image[(channel, *source)] / 255 if inside else 0.0
                result[channel, row, column] = (value - MEAN[channel]) / STD[channel]
    return result


@given(
    augmentations,
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(5, 8), st.integers(5, 8)),
    st.integers(0, 2**32),
)
def test_a_batch_equals_its_images_one_by_one(
    settings: Augmentation, shape: tuple[int, int, int, int], seed: int
) -> None:
    count, channels, height, width = shape
    images = random_images(count, height, width, channels)
    draws = settings.draw(count, height, width, torch.Generator().manual_seed(seed))
    batch = settings.apply(images, *statistics(channels), draws)
    assert batch.dtype == torch.float32
    for index in range(count):
        reference = slow(settings, images[index].numpy(), draws, index)
        np.testing.assert_allclose(batch[index].numpy(), reference, atol=1e-5)


@given(augmentations, st.integers(0, 2**32))
def test_augmentation_depends_on_the_generator_only(settings: Augmentation, seed: int) -> None:
    images = random_images(3, 6, 7)
    once, again = (
        settings(images, *statistics(), torch.Generator().manual_seed(seed)) for _ in range(2)
    )
    assert torch.equal(once, again)


def test_augmentation_does_not_change_its_input() -> None:
    images = random_images(4, 8, 8)
    before = images.clone()
    Augmentation(padding=2, cutout=4)(images, *statistics(), torch.Generator())
    assert torch.equal(images, before)


def test_nothing_to_choose_only_normalises_and_draws_nothing() -> None:
    images, generator = random_images(4, 8, 8), torch.Generator().manual_seed(1)
    state = generator.get_state()
    result = Augmentation(padding=0, flip=False, cutout=0)(images, *statistics(), generator)
    assert torch.equal(result, normalise(images, *statistics()))
    assert torch.equal(generator.get_state(), state)


def test_normalised_images_of_a_set_have_mean_0_and_std_1() -> None:
    images = random_images(50, 8, 8)
    values = images.double() / 255
    mean, std = values.mean((0, 2, 3)).float(), values.std((0, 2, 3)).float()
    result = normalise(images, mean, std)
    torch.testing.assert_close(result.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(result.std((0, 2, 3)), torch.ones(3), atol=1e-5, rtol=0)


def assert_uniform(draws: Tensor, bound: int) -> None:
    """Check each count of 0 to bound - 1 within 5 standard deviations of its expectation."""
    counts = np.bincount(draws.numpy(), minlength=bound)
    assert len(counts) == bound
    share = 1 / bound
    deviation = (len(draws) * share * (1 - share)) ** 0.5
    assert np.abs(counts - len(draws) * share).max() < 5 * deviation


def test_draws_are_uniform_over_offsets_sides_and_centres() -> None:
    draws = Augmentation(padding=4).draw(20_000, 32, 24, torch.Generator().manual_seed(0))
    for values, bound in (
        (draws.top, 9),
        (draws.left, 9),
        (draws.flip.long(), 2),
        (draws.row, 32),
        (draws.column, 24),
    ):
        assert_uniform(values, bound)
    together = torch.stack([draws.top, draws.left, draws.flip, draws.row, draws.column]).double()
    correlations = torch.corrcoef(together) - torch.eye(5)
    assert correlations.abs().max() < 5 / 20_000**0.5


@pytest.mark.parametrize("side", [1, 2, 5, 16])
def test_an_inner_cutout_has_exactly_its_area(side: int) -> None:
    settings = Augmentation(padding=0, flip=False, cutout=side)
    draws = settings.draw(200, 32, 32, torch.Generator().manual_seed(0))
    images = torch.full((200, 1, 32, 32), 255, dtype=torch.uint8)
    zeros = (settings.apply(images, *statistics(1), draws) == 0).sum((1, 2, 3))
    centres = torch.stack([draws.row, draws.column])
    inner = (centres.amin(0) >= side // 2) & (centres.amax(0) + (side + 1) // 2 <= 32)
    assert inner.any()
    assert set(zeros[inner].tolist()) == {side * side}
    # A centre in the corner leaves the least of the square.
    assert ((side // 2) ** 2 <= zeros).all()
    assert (zeros[~inner] < side * side).all()


def test_defaults_equal_those_of_the_paper() -> None:
    assert Augmentation() == Augmentation(padding=4, flip=True, cutout=16)


def test_negative_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="padding must be at least 0 pixels, got -1"):
        Augmentation(padding=-1)
    with pytest.raises(ValueError, match="cutout must be at least 0 pixels, got -2"):
        Augmentation(cutout=-2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Augmentation(), "cutout must be at most 8 for images of 12x8, got 16"),
        (Augmentation(padding=8, cutout=0), "padding must be at most 7 for images of 12x8"),
    ],
)
def test_images_too_small_for_the_augmentation_are_refused(
    settings: Augmentation, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        settings.check(8, 12)
