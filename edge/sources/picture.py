"""One picture file to one BGR array, whatever it was saved as; what cannot be one gets a line that says why.

Bytes are read here and decoded from memory: OpenCV's own way from path to picture fails on names outside
ASCII on some platforms, and says nothing of why.
"""

import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.arrays import U8
from edge.errors import PictureError
from edge.sources import header as headers
from edge.sources.limits import MAX_BYTES, MAX_PIXELS, MAX_SIDE, MIN_SIDE

EVEN = 4  # grey levels; a picture that varies by no more shows nothing

Pixels = npt.NDArray[np.generic]


def load(path: Path) -> U8:
    """The picture in a file: BGR uint8 [H, W, 3]. Raises PictureError."""
    return decode(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """A file's contents, at most MAX_BYTES of them. Raises PictureError."""
    try:
        if path.is_dir():
            raise PictureError(f"{path}: is a folder; name the pictures in it, or leave out what follows it")
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise _too_many_bytes(str(path))
        with path.open("rb") as file:  # bounded once more: a pipe or a device tells no size
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file; check the name") from None
    except PermissionError:
        raise PictureError(f"{path}: may not be read by this user; change its permissions") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{path}: cannot be read ({reason}); check the name and the disk") from None
    if len(data) > MAX_BYTES:
        raise _too_many_bytes(str(path))
    return data


def decode(data: bytes | bytearray | memoryview | U8, name: str) -> U8:
    """The picture in `data`, the contents of a file: BGR uint8 [H, W, 3].

    Rotated as its EXIF says; 16 bits scaled to 8 by the bits in use; transparent pixels over white, or over
    black where white leaves nothing to see. Of several pages or frames, the first. Raises PictureError,
    whose message begins with `name`.
    """
    raw = data.tobytes() if isinstance(data, np.ndarray) else bytes(data)
    if not raw:
        raise PictureError(f"{name}: holds no bytes at all; save or copy the picture again")
    header = headers.parse(raw)
    if header is None:
        raise PictureError(f"{name}: not a picture, {headers.looks_like(raw)}; save it as {headers.FORMATS}")
    width, height = header.width, header.height
    check_size(width, height, name)
    image = _decoded(raw, header)
    if image is None:
        raise PictureError(
            f"{name}: this {header.format} of {width}x{height} pixels is cut short or damaged; "
            "save or copy the picture again"
        )
    if even(image):
        raise PictureError(
            f"{name}: nothing but one tone in all of {width}x{height} pixels; "
            "check lens cap, exposure, or whether the page is empty"
        )
    return image


def check_size(width: int, height: int, name: str) -> None:
    """Raises PictureError for a picture too small to show a digit or too large to be decoded."""
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise PictureError(
            f"{name}: {width}x{height} pixels is over the limit of {MAX_SIDE} a side and "
            f"{MAX_PIXELS // 1_000_000} megapixels; scale it down or cut it into parts"
        )
    if width < MIN_SIDE or height < MIN_SIDE:
        raise PictureError(
            f"{name}: {width}x{height} pixels is too small to hold a digit; "
            f"take a picture of at least {MIN_SIDE} pixels a side"
        )


def even(image: U8) -> bool:
    """Whether the picture [H, W, 3] has one tone throughout, but for EVEN grey levels in each channel."""
    pixels = image.reshape(-1, image.shape[2])
    if np.ptp(pixels[:: max(1, len(pixels) // 4096)], axis=0).max() > EVEN:  # most are told by few pixels
        return False
    return all(float(np.ptp(image[..., channel])) <= EVEN for channel in range(image.shape[2]))


def _too_many_bytes(name: str) -> PictureError:
    return PictureError(f"{name}: over {MAX_BYTES >> 20} MiB is too large for a picture; scale it down")


def _decoded(raw: bytes, header: headers.Header) -> U8 | None:
    buffer = np.frombuffer(raw, np.uint8)
    try:
        if header.alpha:
            whole = _transparent(buffer, header)
            if whole is not None:
                return whole
        # The one combination of flags that rotates by EXIF and keeps more than 8 bits.
        image: Pixels | None = cv2.imdecode(buffer, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        if image is None and header.format == "TIFF":  # floating point and 32 bits
            image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if image is None or image.size == 0:
        return None
    return _three_channels(_eight_bits(image))


def _transparent(buffer: U8, header: headers.Header) -> U8 | None:
    """The picture over white or black; None where it turns out opaque or without alpha."""
    image, kinds, blocks = cv2.imdecodeWithMetadata(buffer, flags=cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        return None
    alpha = _eight_bits(image[..., 3], full=True)
    if alpha.min() == 255:
        return None
    colour = _eight_bits(image[..., :3])
    # libtiff hands 8-bit colours out weighted by alpha, unless the file leaves open what its alpha is.
    weighted = header.format == "TIFF" and image.dtype == np.uint8 and not bool((colour > alpha[..., None]).any())
    flat = _over(colour, alpha, 255, weighted)
    if even(flat):
        flat = _over(colour, alpha, 0, weighted)
    if header.format == "TIFF":  # OpenCV has turned it already
        return flat
    exif = next((np.asarray(block).tobytes() for kind, block in zip(kinds, blocks, strict=True) if kind == 0), b"")
    return _turned(flat, _orientation(exif))


def _over(colour: U8, alpha: U8, paper: int, weighted: bool) -> U8:
    flat = np.empty_like(colour)
    for top in range(0, len(colour), 256):  # in strips, for the sums take four times the picture's room
        part = slice(top, top + 256)
        weight = alpha[part, :, None].astype(np.uint16)
        ink = colour[part] * (np.uint16(255) if weighted else weight)
        under = paper * (255 - weight)
        flat[part] = ((ink.astype(np.uint32) + under + 127) // 255).clip(max=255).astype(np.uint8)
    return flat


def _eight_bits(image: Pixels, full: bool = False) -> U8:
    """Integers by the bits in use, so that 12 bits in a 16-bit file do not come out black; or by the `full`
    range.

    Floating point and signed numbers: smallest to 0, largest to 255.
    """
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image, np.uint8)
    if image.dtype == np.uint16:
        bits = 16 if full else max(8, int(image.max()).bit_length())
        scaled = cv2.convertScaleAbs(np.ascontiguousarray(image), alpha=255 / ((1 << bits) - 1))
        return np.asarray(scaled, np.uint8).reshape(image.shape)
    values = np.nan_to_num(image.astype(np.float32), nan=0, posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.zeros(image.shape, np.uint8)
    return ((values - low) * np.float32(255 / (high - low))).clip(0, 255).astype(np.uint8)


def _three_channels(image: U8) -> U8:
    if image.ndim == 2 or image.shape[2] == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    return np.ascontiguousarray(image[..., :3])


def _orientation(exif: bytes) -> int:
    """EXIF's orientation (1 to 8) from its TIFF block; 1, upright, where it says none."""
    exif = exif.removeprefix(b"Exif\x00\x00")
    order = "<" if exif[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, at)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, at + 2 + 12 * entry)
            if tag == 0x0112:
                return int(value)
    except struct.error:
        pass
    return 1


def _turned(image: U8, orientation: int) -> U8:
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
