"""Score one candidate by the published procedure, implemented directly from its description.

For every candidate the whole search network is built and takes all shared weights; a data loader
transforms image by image in the same process; validation goes through the same transforms and
builds gradients; then the weights are copied back by name. The layers of `published_network.py` are
torch's own, in its default memory format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from published_network import SearchNetwork
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from relativenas_optuna.objective.outcome import Watch

if TYPE_CHECKING:
    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.spaces import CellSpace, Genotype
    from relativenas_optuna.training.data.images import Images


class Cutout:
    """Blanks a square at a random place of one image `[c, h, w]`."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, image: Tensor) -> Tensor:
        """Return the image with zeros in the square."""
        _, height, width = image.shape
        mask = np.ones((height, width), np.float32)
        # The published procedure draws from the global generator, whose speed is measured too.
        row, column = np.random.randint(height), np.random.randint(width)  # noqa: NPY002
        top, left = max(row - self.side // 2, 0), max(column - self.side // 2, 0)
        mask[top : row + self.side // 2, left : column + self.side // 2] = 0
        return image * torch.from_numpy(mask)


class Transformed(Dataset[Any]):
    """Images that are transformed when they are read."""

    def __init__(self, images: Images, settings: SearchSettings) -> None:
        self.images = images.images.permute(0, 2, 3, 1).numpy()
        self.labels = images.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(self.images.shape[1], padding=settings.padding),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(images.mean, images.std),
                Cutout(settings.cutout),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def published_candidate(
    shared: dict[str, Tensor],
    space: CellSpace,
    genotype: Genotype,
    *,
    settings: SearchSettings,
    training: Images,
    validation: Images,
) -> dict[str, float]:
    """Train and score one candidate, and write its weights to the shared ones.

    Args:
        shared: Shared weights by name; their device trains the candidate.
        space: Search space.
        genotype: Architecture of the candidate.
        settings: Settings of the training.
        training: Images to train on, on the CPU.
        validation: Images to score with, on the CPU.

    Returns:
        Seconds of each phase.
    """
    device = next(iter(shared.values())).device
    watch, seconds = Watch(device), {}
    network = SearchNetwork(space, genotype, settings, len(training.classes)).to(device)
    seconds["build"] = watch.lap()
    network.load_state_dict(shared)
    seconds["load"] = watch.lap()
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=settings.learning_rate_of(0),
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    loaders = [
        DataLoader(Transformed(data, settings), settings.batch_size, shuffle=shuffle)
        for data, shuffle in ((training, True), (validation, False))
    ]
    network.train()
    for images, labels in loaders[0]:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(images.to(device)), labels.to(device))
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimizer.step()
    seconds["train"] = watch.lap()
    network.eval()
    for images, labels in loaders[1]:
        F.cross_entropy(network(images.to(device)), labels.to(device)).item()
    seconds["validate"] = watch.lap()
    for name, tensor in network.state_dict().items():
        if network.uses(name):
            shared[name].copy_(tensor)
    seconds["copy back"] = watch.lap()
    return seconds
