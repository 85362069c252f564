"""Photographed digits: cut out of their cells as ink, frames and neighbours left behind, or not taken at all."""

import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import ConfigError
from training import cells, mnist, row_dataset
from training.mnist import Mnist
from training.recipe import RowRecipe, Writers
from training.synth.displays import Display
from training.synth.strips import make_strip
from training.synth.strokes import HandStyle, cropped, draw_hand

SUDOKU, LCD, METERS = cells.SETS
EACH = 14  # cells of each label


def figure(label: int, height: int, thick: int = 2, font: int = cv2.FONT_HERSHEY_COMPLEX) -> np.ndarray:
    """A set digit, uint8 [height, w], 255 ink."""
    picture = np.zeros((200, 200), np.uint8)
    cv2.putText(picture, str(label), (40, 150), font, 4, 255, 2 * thick + 3, cv2.LINE_AA)
    ink = cropped(picture)
    return cv2.resize(ink, (round(ink.shape[1] * height / ink.shape[0]), height), interpolation=cv2.INTER_AREA)


def cell(ink: np.ndarray, side: int, left: int | None = None, top: int | None = None) -> np.ndarray:
    """uint8 [side, side]: `ink` on nothing, in the middle where not said otherwise."""
    out = np.zeros((side, side), np.uint8)
    h, w = ink.shape
    y, x = (side - h) // 2 if top is None else top, (side - w) // 2 if left is None else left
    out[y : y + h, x : x + w] = ink
    return out


def photographed(cover: np.ndarray, rng: np.random.Generator, paper: float = 190, ink: float = 60) -> np.ndarray:
    """uint8 [h, w]: `ink` where `cover` (uint8) is 255, else `paper`; in uneven light, blurred, with noise."""
    share = cover.astype(np.float32) / 255
    grey = (paper + (ink - paper) * share) * np.linspace(0.75, 1.0, cover.shape[1], dtype=np.float32)
    grey = cv2.GaussianBlur(grey, (3, 3), 0.7) + rng.normal(0, 2, cover.shape)
    return np.clip(grey, 0, 255).astype(np.uint8)


