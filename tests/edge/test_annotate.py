"""Annotated pictures: legible at any size, named apart, never in place of what was read."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.annotate import AMBER, GREEN, MAGENTA, RED, AnnotatedNames, annotate, save
from edge.errors import PictureError
from edge.row import Digit, Row


def row(x: int, y: int, size: int, confidence: float = 0.95) -> Row:
    boxes = [(x + i * size, y, size * 3 // 4, size) for i in range(4)]
    digits = tuple(Digit(text, 0.0 if text == "?" else 0.95, box) for text, box in zip("40?7", boxes, strict=True))
    right = x + 4 * size
    corners = (
        (float(x), float(y)),
        (float(right), float(y)),
        (float(right), float(y + size)),
        (float(x), float(y + size)),
    )
    return Row("40?7", confidence, digits, corners)


def has(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((image == colour).all(axis=2).any())


@pytest.mark.parametrize(("height", "width", "size"), [(14, 70, 12), (60, 200, 24), (480, 640, 60), (3000, 4000, 90)])
def test_a_label_is_drawn_and_legible_at_any_size(height: int, width: int, size: int) -> None:
    image = np.full((height, width, 3), 230, np.uint8)
    out = annotate(image, [row(5, 1, size)])
    assert out.dtype == np.uint8 and out.ndim == 3
    assert (image == 230).all()
    assert has(out, GREEN) and has(out, MAGENTA)
    label = (out == GREEN).all(axis=2).sum(axis=1)
    assert (label > 50).sum() >= 14  # lines of pixels that the label's ground takes
    assert max(out.shape) <= max(1600 + 400, 1.2 * max(image.shape))


def test_colours_tell_confidence() -> None:
    image = np.full((300, 400, 3), 230, np.uint8)
    for confidence, colour in ((0.95, GREEN), (0.7, AMBER), (0.2, RED)):
        assert has(annotate(image, [row(50, 100, 64, confidence)]), colour)


def test_labels_keep_off_the_other_rows() -> None:
    image = np.full((300, 500, 3), 230, np.uint8)
    out = annotate(image, [row(50, 100, 64), row(50, 170, 64)])
    top = out.shape[0] - 300  # nothing is added below
    first_row = out[top + 104 : top + 160, 54:90]
    assert (first_row == 230).all(axis=2).mean() > 0.9


def test_nothing_read_leaves_the_picture_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 255, (50, 60, 3), np.uint8)
    assert np.array_equal(annotate(image, []), image)


def test_names_are_apart_for_equal_names_and_for_frames(tmp_path: Path) -> None:
    names = AnnotatedNames(tmp_path)
    given = [
        "a/x.png",
        "b/x.png",
        "b/X.PNG",
        "c/x.jpg",
        "x.tif",
        "film.avi#t=1.00",
        "film.avi#t=2.00",
        "-",
        "数 字.webp",
    ]
    paths = [names.path(name) for name in given]
    assert [path.name for path in paths] == [
        "x.png",
        "x-2.png",
        "X-3.png",
        "x.jpg",
        "x.tif.png",
        "film-1.00s.png",
        "film-2.00s.png",
        "stdin.png",
        "数 字.webp.png",
    ]
    assert all(path.parent == tmp_path for path in paths)


def test_a_name_never_is_that_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"mine")
    assert AnnotatedNames(tmp_path).path(str(tmp_path / "x.png")).name == "x-2.png"


def test_a_name_too_long_for_the_disk_is_cut_and_still_apart(tmp_path: Path) -> None:
    names = AnnotatedNames(tmp_path)
    one, other = names.path("ö" * 120 + "1.tif"), names.path("ö" * 120 + "2.tif")
    assert one != other
    save(np.zeros((20, 20, 3), np.uint8), one)


def test_saving_needs_no_ascii_and_says_why_it_fails(tmp_path: Path) -> None:
    image = np.full((20, 30, 3), 7, np.uint8)
    save(image, tmp_path / "数 ö.png")
    data = np.fromfile(tmp_path / "数 ö.png", np.uint8)
    assert np.array_equal(cv2.imdecode(data, cv2.IMREAD_COLOR), image)
    with pytest.raises(PictureError, match="cannot be written"):
        save(image, tmp_path / "gone" / "x.png")
