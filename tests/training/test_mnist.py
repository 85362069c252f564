"""MNIST's idx files: found, checked, read; and its writers kept apart."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError
from training import mnist
from training.mnist import Mnist


def idx(array: np.ndarray) -> bytes:
    """The array as an idx file: two zeros, 8 for bytes, the number of dimensions, the dimensions, the bytes."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two small sets in MNIST's format, which pass for MNIST."""
    rng = np.random.default_rng(0)
    for stem, count in (("train", 30), ("t10k", 20)):
        files = {
            f"{stem}-images-idx3-ubyte": rng.integers(0, 256, (count, 28, 28), np.uint8),
            f"{stem}-labels-idx1-ubyte": rng.integers(0, 10, count, np.uint8),
        }
        for name, array in files.items():
            (tmp_path / name).write_bytes(idx(array))
            md5 = hashlib.md5(idx(array), usedforsecurity=False).hexdigest()
            monkeypatch.setitem(mnist.MD5, name, md5)
    return tmp_path


def pack(path: Path) -> None:
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def one_line(error: pytest.ExceptionInfo[ConfigError]) -> str:
    assert "\n" not in str(error.value) and error.value.exit_code == 78
    return str(error.value)


@pytest.mark.parametrize("packed", [False, True])
def test_images_and_labels_are_those_of_the_files(folder: Path, packed: bool) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 28, 28), np.uint8), rng.integers(0, 10, 30, np.uint8)
    if packed:
        for path in list(folder.iterdir()):
            pack(path)
    data = mnist.load("train", folder, download=False)
    assert len(data) == 30 and len(mnist.load("test", folder, download=False)) == 20
    assert (data.images == images).all() and (data.labels == labels).all() and data.writers is None
    assert data.images.dtype == data.labels.dtype == np.uint8
    data.images[0, 0, 0] = 7  # a copy, not the file's read-only bytes


def test_files_in_a_folder_mnist_are_found_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = folder / "mnist"
    inner.mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()]:
        path.rename(inner / path.name)
    assert mnist.data_folder(folder) == inner
    assert len(mnist.load("train", folder, download=False)) == 30
    monkeypatch.setenv("DIGITD_DATA", str(folder))
    assert len(mnist.load("train", download=False)) == 30
    monkeypatch.delenv("DIGITD_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    assert mnist.data_folder() == folder / "digitd"


def test_a_file_that_is_not_the_one_published_is_refused_by_name(folder: Path) -> None:
    path = folder / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\x0b")
    with pytest.raises(ConfigError) as error:
        mnist.load("train", folder, download=False)
    assert str(path) in one_line(error) and "md5" in one_line(error) and "delete it" in one_line(error)


@pytest.mark.parametrize("damage", ["cut off", "no gzip", "flipped"])
def test_a_packed_file_that_is_broken_is_refused_by_name(folder: Path, damage: str) -> None:
    path = folder / "train-images-idx3-ubyte"
    pack(path)
    packed = folder / "train-images-idx3-ubyte.gz"
    data = bytearray(packed.read_bytes())
    if damage == "flipped":
        data[200] ^= 0xFF
    packed.write_bytes({"cut off": data[:300], "no gzip": b"<html>not found</html>", "flipped": data}[damage])
    with pytest.raises(ConfigError) as error:
        mnist.load("train", folder, download=False)
    assert str(packed) in one_line(error) and "delete it" in one_line(error)


def test_missing_files_without_download_say_how_to_name_the_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in list(folder.iterdir()):
        pack(path)
    monkeypatch.setattr(mnist, "MIRRORS", (folder.as_uri() + "/",))  # where they could be had
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ConfigError) as error:
        mnist.load("test", empty, download=False)
    assert str(empty) in one_line(error) and not list(empty.iterdir())
    assert "t10k-images-idx3-ubyte" in one_line(error) and "--data-dir" in one_line(error)