def framed(cover: np.ndarray) -> np.ndarray:
    """A cell's lines round it, one thick, and a piece of the next cell's digit."""
    side = len(cover)
    cv2.line(cover, (0, 1), (side, 2), 255, 4)
    cv2.line(cover, (side - 3, 0), (side - 2, side), 255, 1)
    cv2.line(cover, (side // 2, side - 4), (side // 2 + 6, side), 200, 2)
    return cover


def sudoku(rng: np.random.Generator) -> tuple[list[np.ndarray], list[str]]:
    images, labels = [], []
    for label in range(1, 10):
        for _ in range(EACH):
            at = 20 + int(rng.integers(-2, 3)), 14 + int(rng.integers(-2, 3))
            images.append(photographed(framed(cell(figure(label, 36), 64, *at)), rng))
            pencil = draw_hand(rng, HandStyle(height=36, pen=(0.07, 0.1))).digit(label, rng)
            images.append(photographed(framed(cell(pencil[:44, :44], 64)), rng, ink=110))
            labels += [str(label)] * 2
    for _ in range(5):
        images.append(photographed(framed(cell(np.zeros((2, 2), np.uint8), 64)), rng))
        labels.append("blank")
        small = np.hstack([figure(3, 18), np.zeros((18, 3), np.uint8), figure(8, 18)])
        images.append(photographed(framed(cell(small, 64, 8, 8)), rng))
        labels.append("candidates")
    return images, labels


def lcd(rng: np.random.Generator) -> tuple[list[np.ndarray], list[str]]:
    images, labels = [], []
    for label in range(10):
        for _ in range(EACH):
            display = Display(36, rng.uniform(0.5, 0.6), rng.uniform(0.1, 0.14), 0.02, rng.uniform(0, 0.1))
            images.append(photographed(cell(display.digit(label, rng), 48), rng, 120, 40))
            labels.append(str(label))
    return images, labels


def wheels(rng: np.random.Generator) -> tuple[list[np.ndarray], list[str]]:
    """Half of them light on dark, each with the feet of the digit above and heads of that below in its cell."""
    images, labels = [], []
    for label in range(10):
        for i in range(EACH):
            column = np.zeros((120, 40), np.uint8)
            for k in (-1, 0, 1):
                ink = figure((label + k) % 10, 24, thick=5)
                column[48 + 36 * k : 72 + 36 * k, 20 - ink.shape[1] // 2 :][:, : ink.shape[1]] = ink
            tenth = (0, 1, 9, 5, 2)[i % 5] if i < 10 else 0
            start = 40 + {0: 0, 1: 2, 9: -2, 5: 18, 2: 7}[tenth]
            paper, ink = (200, 50) if i % 2 else (60, 190)
            images.append(photographed(column[start : start + 40], rng, paper, ink))
            labels.append(f"{(label - 1) % 10 if tenth == 9 else label}.{tenth}")
    return images, labels


def write(path: Path, images: list[np.ndarray], labels: list[str], parts: list[str]) -> None:
    np.savez(path, images=np.stack(images), labels=np.array(labels), parts=np.array(parts))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three sets, drawn."""
    out = tmp_path_factory.mktemp("cells")
    rng = np.random.default_rng(0)
    for name, draw in ((SUDOKU, sudoku), (LCD, lcd), (METERS, wheels)):
        images, labels = draw(rng)
        count = len(labels)
        write(
            out / name,
            images,
            labels,
            [("train", "train", "val")[i % 3] if name == SUDOKU else "all" for i in range(count)],
        )
    return out


@pytest.fixture(scope="module")
def sets(folder: Path) -> list[cells.Cells]:
    return cells.load(folder)


@pytest.fixture
def one_set(tmp_path: Path) -> Callable[..., cells.Cells]:
    """`one_set(LCD, images, labels)`: a set of these cells, loaded."""

    def loaded(name: str, images: list[np.ndarray], labels: list[str]) -> cells.Cells:
        write(tmp_path / name, images, labels, ["all"] * len(labels))
        return cells._load(tmp_path / name, cells.SETS[name])

    return loaded


def likeness(ink: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two inks at one size, -1 to 1."""
    size = (24, 36)
    return float(
        np.corrcoef(*(cv2.resize(one, size, interpolation=cv2.INTER_AREA).ravel() for one in (ink, other)))[0, 1]
    )


def test_all_sets_are_loaded_as_ink_with_their_labels(sets: list[cells.Cells]) -> None:
    assert [one.licence for one in sets] == ["MIT", "Apache-2.0", "Apache-2.0"]
    assert len({one.sha256 for one in sets}) == 3
    for one, whole in zip(sets, (18 * EACH, 10 * EACH, 10 * (EACH - 4)), strict=True):
        assert len(one.inks) == len(one.labels) == len(one.printed) >= 0.85 * whole
        assert len(one.inks) + one.dropped == whole
        assert set(one.labels.tolist()) == set(range(1 if one is sets[0] else 0, 10))
        for ink in one.inks:
            assert ink.dtype == np.uint8 and ink.max() == 255 and ink.shape[0] >= 18
            assert all((side > 32).any() for side in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))  # cropped


def test_an_ink_is_the_digit_alone_without_frame_and_neighbours(sets: list[cells.Cells]) -> None:
    sudokus, _, meters = sets
    for one, thick in ((sudokus, 2), (meters, 5)):
        like = [
            likeness(ink, figure(int(label), 60, thick))
            for ink, label, printed in zip(one.inks, one.labels, one.printed, strict=True)
            if printed
        ]
        assert min(like) > 0.7 and np.median(like) > 0.87


def test_what_was_set_is_told_from_what_was_written(sets: list[cells.Cells]) -> None:
    sudokus = sets[0]
    like = np.array(
        [likeness(ink, figure(int(label), 60)) for ink, label in zip(sudokus.inks, sudokus.labels, strict=True)]
    )
    # Every other cell was set; and it is those that are like the font.
    assert 0.4 < sudokus.printed.mean() < 0.6
    assert np.median(like[sudokus.printed]) > 0.9 and np.median(like[~sudokus.printed]) < 0.6
    assert all(one.printed.all() for one in sets[1:])


def test_light_wheels_and_dark_ones_come_out_alike(one_set: Callable[..., cells.Cells]) -> None:
    rng = np.random.default_rng(3)
    covers = [cell(figure(label, 26, 5), 40) for label in range(10) for _ in range(9)]
    labels = [f"{label}.0" for label in range(10) for _ in range(9)]
    dark = one_set(METERS, [photographed(cover, rng, 200, 50) for cover in covers], labels)
    light = one_set(METERS, [photographed(cover, rng, 50, 200) for cover in covers], labels)
    assert dark.dropped == light.dropped == 0
    assert all(likeness(a, b) > 0.9 for a, b in zip(dark.inks, light.inks, strict=True))


def test_a_wheel_near_the_next_digit_shows_that_and_between_two_none(one_set: Callable[..., cells.Cells]) -> None:
    rng = np.random.default_rng(4)
    digits = {label: cell(figure(label, 26, 5), 40) for label in range(10)}
    images = [photographed(digits[label], rng) for label in range(10) for _ in range(9)]
    last = {label: [f"{label}.0", f"{label}.1", f"{(label - 1) % 10}.9"] * 3 for label in range(10)}
    labels = [text for label in range(10) for text in last[label]]
    between = np.vstack([digits[3][13:34], np.zeros((4, 40), np.uint8), digits[4][6:21]])
    one = one_set(
        METERS, [*images, *[photographed(between, rng) for _ in range(4)]], [*labels, "3.4", "3.5", "3.6", "3.3"]
    )
    assert one.labels.tolist() == [label for label in range(10) for _ in range(9)]
    assert len(one.rejects) == 3  # at 3.3 it is neither a digit nor none
    assert all(likeness(ink, cropped(between[7:32])) > 0.7 for ink in one.rejects)


def test_cells_without_what_their_label_says_are_dropped_and_counted(one_set: Callable[..., cells.Cells]) -> None:
    rng = np.random.default_rng(5)
    labels = [label for label in range(1, 10) for _ in range(9)]
    images = [photographed(framed(cell(figure(label, 36), 64)), rng) for label in labels]
    empty = photographed(framed(cell(np.zeros((2, 2), np.uint8), 64)), rng)
    bar = photographed(cell(np.full((34, 5), 255, np.uint8), 64), rng)
    wrong = photographed(cell(figure(7, 36), 64), rng)
    tiny = photographed(cell(figure(7, 12), 64), rng)
    one = one_set(SUDOKU, [*images, empty, bar, wrong, tiny], [*map(str, labels), "4", "8", "2", "7"])
    assert one.labels.tolist() == labels and one.dropped == 4


def test_a_display_of_which_a_segment_is_missing_is_dropped(one_set: Callable[..., cells.Cells]) -> None:
    rng = np.random.default_rng(6)
    display = Display(34, 0.55, 0.12, 0.03, 0.0)
    labels = [label for label in range(10) for _ in range(9)]
    images = [photographed(cell(display.digit(label, rng), 48), rng, 120, 40) for label in labels]
    cut = []
    for label in (0, 8, 9):  # the upper segment runs into a dark frame
        cover = cell(display.digit(label, rng), 48, top=6)
        cover[0:9] = np.maximum(cover[0:9], cover[6:9].max(0))
        cut.append(photographed(cover, rng, 120, 40))
    one = one_set(LCD, [*images, *cut], [*map(str, labels), "0", "8", "9"])
    assert one.labels.tolist() == labels and one.dropped == 3


def test_a_split_keeps_to_the_sets_own_parts_and_else_draws(sets: list[cells.Cells]) -> None:
    rest, held = cells.split(sets, 0.3, seed=1)
    for whole, a, b in zip(sets, rest, held, strict=True):
        ids = {
            id(ink): (label, printed)
            for ink, label, printed in zip(whole.inks, whole.labels, whole.printed, strict=True)
        }
        assert {id(ink) for ink in a.inks} | {id(ink) for ink in b.inks} == set(ids)
        assert not {id(ink) for ink in a.inks} & {id(ink) for ink in b.inks}
        for part in (a, b):
            assert [ids[id(ink)] for ink in part.inks] == list(zip(part.labels, part.printed, strict=True))
    assert not rest[0].held_out.any() and held[0].held_out.all()
    assert 0.15 < len(held[1].inks) / len(sets[1].inks) < 0.45
    again = cells.split(sets, 0.3, seed=1)[1]
    assert [one.labels.tolist() for one in again] == [one.labels.tolist() for one in held]
    other = cells.split(sets, 0.3, seed=2)[1]
    assert other[1].labels.tolist() != held[1].labels.tolist() and other[0].labels.tolist() == held[0].labels.tolist()


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        cells._load(path, cells.SETS[path.name])
    said = str(error.value)
    assert said.startswith(f"{path}: ") and "\n" not in said
    return said


@pytest.mark.parametrize("name", cells.SETS)
def test_a_missing_set_says_how_to_do_without(folder: Path, tmp_path: Path, name: str) -> None:
    for other in set(cells.SETS) - {name}:
        (tmp_path / other).write_bytes((folder / other).read_bytes()[:1000])
    assert "writers.cells = 0" in refusal(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"no npz at all", b"PK\x03\x04 cut off", pickle.dumps({"images": []})])
def test_a_broken_set_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LCD).write_bytes(content)
    assert "npz" in refusal(tmp_path / LCD)


