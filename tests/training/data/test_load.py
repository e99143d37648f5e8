from __future__ import annotations

import hashlib
import pickle
import tarfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torchvision.datasets import CIFAR10, CIFAR100, cifar

from relativenas_optuna.training import DataError, load_images


def test_digits_equal_those_of_scikit_learn() -> None:
    train, test = load_images("digits"), load_images("digits", train=False)
    assert (len(train), len(test)) == (1500, 297)
    digits = load_digits()
    images = torch.cat([train.images, test.images])
    assert images.shape == (1797, 1, 8, 8)
    assert np.abs(images[:, 0].numpy() / 255 - digits.images / 16).max() <= 0.5 / 255 + 1e-12
    assert torch.cat([train.labels, test.labels]).tolist() == digits.target.tolist()
    assert train.classes == tuple("0123456789")


def test_digits_of_both_parts_have_all_classes_and_the_training_statistics() -> None:
    train, test = load_images("digits"), load_images("digits", train=False)
    assert set(train.labels.tolist()) == set(test.labels.tolist()) == set(range(10))
    assert train.mean == test.mean == pytest.approx([train.images.double().mean().item() / 255])
    assert train.std == test.std


def test_size_applies_to_named_data_sets_too() -> None:
    images = load_images("digits", size=16)
    assert images.images.shape == (1500, 1, 16, 16)
    coarse = torch.nn.functional.avg_pool2d(images.images.float(), 2)
    assert (coarse - load_images("digits").images.float()).abs().mean() < 20


def write_cifar(
    root: Path, kind: type[CIFAR10], label_key: str, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, object]]:
    """Write a CIFAR with 4 images in each file, in torchvision's format and with its checksums."""
    rng = np.random.default_rng(0)
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    batches: list[dict[str, object]] = []

    def write(name: str, content: object) -> str:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    lists: dict[str, list[list[str]]] = {}
    for attribute in ("train_list", "test_list"):
        lists[attribute] = []
        for name, _ in getattr(kind, attribute):
            batches.append(
                {
                    "data": rng.integers(0, 256, (4, 3072), dtype=np.uint8),
                    label_key: rng.integers(0, 10, 4).tolist(),
                }
            )
            lists[attribute].append([name, write(name, batches[-1])])
    names = [f"class {number}" for number in range(10)]
    meta = dict(kind.meta, md5=write(kind.meta["filename"], {kind.meta["key"]: names}))
    for attribute, value in [*lists.items(), ("meta", meta)]:
        monkeypatch.setattr(kind, attribute, value)
    return batches


@pytest.mark.parametrize(
    ("source", "kind", "label_key"),
    [("cifar10", CIFAR10, "labels"), ("cifar100", CIFAR100, "fine_labels")],
)
def test_cifar_is_read_as_torchvision_stores_it(
    source: str,
    kind: type[CIFAR10],
    label_key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    *train_batches, test_batch = write_cifar(tmp_path, kind, label_key, monkeypatch)
    train = load_images(source, root=tmp_path)
    test = load_images(source, root=tmp_path, train=False)
    for images, batches in ((train, train_batches), (test, [test_batch])):
        data = np.concatenate([batch["data"] for batch in batches])
        assert np.array_equal(images.images.numpy(), data.reshape(-1, 3, 32, 32))
        labels = np.concatenate([batch[label_key] for batch in batches])
        assert images.labels.tolist() == labels.tolist()
        assert images.classes[9] == "class 9"
    assert train.mean == test.mean


def test_cifar_has_the_constants_of_the_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar(tmp_path, CIFAR10, "labels", monkeypatch)
    ten = load_images("cifar10", root=tmp_path)
    assert ten.mean == (0.49139968, 0.48215827, 0.44653124)
    assert ten.std == (0.24703233, 0.24348505, 0.26158768)
    write_cifar(tmp_path, CIFAR100, "fine_labels", monkeypatch)
    hundred = load_images("cifar100", root=tmp_path)
    assert hundred.mean == (0.5071, 0.4867, 0.4408)
    assert hundred.std == (0.2675, 0.2565, 0.2761)


@pytest.mark.parametrize("source", ["cifar10", "cifar100"])
def test_missing_cifar_is_reported_with_its_path(source: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"download=True.*, or unpack http") as caught:
        load_images(source, root=tmp_path)
    assert f"load_images({source!r}, root={str(tmp_path)!r}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_failed_download_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/none.tar.gz")
    with pytest.raises(DataError, match="could not be downloaded to") as caught:
        load_images("cifar10", root=tmp_path, download=True)
    assert "\n" not in str(caught.value)


def test_one_of_several_processes_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar(tmp_path / "there", CIFAR10, "labels", monkeypatch)
    archive = tmp_path / CIFAR10.filename
    with tarfile.open(archive, "w:gz") as file:
        file.add(tmp_path / "there" / CIFAR10.base_folder, CIFAR10.base_folder)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    downloads, download = [], cifar.download_and_extract_archive

    def counted(*arguments: Any, **options: Any) -> None:
        downloads.append(arguments)
        download(*arguments, **options)

    monkeypatch.setattr(cifar, "download_and_extract_archive", counted)

    def load(_: int) -> torch.Tensor:
        return load_images("cifar10", root=tmp_path / "here", download=True).images

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/{archive.name}"
        monkeypatch.setattr(CIFAR10, "url", address)
        with ThreadPoolExecutor(5) as pool:  # a lock of a file is each thread's own
            pool.submit(server.serve_forever)
            try:
                first, *others = pool.map(load, range(4))
            finally:
                server.shutdown()
    assert len(downloads) == 1
    assert len(first) == 20
    assert all(torch.equal(first, other) for other in others)


def test_changed_cifar_is_not_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path, CIFAR10, "labels", monkeypatch)
    path = tmp_path / CIFAR10.base_folder / CIFAR10.train_list[0][0]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="missing or incomplete"):
        load_images("cifar10", root=tmp_path)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        DataError, match=r"data must be one of digits, cifar10, cifar100, .*'cifra10'"
    ):
        load_images("cifra10")


def test_a_name_wins_over_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(load_images("digits")) == 1500
    for source in ("./digits", Path("digits")):
        with pytest.raises(DataError, match="found none"):
            load_images(source)


@pytest.mark.parametrize("size", [0, -8])
def test_a_size_below_one_pixel_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"size must be 1 to 16384 pixels, got {size}"):
        load_images("digits", size=size)
