"""Every kind of file that is no readable picture is one PictureError with one line, and costs little to refuse."""

import io
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.errors import PictureError
from edge.sources import header, limits, picture

RNG = np.random.default_rng(3)
NOISE = RNG.integers(0, 255, (40, 60, 3), np.uint8)


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    out = io.BytesIO()
    (image or Image.fromarray(NOISE)).save(out, kind, **options)
    return out.getvalue()


def png(width: int, height: int, bits: int = 1, colour: int = 0, packed: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def refused(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        picture.decode(data, "x.png")
    message = str(caught.value)
    assert message.startswith("x.png: ") and "\n" not in message and "; " in message
    return message


KINDS = {
    "JPEG": encoded("JPEG"),
    "progressive JPEG": encoded("JPEG", progressive=True),
    "PNG": encoded("PNG"),
    "PNG with alpha": encoded("PNG", Image.fromarray(RNG.integers(0, 255, (40, 60, 4), np.uint8))),
    "BMP": encoded("BMP"),
    "TIFF": encoded("TIFF"),
    "LZW TIFF": encoded("TIFF", compression="tiff_lzw"),
    "WebP": encoded("WEBP"),
    "lossless WebP with alpha": encoded(
        "WEBP", Image.fromarray(RNG.integers(0, 255, (40, 60, 4), np.uint8)), lossless=True
    ),
    "GIF": encoded("GIF"),
    "JPEG 2000": encoded("JPEG2000"),
    "AVIF": encoded("AVIF"),
    "PNM": encoded("PPM"),
}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no bytes"),
        (b"Dear all,\nthis is the protocol of our meeting.\n", "it is text"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC"),
        (b"\x1aE\xdf\xa3" + bytes(40), "film"),
        (bytes(64), "no picture format"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "header is cut short"),
        (png(1, 1, packed=zlib.compress(b"\0\0")), "1x1 pixels is too small"),
        (encoded("PNG", Image.new("L", (200, 11), 3)), "200x11 pixels is too small"),
        (encoded("PNG", Image.new("L", (200, 200), 0)), "nothing but one tone"),
        (encoded("JPEG", Image.new("RGB", (200, 200), (120, 30, 200))), "nothing but one tone"),
        (png(30_000, 20), "30000x20 pixels is over the limit of 20000 a side and 100 megapixels"),
        (png(15_000, 15_000), "15000x15000 pixels is over the limit"),
    ],
)
def test_each_bad_picture_is_named_with_its_fault(data: bytes, words: str) -> None:
    assert words in refused(data)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("AVIF", "JPEG 2000")])
def test_a_picture_cut_anywhere_is_refused(kind: str) -> None:
    whole = KINDS[kind]
    assert picture.decode(whole, "whole").shape == (40, 60, 3)
    for share in range(1, 20):
        refused(whole[: len(whole) * share // 20])


def test_a_bomb_is_refused_by_its_header_without_its_memory() -> None:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(5001)) for _ in range(40_000)) + packer.flush()
    bomb = png(40_000, 40_000, packed=packed)
    assert len(bomb) < 250_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "40000x40000" in refused(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB; decoded it takes 5 GB


@pytest.mark.parametrize("module", ["edge.sources.picture", "edge.commands.read"])
def test_opencv_itself_holds_the_limits_should_a_header_deceive_us(module: str) -> None:
    script = (
        f"import {module}, cv2, numpy as np, sys\n"
        "data = np.frombuffer(sys.stdin.buffer.read(), np.uint8)\n"
        "try: cv2.imdecode(data, cv2.IMREAD_COLOR)\n"
        "except cv2.error as error: print('CV_IO_MAX_IMAGE' in str(error))"
    )
    done = subprocess.run([sys.executable, "-c", script], input=png(15_000, 15_000), capture_output=True, check=True)
    assert done.stdout.split() == [b"True"]


def test_a_file_over_the_limit_of_bytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(limits.MAX_BYTES + 1)
    with pytest.raises(PictureError, match="over 200 MiB"):
        picture.load(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such file"),
        (Path.mkdir, "is a folder"),
        (lambda path: path.symlink_to(path), "cannot be read"),
        (lambda path: path.write_bytes(b""), "no bytes"),
    ],
)
def test_what_is_no_readable_file_is_named(make: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    path = tmp_path / "ein Bild – 数字.png"
    make(path)
    with pytest.raises(PictureError, match=words) as caught:
        picture.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")  # as any user but root gets it from a file of mode 000

    path = tmp_path / "mine.png"
    path.write_bytes(KINDS["PNG"])
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(PictureError, match="may not be read by this user"):
        picture.load(path)


def array_or_refusal(data: bytes) -> None:
    try:
        image = picture.decode(data, "fuzz")
    except PictureError as error:
        assert "\n" not in str(error)
    else:
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        assert image.flags.c_contiguous


QUICK = settings(max_examples=150, suppress_health_check=list(HealthCheck))


@QUICK
@given(st.binary(max_size=400))
def test_any_bytes_are_a_picture_or_refused(data: bytes) -> None:
    array_or_refusal(data)


@QUICK
@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=200))
def test_any_bytes_after_a_true_beginning_are_a_picture_or_refused(kind: str, data: bytes) -> None:
    array_or_refusal(KINDS[kind][:16] + data)


@settings(max_examples=600, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.tuples(st.integers(0), st.integers(1, 255)), max_size=8),
    st.data(),
)
def test_a_damaged_picture_is_a_picture_or_refused(
    kind: str, flips: list[tuple[int, int]], data: st.DataObject
) -> None:
    raw = bytearray(KINDS[kind])
    # Half the damage goes to the first bytes, where sizes and kinds stand.
    reach = data.draw(st.sampled_from([64, len(raw)]))
    for at, flip in flips:
        raw[at % min(reach, len(raw))] ^= flip
    array_or_refusal(bytes(raw[: data.draw(st.integers(len(raw) // 2, len(raw)))]))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_header_tells_the_size_that_the_decoder_gives(kind: str) -> None:
    found = header.parse(KINDS[kind])
    assert found is not None
    assert (found.height, found.width) == picture.decode(KINDS[kind], "x").shape[:2] == (40, 60)
