"""A picture of one digit, or of several of a kind, is cut into its examples: each digit whole and alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.imaging.ink import find_inks
from edge.imaging.lines import find_lines, lattice
from edge.imaging.normalise import normalise
from tests.training.own_pictures.pictures import Read, alike, on_paper, overlap, save
from training.synth.samples import photo
from training.synth.strokes import Hand


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