IMAGES = np.zeros((2, 48, 48), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": IMAGES, "labels": ["1", "2"]}, "parts"),
        ({"images": IMAGES, "labels": ["1", "2"], "parts": ["all", "test"]}, "parts"),
        ({"images": IMAGES, "labels": ["1"], "parts": ["all", "all"]}, "label"),
        ({"images": IMAGES, "labels": ["1", "one"], "parts": ["all", "all"]}, "'one'"),
        ({"images": IMAGES.astype(np.float32), "labels": ["1", "2"], "parts": ["all", "all"]}, "uint8"),
        ({"images": IMAGES[..., None], "labels": ["1", "2"], "parts": ["all", "all"]}, "uint8"),
        ({"images": IMAGES[:, :4], "labels": ["1", "2"], "parts": ["all", "all"]}, "pixels"),
        ({"images": np.array([{}, {}], object), "labels": ["1", "2"], "parts": ["all", "all"]}, "allow_pickle"),
    ],
    ids=["no parts", "unknown part", "a label missing", "no digit", "floats", "colours", "too flat", "pickled objects"],
)
def test_a_set_that_is_none_is_refused(tmp_path: Path, arrays: dict[str, object], said: str) -> None:
    np.savez(tmp_path / LCD, **{key: np.asarray(value) for key, value in arrays.items()})
    assert said in refusal(tmp_path / LCD)


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / LCD, images=np.zeros((400, 48, 48), np.uint8))
    monkeypatch.setattr(cells, "_LARGEST", 500_000)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("read"))
    assert (tmp_path / LCD).stat().st_size < 500_000 and "MiB" in refusal(tmp_path / LCD)


