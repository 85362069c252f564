"""A user's own pictures become examples: each digit found, whole and alone; what cannot be used is named."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.engine import EngineConfig
from edge.errors import UsageError
from edge.imaging.ink import find_inks
from edge.imaging.lines import find_lines, lattice
from edge.imaging.normalise import normalise
from edge.recogniser import Recogniser
from training.own_pictures import Crops, Origin, OwnPictures, init, read_folder, save_sheet, sheet, split
from training.synth.row import Layout, write_row
from training.synth.samples import photo
from training.synth.strokes import Hand, HandStyle, draw_hand

DIGITS = [*"0123456789"]
TIDY = HandStyle(height=96, pen=(0.07, 0.1), slant=(0, 0.2), jitter=(0.004, 0.008), pressure=(0, 0.1))

Read = Callable[..., OwnPictures]


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(None, EngineConfig("cpu", threads=1))


@pytest.fixture
def read(tmp_path: Path, recogniser: Recogniser) -> Read:
    """Reads the test's folder."""
    return lambda **options: read_folder(tmp_path, recogniser, **options)


@pytest.fixture(scope="module")
def hand() -> Hand:
    return draw_hand(np.random.default_rng(4), TIDY)


def on_paper(
    ink: np.ndarray, at: tuple[int, int], size: tuple[int, int], paper: float = 235, pen: float = 40
) -> np.ndarray:
    """uint8 [h, w]: ink (0 to 255) on paper of `size` (width, height), its top left corner at `at`."""
    page = np.full(size[::-1], paper, np.float32)
    (x, y), (h, w) = at, ink.shape
    page[y : y + h, x : x + w] += (pen - paper) * (ink / 255)
    return page.astype(np.uint8)


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two crops, a pixel's shift aside."""
    shifts = [np.roll(other, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(float(np.corrcoef(one.ravel().astype(float), each.ravel().astype(float))[0, 1]) for each in shifts)


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Shared part of two boxes by what both cover."""
    (x, y, w, h), (a, b, c, d) = one, other
    shared = max(0, min(x + w, a + c) - max(x, a)) * max(0, min(y + h, b + d) - max(y, b))
    return shared / (w * h + c * d - shared)


# One digit on a picture


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff", "a.BMP"])
def test_one_digit_on_a_picture_of_any_kind_is_one_example(tmp_path: Path, read: Read, hand: Hand, name: str) -> None:
    ink = hand.digit(5, np.random.default_rng(1))
    save(tmp_path / "5" / name, on_paper(ink, (300, 200), (800, 600)))
    got = read()
    assert len(got.crops) == 1 and got.problems == ()
    assert got.crops.names == ("5",) and got.crops.labels.tolist() == [0]
    assert alike(got.crops.images[0], normalise(ink)) > 0.9
    assert got.crops.origins[0].file == tmp_path / "5" / name
    assert overlap(got.crops.origins[0].box, (300, 200, ink.shape[1], ink.shape[0])) > 0.8


@pytest.mark.parametrize("label", range(10))
def test_small_crops_white_on_black_come_out_as_they_are(tmp_path: Path, read: Read, hand: Hand, label: int) -> None:
    crop = normalise(hand.digit(label, np.random.default_rng(label)))
    save(tmp_path / str(label) / "white on black.png", crop)
    save(tmp_path / str(label) / "black on white.png", 255 - crop)
    got = read()
    assert len(got.crops) == 2
    assert all(alike(image, crop) > 0.85 for image in got.crops.images)


@pytest.mark.parametrize(
    ("paper", "pen"),
    [((240, 245, 250), (40, 30, 190)), ((235, 240, 240), (170, 60, 30)), ((50, 60, 45), (230, 235, 230))],
)
def test_coloured_ink_and_chalk_are_ink(
    tmp_path: Path, read: Read, hand: Hand, paper: tuple[int, ...], pen: tuple[int, ...]
) -> None:
    ink = hand.digit(3, np.random.default_rng(2))
    planes = [on_paper(ink, (90, 60), (320, 260), p, q) for p, q in zip(paper, pen, strict=True)]
    save(tmp_path / "3" / "colour.png", np.dstack(planes))
    got = read()
    assert len(got.crops) == 1 and alike(got.crops.images[0], normalise(ink)) > 0.9


def test_a_crop_is_just_what_the_box_makes_of_the_same_picture(tmp_path: Path, read: Read, hand: Hand) -> None:
    page = on_paper(hand.digit(8, np.random.default_rng(3)), (300, 200), (800, 600))
    save(tmp_path / "8" / "a.png", page)
    (line,) = find_lines(next(find_inks(page)), 1e9)
    candidates, inks = lattice(line)
    (whole,) = [ink for candidate, ink in zip(candidates, inks, strict=True) if candidate.whole]
    np.testing.assert_array_equal(read().crops.images, normalise(whole)[None])


def test_a_phone_photograph_is_turned_as_its_exif_says(tmp_path: Path, read: Read, hand: Hand) -> None:
    ink = cv2.resize(hand.digit(7, np.random.default_rng(5)), None, fx=5, fy=5)
    upright = on_paper(ink, (1200, 1500), (3000, 4000))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise to stand upright
    (tmp_path / "7").mkdir()
    Image.fromarray(np.rot90(upright)).save(tmp_path / "7" / "phone.jpg", exif=exif)
    got = read()
    assert len(got.crops) == 1 and alike(got.crops.images[0], normalise(ink)) > 0.9
    assert overlap(got.crops.origins[0].box, (1200, 1500, ink.shape[1], ink.shape[0])) > 0.8


def test_a_broken_stroke_is_one_digit(tmp_path: Path, read: Read, hand: Hand) -> None:
    ink = hand.digit(0, np.random.default_rng(6)).copy()
    ink[ink.shape[0] // 2 - 3 : ink.shape[0] // 2 + 3] = 0
    save(tmp_path / "0" / "broken.png", on_paper(ink, (200, 150), (600, 450)))
    got = read()
    assert len(got.crops) == 1 and alike(got.crops.images[0], normalise(ink)) > 0.85


def test_a_bar_that_stands_off_belongs_to_its_five(tmp_path: Path, read: Read) -> None:
    ink = np.zeros((110, 80), np.uint8)
    points = np.array([[14, 24], [12, 52], [40, 46], [58, 66], [50, 92], [24, 102], [4, 94]], np.int32)
    cv2.polylines(ink, [points], False, 255, 8, cv2.LINE_AA)
    cv2.line(ink, (26, 8), (66, 4), 255, 8, cv2.LINE_AA)
    save(tmp_path / "5" / "bar.png", on_paper(ink, (200, 150), (600, 450)))
    got = read()
    assert len(got.crops) == 1 and overlap(got.crops.origins[0].box, (200, 150, 70, 108)) > 0.8


def test_specks_a_paper_edge_and_a_shadow_are_no_examples(tmp_path: Path, read: Read, hand: Hand) -> None:
    ink = hand.digit(2, np.random.default_rng(7))
    page = on_paper(ink, (500, 300), (1000, 750))
    for x, y in ((100, 100), (620, 380), (840, 600), (470, 290)):
        cv2.circle(page, (x, y), 4, 60, cv2.FILLED)
    page[:, :700] = (page[:, :700] * 0.75).astype(np.uint8)  # a hard shadow
    page[:, 900:] = 70  # the table
    save(tmp_path / "2" / "dirty.png", page)
    got = read()
    assert len(got.crops) == 1 and alike(got.crops.images[0], normalise(ink)) > 0.85


def test_a_hand_that_holds_the_sheet_is_no_example(tmp_path: Path, read: Read) -> None:
    save(tmp_path / "4" / "held.jpg", photo("4", np.random.default_rng(11)))
    assert len(read().crops) == 1


# Several digits on a picture


@pytest.mark.parametrize("label", [1, 4, 7])
def test_each_of_a_page_full_of_a_digit_is_an_example_of_it(tmp_path: Path, read: Read, hand: Hand, label: int) -> None:
    rng, page, boxes = np.random.default_rng(8), np.zeros((700, 1000), np.uint8), []
    for y in (60, 280, 500):
        for x in (80, 300, 520, 740):
            ink, at = hand.digit(label, rng), (x + int(rng.integers(40)), y + int(rng.integers(30)))
            page[at[1] : at[1] + ink.shape[0], at[0] : at[0] + ink.shape[1]] = ink
            boxes.append((*at, ink.shape[1], ink.shape[0]))
    save(tmp_path / str(label) / "page.png", on_paper(page, (0, 0), (1000, 700)))
    crops = read().crops
    assert len(crops) == 12
    assert all(max(overlap(origin.box, box) for box in boxes) > 0.7 for origin in crops.origins)


def test_a_digit_of_another_kind_beside_them_is_passed_over(tmp_path: Path, read: Read, hand: Hand) -> None:
    rng, page = np.random.default_rng(9), np.zeros((300, 900), np.uint8)
    for x, label in ((60, 7), (260, 7), (460, 7), (700, 2)):
        ink = hand.digit(label, rng)
        page[100 : 100 + ink.shape[0], x : x + ink.shape[1]] = ink
    save(tmp_path / "7" / "page.png", on_paper(page, (0, 0), (900, 300)))
    assert [origin.box[0] // 200 for origin in read().crops.origins] == [0, 1, 2]


def test_signs_of_several_strokes_are_one_example_each_where_the_model_knows_them_not(
    tmp_path: Path, read: Read
) -> None:
    page = np.full((400, 600), 235, np.uint8)
    for x in (100, 360):
        cv2.line(page, (x + 20, 150), (x + 90, 148), 40, 9)
        cv2.line(page, (x, 200), (x + 110, 196), 40, 9)
    save(tmp_path / "二" / "two.png", page)
    got = read()
    assert got.crops.names == ("二",) and len(got.crops) == 2
    assert all(40 <= origin.box[3] <= 80 for origin in got.crops.origins)


# Rows


APART = Layout(clear=0.1)


def row_page(text: str, hand: Hand, seed: int, layout: Layout = APART) -> tuple[np.ndarray, np.ndarray]:
    row = write_row(text, hand, 70, np.random.default_rng(seed), layout)
    h, w = row.ink.shape
    boxes = row.boxes + np.array([60, 50, 0, 0])
    return on_paper(row.ink, (60, 50), (w + 120, h + 100)), boxes


@pytest.mark.parametrize("name", ["ROW_40718.png", "row_40718_2.png", "Row_40718 (1).png", "rows/ROW_40718-b.png"])
def test_a_row_is_cut_into_the_digits_that_its_name_says(tmp_path: Path, read: Read, hand: Hand, name: str) -> None:
    page, boxes = row_page("40718", hand, 1)
    save(tmp_path / name, page)
    crops = read(labels=DIGITS).crops
    assert [crops.names[k] for k in crops.labels] == [*"40718"]
    assert all(overlap(origin.box, tuple(box)) > 0.7 for origin, box in zip(crops.origins, boxes.tolist(), strict=True))


def test_digits_that_touch_are_cut_apart(tmp_path: Path, read: Read, hand: Hand) -> None:
    page, boxes = row_page("3804", hand, 1, Layout(clear=0.0, gap=(0, 0), touching=1.0, overlap=0.05))
    save(tmp_path / "ROW_3804.png", page)
    crops = read(labels=DIGITS).crops
    assert [crops.names[k] for k in crops.labels] == [*"3804"]
    assert all(overlap(origin.box, tuple(box)) > 0.5 for origin, box in zip(crops.origins, boxes.tolist(), strict=True))


def test_a_strange_hand_is_cut_as_its_label_says_though_the_model_cannot_read_it(tmp_path: Path, read: Read) -> None:
    whole = 0
    for seed in range(8):
        strange = draw_hand(np.random.default_rng(seed), HandStyle(height=96, uncommon=1.0))
        page, boxes = row_page("7149", strange, seed)
        save(tmp_path / f"ROW_7149_{seed}.png", page)
    got = read()
    for seed in range(8):
        mine = [o.box for o in got.crops.origins if o.file.stem == f"ROW_7149_{seed}"]
        _, boxes = row_page("7149", draw_hand(np.random.default_rng(seed), HandStyle(height=96, uncommon=1.0)), seed)
        whole += len(mine) == 4 and all(overlap(a, tuple(b)) > 0.6 for a, b in zip(mine, boxes.tolist(), strict=True))
    assert whole >= 7


def test_labels_tsv_names_rows_one_line_each_from_top_to_bottom(tmp_path: Path, read: Read, hand: Hand) -> None:
    upper, _ = row_page("381", hand, 4)
    lower, _ = row_page("9260", hand, 5)
    page = np.full((upper.shape[0] + lower.shape[0] + 80, max(upper.shape[1], lower.shape[1])), 235, np.uint8)
    page[: upper.shape[0], : upper.shape[1]] = upper
    page[-lower.shape[0] :, : lower.shape[1]] = lower
    save(tmp_path / "IMG_0001.png", page)
    (tmp_path / "labels.tsv").write_bytes("\ufefffile\tdigits\r\nIMG_0001.png\t381\r\nIMG_0001.png\t9260\r\n".encode())
    got = read()
    assert "".join(got.crops.names[k] for k in got.crops.labels) == "3819260" and got.problems == ()
    tops = [origin.box[1] for origin in got.crops.origins]
    assert max(tops[:3]) < min(tops[3:])


def test_a_row_with_other_digits_than_it_is_said_to_have_is_passed_over_with_a_line(
    tmp_path: Path, read: Read, hand: Hand
) -> None:
    page, _ = row_page("35268", hand, 6)
    save(tmp_path / "ROW_3526813.png", page)
    save(tmp_path / "5" / "good.png", on_paper(hand.digit(5, np.random.default_rng(1)), (80, 60), (300, 240)))
    got = read(labels=DIGITS)
    assert len(got.crops) == 1
    (line,) = got.problems
    assert "ROW_3526813.png" in line and "7 digits of 3526813" in line and "\n" not in line


def test_a_row_of_unknown_labels_and_bad_lines_of_labels_tsv_are_named(tmp_path: Path, read: Read, hand: Hand) -> None:
    page, _ = row_page("12", hand, 7)
    save(tmp_path / "ROW_1A.png", page)
    save(tmp_path / "what.png", page)
    save(tmp_path / "1" / "good.png", on_paper(hand.digit(1, np.random.default_rng(1)), (80, 60), (300, 240)))
    (tmp_path / "labels.tsv").write_text("missing.png\t123\nwhat.png 12\n")
    problems = read(labels=DIGITS).problems
    faults = [
        "labels.tsv, line 1: no picture",
        "labels.tsv, line 2: no tab",
        "what.png: nothing says",
        "ROW_1A.png: its",
    ]
    assert len(problems) == 4 and all(fault in line for fault, line in zip(faults, problems, strict=True))
    assert all("; " in line and "\n" not in line for line in problems)


# What cannot be used


def one_line(error: pytest.ExceptionInfo[UsageError], *words: str) -> None:
    message = str(error.value)
    assert "\n" not in message and ("; " in message or "add " in message), message
    assert all(word in message for word in words), message


def test_a_folder_that_is_missing_a_file_or_empty_gets_a_line(tmp_path: Path, recogniser: Recogniser) -> None:
    with pytest.raises(UsageError) as missing:
        read_folder(tmp_path / "nowhere", recogniser)
    one_line(missing, "nowhere", "no such folder")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as file:
        read_folder(tmp_path / "file", recogniser)
    one_line(file, "is no folder")
    init(tmp_path / "new", DIGITS)
    with pytest.raises(UsageError) as empty:
        read_folder(tmp_path / "new", recogniser, DIGITS)
    one_line(empty, "new", "no pictures")


def test_what_is_no_picture_is_named_and_the_rest_used(tmp_path: Path, read: Read, hand: Hand) -> None:
    good = save(tmp_path / "6" / "good.png", on_paper(hand.digit(6, np.random.default_rng(1)), (80, 60), (300, 240)))
    (tmp_path / "6" / "half.png").write_bytes(good.read_bytes()[:200])
    (tmp_path / "6" / "phone.heic").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00")
    (tmp_path / "6" / "again.png").write_bytes(good.read_bytes())
    save(tmp_path / "6" / "empty page.png", np.full((200, 200), 240, np.uint8))
    (tmp_path / "6" / ".hidden.png").write_bytes(b"")
    (tmp_path / "6" / "notes.txt").write_text("no picture")
    got = read()
    assert len(got.crops) == 1
    assert [re.sub(r".*/6/([\w ]+\.\w+): .*", r"\1", line) for line in got.problems] == [
        "empty page.png",
        "good.png",
        "half.png",
        "phone.heic",
    ]
    assert all("\n" not in line and "; " in line for line in got.problems)


def test_only_bad_pictures_are_nothing_to_learn_from(tmp_path: Path, read: Read) -> None:
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "bad.png").write_bytes(b"")
    with pytest.raises(UsageError) as error:
        read()
    one_line(error, "nothing to learn from", "bad.png")


def test_a_folder_whose_name_is_no_label_is_an_error_unless_new_ones_are_allowed(
    tmp_path: Path, read: Read, hand: Hand
) -> None:
    page = on_paper(hand.digit(6, np.random.default_rng(1)), (80, 60), (300, 240))
    save(tmp_path / "six" / "a.png", page)
    (tmp_path / "0").mkdir()
    with pytest.raises(UsageError) as error:
        read(labels=[*DIGITS, "reject"])
    one_line(error, "six", "0 1 2 3 4 5 6 7 8 9;", "rename")
    assert read(labels=DIGITS, new_labels=True).crops.names == (*DIGITS, "six")


def test_labels_are_the_folders_names_composed_and_sorted(tmp_path: Path, read: Read, hand: Hand) -> None:
    for number, name in enumerate(["10", "9", unicodedata.normalize("NFD", "é"), "七"]):
        save(tmp_path / name / "ä 七.png", on_paper(hand.digit(number, np.random.default_rng(1)), (80, 60), (300, 240)))
    assert read().crops.names == ("9", "10", "é", "七") or read().crops.names == ("é", "七", "9", "10")


# Folders to be filled


def test_init_makes_folders_and_says_what_to_put_in_and_overwrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    init(folder, DIGITS)
    assert sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) == [*DIGITS, "rows"]
    text = (folder / "README.txt").read_text("utf-8")
    assert "ROW_1234.jpg" in text and "folders 0 to 9" in text and max(map(len, text.splitlines())) <= 120
    (folder / "README.txt").write_text("my own notes")
    save(folder / "3" / "mine.png", np.zeros((20, 20), np.uint8))
    init(folder, DIGITS)
    assert (folder / "README.txt").read_text() == "my own notes" and (folder / "3" / "mine.png").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError) as error:
        init(tmp_path / "file", DIGITS)
    one_line(error, "file")


# The sheet


def made(counts: dict[str, int], per_picture: int = 1) -> Crops:
    """Crops of which every `per_picture` of a label come from one picture."""
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 4:24, 12:16] = 255
    origins, names = [], [*counts]
    for label in range(len(counts)):
        for i in range(counts[names[label]]):
            origins.append(Origin(Path(f"{label}/{i // per_picture}.png"), (0, 0, 9, 9)))
    return Crops(images, labels.astype(np.int64), tuple(names), tuple(origins))


def test_the_sheet_shows_every_label_and_how_many_are_not_shown(tmp_path: Path) -> None:
    few, many = (
        sheet(made({"0": 3, "1": 20}), columns=20, lines=1),
        sheet(made({"0": 3, "1": 150}), columns=20, lines=1),
    )
    assert few.shape == many.shape and few.dtype == np.uint8
    dark = [(plane < 128).any(2).sum(0) for plane in (few, many)]
    assert dark[0][-120:].sum() == 0 < dark[1][-120:].sum()  # "and 130 more"
    save_sheet(made({"七": 2, "八": 0}), tmp_path / "sheet.png")
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    with pytest.raises(UsageError) as error:
        save_sheet(made({"0": 1}), tmp_path / "nowhere" / "sheet.png")
    one_line(error, "cannot be written")


# Held out


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(2, 30), min_size=1, max_size=10),
    st.integers(1, 3),
    st.floats(0.05, 0.6),
    st.integers(0, 9),
)
def test_of_each_label_some_are_held_out_and_some_are_not_and_pictures_stay_whole(
    pictures: list[int], per_picture: int, share: float, seed: int
) -> None:
    crops = made({str(i): count * per_picture for i, count in enumerate(pictures)}, per_picture)
    rest, held = split(crops, share, seed)
    assert (rest.counts > 0).all() and (held.counts > 0).all()
    assert (rest.counts + held.counts == crops.counts).all()
    assert not {o.file for o in rest.origins} & {o.file for o in held.origins}
    assert (np.abs(held.counts - share * crops.counts) <= per_picture + 0.5).all()
    again = split(crops, share, seed)[1]
    assert again.origins == held.origins


def test_rows_are_held_out_whole_with_every_digit_on_either_side() -> None:
    labels, origins = [], []
    for row in range(12):
        for digit in range(5):
            labels.append((row + digit) % 10)
            origins.append(Origin(Path(f"ROW_{row}.jpg"), (0, 0, 1, 1)))
    crops = Crops(np.zeros((60, 28, 28), np.uint8), np.array(labels), tuple(DIGITS), tuple(origins))
    rest, held = split(crops)
    assert (rest.counts > 0).all() and (held.counts > 0).all() and len(held) <= 30
    assert not {o.file for o in rest.origins} & {o.file for o in held.origins}


def test_too_few_examples_and_labels_without_any_get_a_line_that_says_how_many_are_needed() -> None:
    with pytest.raises(UsageError) as missing:
        split(made({"0": 5, "1": 0, "2": 0}))
    one_line(missing, "no example of 1, 2", "at least 2")
    rest, held = split(made({"0": 5, "1": 0}), every_label=False)
    assert (len(rest), len(held)) == (4, 1)
    with pytest.raises(UsageError) as few:
        split(made({"0": 5, "1": 1}))
    one_line(few, "1 has 1", "at least 2", "20%")
    with pytest.raises(UsageError) as same:
        split(made({"0": 9}, per_picture=9))
    one_line(same, "0 has 9 on 1 picture", "on 2 pictures")
