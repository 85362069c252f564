"""Digits of other hands: read from npz files, or refused with the mend."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ConfigError
from training import hands


def dark_on_light(count: int, side: int, darkest: int = 40) -> np.ndarray:
    """uint8 [count, side, side]: a bar in the middle of light paper."""
    images = np.full((count, side, side), 250, np.uint8)
    images[:, side // 4 : -side // 4, side // 2 - 1 : side // 2 + 1] = darkest
    return images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, name in enumerate(hands.SETS):
        count = 20 + i
        np.savez(
            tmp_path / name, images=dark_on_light(count, 16 + 16 * (i % 2)), labels=[str(n % 10) for n in range(count)]
        )
    return tmp_path


def refusal(folder: Path, name: str) -> str:
    with pytest.raises(ConfigError) as error:
        hands.load(folder)
    said = str(error.value)
    assert str(folder / name) in said and "\n" not in said
    return said


def test_all_sets_are_loaded_as_ink_with_their_labels(folder: Path) -> None:
    sets = hands.load(folder)
    assert [len(one.labels) for one in sets] == [20, 21, 22]
    assert len({one.sha256 for one in sets}) == 3 and all(one.licence and one.name for one in sets)
    for one in sets:
        assert one.labels.tolist() == [n % 10 for n in range(len(one.labels))] and one.labels.dtype == np.int64
        assert len(one.inks) == len(one.labels)
        for ink in one.inks:
            assert ink.dtype == np.uint8 and 48 <= ink.shape[0] <= 58
            # Paper is 0, the pen 255: what was dark is full ink.
            assert ink[:2].max() == 0 and ink.max() == 255
            assert ink[ink.shape[0] // 2].argmax() == pytest.approx(ink.shape[1] / 2, abs=3)


def test_the_sets_lie_beside_mnists_folder(folder: Path) -> None:
    (folder / "mnist").mkdir()
    assert len(hands.load(folder)) == len(hands.load(folder / "mnist")) == 3


@pytest.mark.parametrize("name", hands.SETS)
def test_a_missing_set_says_how_to_do_without(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert "mix.hands = 0" in refusal(folder, name)


@pytest.mark.parametrize("content", [b"", b"no npz at all", b"PK\x03\x04 cut off", pickle.dumps({"images": []})])
def test_a_broken_set_is_refused(folder: Path, content: bytes) -> None:
    name = next(iter(hands.SETS))
    (folder / name).write_bytes(content)
    refusal(folder, name)


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": np.zeros((2, 8, 8), np.uint8)},
        {"labels": np.array(["1", "2"])},
        {"images": np.zeros((2, 8, 8), np.uint8), "labels": np.array(["one", "two"])},
        {"images": np.array([{}, {}], object), "labels": np.array(["1", "2"])},
    ],
    ids=["no labels", "no images", "labels that are no digits", "pickled objects"],
)
def test_a_set_without_usable_images_and_labels_is_refused(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    name = next(iter(hands.SETS))
    np.savez(folder / name, **arrays)
    refusal(folder, name)


def test_a_split_parts_each_set_and_keeps_labels_with_their_inks(folder: Path) -> None:
    sets = hands.load(folder)
    rest, held = hands.split(sets, 0.3, seed=1)
    for whole, a, b in zip(sets, rest, held, strict=True):
        assert len(a.labels) + len(b.labels) == len(whole.labels)
        assert {id(ink) for ink in a.inks} | {id(ink) for ink in b.inks} == {id(ink) for ink in whole.inks}
        for part in (a, b):
            by_id = {id(ink): label for ink, label in zip(whole.inks, whole.labels, strict=True)}
            assert [by_id[id(ink)] for ink in part.inks] == part.labels.tolist()
    assert 5 <= sum(len(one.labels) for one in held) <= 35
    assert [one.labels.tolist() for one in hands.split(sets, 0.3, seed=1)[1]] == [one.labels.tolist() for one in held]