def test_rows_are_written_with_cells_and_displays_where_the_recipe_asks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    images = np.zeros((300, 28, 28), np.uint8)
    images[:, 4:24, 8:18] = rng.integers(100, 256, (300, 20, 10))
    digits = Mnist(images, np.tile(np.arange(10, dtype=np.uint8), 30), np.repeat(np.arange(15), 20).astype(np.int32))
    monkeypatch.setattr(mnist, "load", lambda *_, **__: digits)
    monkeypatch.setattr(row_dataset, "_MARKS", 3)
    monkeypatch.setattr(row_dataset, "_DISPLAYS", 40)
    shares = {"mnist": 0.2, "hands": 0.0, "strokes": 0.0, "fonts": 0.0}
    plain = RowRecipe(reads="rows", name="plain", hands=0, writers=Writers(**shares))
    asked = plain.model_copy(update={"writers": Writers(**shares, cells=0.5, displays=0.3, counters=0.2)})

    made, data = row_dataset.bank(asked, folder, held_out=False)
    kinds = dict(zip([name for name in Writers.model_fields if name != "counters"], made.kinds, strict=True))
    assert kinds["cells"][0] == 0.5 and kinds["displays"][0] == 0.3
    assert made.counters is not None and made.counters[0] == 0.2
    assert {style.printed for style in kinds["cells"][1]} == {True, False}
    assert len(kinds["displays"][1]) == 40 and all(style.printed for style in kinds["displays"][1])
    assert all(make_strip(made, rng)[0].shape[0] == 32 for _ in range(20))
    sources = {entry.name: entry for entry in data}
    for kind in cells.SETS.values():
        entry = sources[kind.name]
        assert entry.licence == kind.licence and len(entry.sha256) == 64 and entry.samples > 50

    held_out, _ = row_dataset.bank(asked, folder, held_out=True)
    inks = [
        {glyph.ink.tobytes() for style in part.kinds[4][1] for glyph in sum(style.digits[1:], ())}
        for part in (made, held_out)
    ]
    assert all(inks) and not inks[0] & inks[1]
    assert held_out.counters is not None
    wheels = [{image.tobytes() for image in one[1]._meters._images} for one in (made.counters, held_out.counters)]
    assert all(wheels) and not wheels[0] & wheels[1]

    without, data = row_dataset.bank(plain, tmp_path / "nowhere", held_out=False)
    assert [len(styles) for _, styles in without.kinds][4:] == [0, 0, 0] and without.counters is None
    assert not {kind.name for kind in cells.SETS.values()} & {entry.name for entry in data}
    assert len(made.marks["scribble"]) > len(without.marks["scribble"])


