"""What a picture file's first bytes say of it: its format and size, known before anything is decoded.

A decoder allocates what a header claims, so a file of 200 kB can ask for gigabytes. Reading the claim first
lets it be refused by name and size.
"""

import re
import struct
from dataclasses import dataclass

FORMATS = "JPEG, PNG, TIFF, WebP, BMP, GIF, JPEG 2000, AVIF or PNM"

_REACH = 1 << 16  # bytes of boxes searched for a size; writers put it in the first few hundred


@dataclass(frozen=True, slots=True)
class Header:
    """format: its usual name. width, height: pixels as stored, before any rotation the file asks for.
    alpha: whether pixels may be transparent.
    """

    format: str
    width: int
    height: int
    alpha: bool = False


def parse(data: bytes) -> Header | None:
    """The header of the picture file `data`; None where the bytes are no known picture or end within the
    header.
    """
    for magic, read in _READERS:
        if data.startswith(magic):
            try:
                return read(data)
            except (struct.error, IndexError, ValueError, OverflowError):
                return None
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return _avif(data)
    return None


def looks_like(data: bytes) -> str:
    """In words, what a file is that `parse` does not know: for the message that refuses it."""
    start = data[:512].lstrip().lower()
    if any(data.startswith(magic) for magic, _ in _READERS):
        return "its header is cut short or damaged"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"msf1"):
        return "it is a HEIC picture"
    if data.startswith(b"%PDF"):
        return "it is a PDF document"
    if start.startswith((b"<svg", b"<?xml")):
        return "it is SVG or XML"
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    if container(data):
        return "it is a film"
    if data and not set(data[:512]) & set(b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x10\x11"):
        return "it is text"
    return "its contents are of no picture format"


def container(data: bytes) -> bool:
    """Whether the bytes begin a film file: AVI, Matroska/WebM, or MP4/QuickTime."""
    return (
        (data.startswith(b"RIFF") and data[8:12] == b"AVI ")
        or data.startswith(b"\x1aE\xdf\xa3")
        or (data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip") and not _still(data))
    )


def _still(data: bytes) -> bool:
    return data[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"hevc", b"msf1")


def _png(data: bytes) -> Header:
    width, height, _, colour = struct.unpack_from(">IIBB", data, 16)
    transparent = colour in (4, 6) or b"tRNS" in data[: data.find(b"IDAT") if b"IDAT" in data else 0]
    return Header("PNG", width, height, transparent)


def _jpeg(data: bytes) -> Header:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker where one belongs")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Header("JPEG", width, height)
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 2
        else:
            at += 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])


def _gif(data: bytes) -> Header:
    return Header("GIF", *struct.unpack_from("<HH", data, 6))


def _bmp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)
    return Header("BMP", abs(width), abs(height))


def _riff(data: bytes) -> Header | None:
    if data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        flags = data[20]
        width = 1 + int.from_bytes(data[24:27], "little")
        return Header("WebP", width, 1 + int.from_bytes(data[27:30], "little"), bool(flags & 0x10))
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1))
    width, height = struct.unpack_from("<HH", data, 26)
    return Header("WebP", width & 0x3FFF, height & 0x3FFF)


def _tiff(data: bytes) -> Header | None:
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    at += 8 if big else 2
    tags: dict[int, int] = {}
    for _ in range(min(entries, 4096)):
        tag, kind = struct.unpack_from(order + "HH", data, at)
        value = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
        if value:
            (tags[tag],) = struct.unpack_from(order + value, data, at + (12 if big else 8))
        at += 20 if big else 12
    if 256 not in tags or 257 not in tags:
        return None
    rgb_and_more = tags.get(262) == 2 and tags.get(277) == 4
    return Header("TIFF", tags[256], tags[257], rgb_and_more)


def _jp2(data: bytes) -> Header | None:
    at = data.find(b"ihdr", 0, _REACH)
    if at < 0:
        return None
    height, width, channels = struct.unpack_from(">IIH", data, at + 4)
    return Header("JPEG 2000", width, height, channels in (2, 4))


def _j2k(data: bytes) -> Header:
    right, bottom, left, top = struct.unpack_from(">IIII", data, 8)
    return Header("JPEG 2000", max(0, right - left), max(0, bottom - top))


def _avif(data: bytes) -> Header | None:
    # A picture made of tiles has several sizes; the largest is the whole's.
    found = [
        struct.unpack_from(">II", data, match.end() + 4)
        for match in re.finditer(b"ispe", data[:_REACH])
        if match.end() + 12 <= len(data)
    ]
    if not found:
        return None
    width, height = max(found, key=lambda size: size[0] * size[1])
    return Header("AVIF", width, height, alpha=True)


def _pnm(data: bytes) -> Header | None:
    plain = re.sub(rb"#[^\n]*", b"", data[:4096])
    match = re.match(rb"P[1-6]\s+(\d{1,9})\s+(\d{1,9})\s", plain)
    return Header("PNM", int(match[1]), int(match[2])) if match else None


_READERS = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8", _jpeg),
    (b"GIF8", _gif),
    (b"BM", _bmp),
    (b"RIFF", _riff),
    (b"II*\x00", _tiff),
    (b"MM\x00*", _tiff),
    (b"II+\x00", _tiff),
    (b"MM\x00+", _tiff),
    (b"\x00\x00\x00\x0cjP  ", _jp2),
    (b"\xff\x4f\xff\x51", _j2k),
    *((b"P%d" % kind, _pnm) for kind in range(1, 7)),
)