def test_missing_files_are_fetched_from_the_first_mirror_that_has_them(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path_factory.mktemp("empty") / "deep"
    for path in list(folder.iterdir()):
        pack(path)
    monkeypatch.setattr(mnist, "MIRRORS", ((folder / "gone").as_uri() + "/", folder.as_uri() + "/"))
    data = mnist.load("train", empty)
    assert (data.images == mnist.load("train", folder, download=False).images).all()
    assert sorted(path.name for path in empty.iterdir()) == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    monkeypatch.setattr(mnist, "MIRRORS", ())
    assert len(mnist.load("train", empty)) == 30  # there now, and not asked for again


def test_when_no_mirror_answers_each_is_named_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrors = ((tmp_path / "one").as_uri() + "/", (tmp_path / "two").as_uri() + "/")
    monkeypatch.setattr(mnist, "MIRRORS", mirrors)
    with pytest.raises(ConfigError) as error:
        mnist.load("train", tmp_path / "empty")
    assert all(mirror in one_line(error) for mirror in mirrors) and "DIGITD_DATA" in one_line(error)


def test_writers_are_read_from_qmnists_labels(folder: Path) -> None:
    table = np.arange(30 * 8, dtype=">i4").reshape(30, 8)
    header = np.array([0x00000C02, 30, 8], ">i4").tobytes()
    (folder / "qmnist-train-labels-idx2-int.gz").write_bytes(gzip.compress(header + table.tobytes()))
    data = mnist.load("train", folder, download=False)
    assert data.writers is not None
    assert data.writers.tolist() == list(range(2, 240, 8)) and data.writers.dtype == np.int32
    assert mnist.load("test", folder, download=False).writers is None


def numbered(count: int, writers: np.ndarray | None) -> Mnist:
    """Digits that can be told apart by their first pixels."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.arange(count) % 251, np.arange(count) // 251
    return Mnist(images, (np.arange(count) % 10).astype(np.uint8), writers)


def numbers(data: Mnist) -> list[int]:
    return (data.images[:, 0, 0].astype(int) + 251 * data.images[:, 0, 1].astype(int)).tolist()


@given(st.integers(2, 60), st.floats(0.05, 0.9), st.integers(0, 999))
def test_no_writer_is_on_both_sides_of_a_split(writers: int, share: float, seed: int) -> None:
    ids = np.random.default_rng(seed).integers(0, writers, 300).astype(np.int32)
    data = numbered(300, ids)
    rest, held = mnist.split_by_writer(data, share, seed)
    assert not set(rest.writers.tolist()) & set(held.writers.tolist())
    assert sorted(numbers(rest) + numbers(held)) == list(range(300))
    known = len(set(ids.tolist()))
    assert len(set(held.writers.tolist())) == round(known * share)
    for part in (rest, held):  # labels and writers stay with their digits
        assert part.labels.tolist() == [n % 10 for n in numbers(part)]
        assert part.writers.tolist() == ids[numbers(part)].tolist()


def test_a_split_is_the_same_for_a_seed_and_another_for_another() -> None:
    data = numbered(300, (np.arange(300) // 5).astype(np.int32))
    first, again, other = (numbers(mnist.split_by_writer(data, 0.2, seed)[1]) for seed in (1, 1, 2))
    assert first == again != other


def test_without_writers_digits_are_drawn() -> None:
    rest, held = mnist.split_by_writer(numbered(300, None), 0.1, 1)
    assert len(held) == 30 and sorted(numbers(rest) + numbers(held)) == list(range(300))
    assert held.writers is None


def test_mnist_itself_is_complete_and_has_its_writers(real_mnist: dict[str, Mnist]) -> None:
    train, test = real_mnist["train"], real_mnist["test"]
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9] and test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    for data in (train, test):
        if data.writers is not None:
            assert len(data.writers) == len(data) and len(np.unique(data.writers)) > 200
    if train.writers is not None and test.writers is not None:
        assert not set(train.writers.tolist()) & set(test.writers.tolist())
