"""Read the images of a user's data set, or of a stream, into memory or into a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.channel_statistics import statistics_of_pieces
from relativenas_optuna.training.data.dataset_item import (
    brief,
    item_label,
    item_tensor,
    require_alike,
)
from relativenas_optuna.training.data.dataset_items import AnyDataset, length_of, pairs_of
from relativenas_optuna.training.data.file_images import FileImages, labelled
from relativenas_optuna.training.data.image_set import ImageSet, require_classes
from relativenas_optuna.training.data.images import Images
from relativenas_optuna.training.data.pixel_file import Array
from relativenas_optuna.training.data.pixel_store import gather, pieces_of
from relativenas_optuna.training.data.read_files import check_size

_CHUNK_BYTES = 1 << 20


def images_of(
    dataset: AnyDataset,
    *,
    classes: Sequence[str] | None = None,
    like: ImageSet | None = None,
    size: int | None = None,
    in_memory: bool | None = None,
) -> Images | FileImages:
    """Read a whole data set, into memory or into a file if it does not fit there.

    Every item is read once, so leave random transforms out of the data set: the training draws
    crops, flips and cutout anew for every batch.

    Args:
        dataset: Data set with a length, or a stream that ends (such as an `IterableDataset`), of
            pairs (image, label) or of mappings with an image and a label. An image is a PIL
            image, a uint8 or floating-point array `[h, w]` or `[h, w, c]`, or such a tensor
            `[h, w]` or `[c, h, w]`. All images have the same type. A label is a whole number
            from 0.
        classes: Names of the classes; None takes the attribute `classes` of the data set, or the
            names in its `features` (Hugging Face), or the numbers as names if there are none.
        like: Training images whose classes, mean and std are used, if the data set is for
            validation; None computes them from the data set.
        size: Side in pixels to which every image is brought: its shorter side is resized, then
            the centre is cropped. None: all images must have the same size.
        in_memory: True to keep the images in memory, False to keep them in a file, which is
            deleted with the result; None takes a file if they do not fit in memory.

    Returns:
        Images with batches on the CPU, uint8 or float32 as in the data set. Mean and std are those
        of the returned images, also if the data set has normalised them.

    Raises:
        DataError: An item cannot be read or is no such pair, images differ in size or type, a
            label has no class, or there are fewer than two classes.
        ValueError: `size` is out of range.
    """
    check_size(size)
    count = length_of(dataset)
    items = _Items(dataset, like, size)
    pixels = gather(items.chunks(), count=count, in_memory=in_memory)
    if pixels is None:
        raise DataError(f"the data set ({type(dataset).__name__}) is empty")
    labels = items.labels
    if classes is None:
        classes = like.classes if like else _names_in_features(dataset, items.label_key)
    names = _classes(dataset, labels, classes)
    if like is None:
        require_classes(labels, names)
        mean, std = statistics_of_pieces(lambda: pieces_of(pixels))
    else:
        mean, std = like.mean, like.std
    return labelled(pixels, torch.tensor(labels, dtype=torch.int64), names, mean, std)


class _Items:
    """The checked images of a data set, and their labels after all images were taken."""

    def __init__(self, dataset: AnyDataset, like: ImageSet | None, size: int | None) -> None:
        self._dataset, self._like, self._size = dataset, like, size
        self.labels: list[int] = []
        self.label_key: str | None = None

    def chunks(self) -> Iterator[Array]:
        """Yield all images, `[b, c, h, w]` at a time."""
        first: Tensor | None = None
        chunk: list[Array] = []
        for number, pair in enumerate(pairs_of(self._dataset)):
            tensor = item_tensor(pair.image, number, self._size)
            if first is None:
                first, self.label_key = tensor, pair.key
                if self._like is not None:
                    other = self._like.at(torch.tensor([0]))[0].cpu()
                    require_alike(other, tensor, 0, of="of the training images")
            require_alike(first, tensor, number)
            self.labels.append(item_label(pair.label, number))
            chunk.append(tensor.numpy())
            if len(chunk) * tensor.nbytes >= _CHUNK_BYTES:
                yield np.stack(chunk)
                chunk.clear()
        if chunk:
            yield np.stack(chunk)


def _names_in_features(dataset: object, label: str | None) -> list[str] | None:
    """Return the names of the classes in a Hugging Face data set; None if it has none."""
    features = getattr(dataset, "features", None)
    names = getattr(features.get(label), "names", None) if isinstance(features, Mapping) else None
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return names if named else None


def _classes(dataset: object, labels: list[int], given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the classes; numbers if neither the caller nor the data set has names."""
    highest, different = max(labels), len(set(labels))
    own = getattr(dataset, "classes", None) if given is None else given
    own = own.tolist() if isinstance(own, np.ndarray) else own
    named = isinstance(own, list | tuple) and all(isinstance(name, str) for name in own)
    if given is not None and not named:
        raise DataError(f"classes must be a list of names, got {brief(given)}")
    if named and own:
        names = tuple(own)
    else:
        require_classes(labels)
        if highest >= 2 * different:
            raise DataError(
                f"labels must be 0 to n - 1 for n classes, got {different} different labels up to "
                f"{highest}: number the classes from 0, or give their names"
            )
        names = tuple(str(label) for label in range(highest + 1))
    if highest >= len(names):
        raise DataError(
            f"labels must be in 0..{len(names) - 1} for {len(names)} classes, the label of item "
            f"{labels.index(highest)} is {highest}"
        )
    return names
