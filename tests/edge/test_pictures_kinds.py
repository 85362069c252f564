"""Whatever a picture was saved as, its pixels come out as Pillow shows them."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from edge.sources import picture

RGB = np.zeros((40, 60, 3), np.uint8)
RGB[:] = (230, 225, 215)
RGB[5:15, 5:20] = (200, 30, 20)
RGB[25:35, 30:55] = (10, 60, 190)


def decoded(kind: str, image: Image.Image, **options: object) -> np.ndarray:
    """RGB, int."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return picture.decode(out.getvalue(), "x")[..., ::-1].astype(int)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "GIF"])
def test_lossless_formats_come_out_exactly(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decoded(kind, Image.fromarray(RGB), **options), RGB)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("PNG", mode) for mode in ("L", "P", "1")),
        *(("TIFF", mode) for mode in ("L", "P", "1", "CMYK")),
        *(("JPEG", mode) for mode in ("L", "CMYK")),
    ],
)
def test_modes_come_out_as_their_rgb(kind: str, mode: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    got = decoded(kind, image, **({"quality": 100} if kind == "JPEG" else {}))
    off = np.abs(got - np.asarray(image.convert("RGB"), int))
    assert np.median(off) <= 4 and off.mean() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "transparent"),
    [("JPEG", False), *((kind, alpha) for kind in ("PNG", "WEBP", "TIFF") for alpha in (False, True))],
)
def test_pictures_are_turned_as_their_exif_says(kind: str, orientation: int, transparent: bool) -> None:
    image = Image.fromarray(RGB)
    if transparent:
        alpha = np.full(RGB.shape[:2], 255, np.uint8)
        alpha[5:15, 5:20] = 128
        image.putalpha(Image.fromarray(alpha))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    turned = image.copy()
    turned.getexif()[0x0112] = orientation
    turned = ImageOps.exif_transpose(turned)
    want = Image.new("RGBA", turned.size, "white")
    want.alpha_composite(turned.convert("RGBA"))
    got = decoded(kind, image, exif=exif, **options)
    assert got.shape[:2] == ((60, 40) if orientation > 4 else (40, 60))
    assert np.abs(got - np.asarray(want.convert("RGB"), int)).max() <= (12 if kind == "JPEG" else 1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_sixteen_bit_files_use_the_whole_range_whatever_their_bits(kind: str, bits: int) -> None:
    top = (1 << bits) - 1
    ramp = np.tile(np.linspace(0, top, 60).round().astype(np.uint16), (40, 1))
    got = decoded(kind, Image.fromarray(ramp))[..., 0]
    assert np.abs(got - ramp * (255 / top)).max() <= 1


def test_floating_point_is_stretched_from_its_smallest_to_its_largest() -> None:
    ramp = np.tile(np.linspace(-2, 6, 60, dtype=np.float32), (40, 1))
    ramp[0, 0] = np.nan
    got = decoded("TIFF", Image.fromarray(ramp))[1:, :, 1]
    assert got.min() == 0 and got.max() >= 254 and (np.diff(got[3]) >= 0).all()


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_ink_drawn_in_alpha_alone_is_seen(ink: int, paper: int, extension: str, depth: type) -> None:
    full = np.iinfo(depth).max
    strokes = np.full((40, 60, 4), ink, np.uint8).astype(depth) * (full // 255)
    strokes[..., 3] = 0
    strokes[10:30, 20:25, 3] = full
    got = picture.decode(cv2.imencode(extension, strokes)[1].tobytes(), "x")
    assert (got[10:30, 20:25] == ink).all()
    assert (got[:, 40:] == paper).all()


def test_grey_with_alpha_and_a_transparent_palette_colour() -> None:
    grey = np.full((40, 60, 2), (90, 255), np.uint8)
    grey[:20, :, 1] = 0
    got = decoded("PNG", Image.fromarray(grey, "LA"))
    assert (got[:20] == 255).all() and (got[20:] == 90).all()
    palette = Image.new("P", (60, 40), 1)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.paste(0, (0, 0, 60, 20))
    got = decoded("PNG", palette, transparency=1)
    assert (got[:20] == (10, 20, 30)).all() and (got[20:] == 255).all()


def test_of_several_pages_the_first_is_taken() -> None:
    pages = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    for kind in ("TIFF", "GIF"):
        assert np.array_equal(decoded(kind, pages[0], save_all=True, append_images=pages[1:]), RGB)


def test_a_picture_of_many_megapixels_is_read() -> None:
    image = np.full((5000, 7000), 250, np.uint8)
    image[1000:2000, 3000:3200] = 10
    data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    assert picture.decode(data, "x").shape == (5000, 7000, 3)


@pytest.mark.parametrize("name", ["数字 – ö.png", "with blanks.png", "x\udcff.png", "a;b&c$(d).png"])
def test_any_file_name_will_do(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    Image.fromarray(RGB).save(io_ := io.BytesIO(), "PNG")
    path.write_bytes(io_.getvalue())
    assert picture.load(path).shape == (40, 60, 3)
