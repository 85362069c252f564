"""A picture of a row is cut into the digits it is said to have, also where they touch."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.own_pictures.pictures import DIGITS, Read, on_paper, overlap, save
from training.synth.row import Layout, write_row
from training.synth.strokes import Hand, HandStyle, draw_hand

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
    drawn = {}
    for seed in range(8):
        strange = draw_hand(np.random.default_rng(seed), HandStyle(height=96, uncommon=1.0))
        page, boxes = row_page("7149", strange, seed)
        drawn[save(tmp_path / f"ROW_7149_{seed}.png", page)] = boxes.tolist()
    origins = read().crops.origins
    whole = 0
    for file, boxes in drawn.items():
        found = [origin.box for origin in origins if origin.file == file]
        whole += len(found) == 4 and all(overlap(a, tuple(b)) > 0.6 for a, b in zip(found, boxes, strict=True))
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