@pytest.mark.parametrize(("name", "share"), [(SUDOKU, 0.75), (LCD, 0.45), (METERS, 0.5)])
def test_of_the_real_sets_most_cells_give_their_digit(data_dir: Path, tmp_path: Path, name: str, share: float) -> None:
    path = mnist.data_folder(data_dir).parent / name
    if not path.is_file():
        pytest.skip(f"needs {path}; name the folder of such data with DIGITD_DATA")
    with np.load(path, allow_pickle=False) as file:
        some = {key: file[key][::12] for key in ("images", "labels", "parts")}
    np.savez(tmp_path / name, **some)
    one = cells._load(tmp_path / name, cells.SETS[name])
    assert len(one.labels) / (len(one.labels) + one.dropped) > share


def test_wheels_to_measure_by_are_none_that_are_learnt_from(folder: Path, sets: list[cells.Cells]) -> None:
    (meters,) = (i for i, name in enumerate(cells.SETS) if name == METERS)
    rest, _ = cells.split(sets, 0.3, 1)
    with np.load(folder / METERS) as file:
        images, labels = file["images"], file["labels"]
    learnt = {images[i].tobytes() for i in rest[meters].index}
    own, shown = cells.wheels_at_rest(folder, 0.3, 1, held_out=False)
    assert {image.tobytes() for image in own} == learnt and shown.tolist() == rest[meters].labels.tolist()
    found, truth = cells.wheels_at_rest(folder, 0.3, 1, held_out=True)
    assert found.dtype == np.uint8 and len(found) == len(truth) > 10 and truth.min() >= 0
    by_picture = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    for image, digit in zip(found, truth, strict=True):
        assert image.tobytes() not in learnt
        assert cells._rolling(str(by_picture[image.tobytes()])) == digit


def test_an_ink_tells_which_picture_it_is_of(sets: list[cells.Cells], folder: Path) -> None:
    for one, name in zip(sets, cells.SETS, strict=True):
        with np.load(folder / name) as file:
            labels = file["labels"]
        truth = np.array([cells.SETS[name].truth(str(label)) for label in labels])
        assert (truth[one.index] == one.labels).all() and len(set(one.index.tolist())) == len(one.labels)
