"""What light, lens and sensor do to a sheet. Pictures are uint8 [h, w, 3], blue-green-red, in and out.

Light is a field, float32 [h, w], that a picture is multiplied by. Fields are smooth, so they are made at a
quarter of the size and enlarged once, all together.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.arrays import F32, F64, U8
from training.synth.noise import normal
from training.synth.span import Span, draw, draw_int, draw_low

_COARSER = 4

Picture = TypeVar("Picture", U8, F32)


@dataclass(frozen=True)
class Lighting:
    """How unevenly a scene is lit; levels are factors of the brightness."""

    level: Span = (0.75, 1.05)
    """brightness of the whole"""
    gradient: Span = (0.0, 0.45)
    """how much darker the far side is"""
    vignette: Span = (0.0, 0.3)
    """how much darker the corners are"""
    shadow: float = 0.6
    """share of scenes with a shadow across"""
    depth: Span = (0.15, 0.55)
    """how much darker a shadow is"""
    edge: Span = (0.002, 0.08)
    """width of a shadow's edge, in picture widths: hard to soft"""
    cast: float = 0.04
    """standard deviation of each colour channel's gain"""


@dataclass(frozen=True)
class Optics:
    """What is lost between sheet and file."""

    defocus: Span = (0.0, 1.6)
    """standard deviation of the blur in pixels"""
    motion: Span = (0.0, 4.0)
    """length of the smear in pixels; under 1.5 there is none"""
    noise: Span = (1.0, 7.0)
    """standard deviation of the sensor's noise in levels"""
    quality: Span = (45, 95)
    """of JPEG; 100 and above keeps the picture as it is"""


def gradient(width: int, height: int, depth: float, angle: float) -> F32:
    """Light from one side: 1 there, `1 - depth` at the other; `angle` in radians says where it comes from."""
    x, y = np.cos(angle) / 2, np.sin(angle) / 2
    along = x * np.linspace(-1, 1, width, dtype=np.float32) + y * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.asarray(1 - depth * (0.5 + along / (abs(2 * x) + abs(2 * y))), np.float32)


def vignette(width: int, height: int, depth: float) -> F32:
    """1 in the middle, `1 - depth` in the corners."""
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    return np.asarray(1 - depth * (x**2 + y[:, None] ** 2) / 2, np.float32)


def shadow(width: int, height: int, depth: float, edge: float, rng: np.random.Generator) -> F32:
    """A hand's or a window frame's shadow: a blob or a half-plane of `1 - depth`, its edge `edge` pixels."""
    field = np.ones((height, width), np.float32)
    if rng.uniform() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        start = np.array([width, height]) * rng.uniform(0.25, 0.75, 2)
        far = 4.0 * (width + height)
        bend = start + along * rng.uniform(-0.1, 0.1) * width
        corners = np.array([start - across * far, bend, start + across * far, start + along * far])
    else:
        turns = (np.arange(9) + rng.uniform(0, 0.7, 9)) * (2 * np.pi / 9)
        centre = np.array([width, height]) * rng.uniform(0, 1, 2)
        radii = rng.uniform(0.15, 0.5, (9, 1)) * width
        corners = centre + radii * np.column_stack([np.cos(turns), np.sin(turns)])
    cv2.fillPoly(field, [np.round(corners * 16).astype(np.int32)], 1 - depth, cv2.LINE_8, shift=4)
    return blurred(field, edge / 2)


def light_field(width: int, height: int, rng: np.random.Generator, light: Lighting = Lighting()) -> F32:
    """All of `light` together, float32 [height, width]."""
    w, h = -(-width // _COARSER), -(-height // _COARSER)
    field = gradient(w, h, draw(light.gradient, rng), float(rng.uniform(0, 2 * np.pi))) * draw(light.level, rng)
    field *= vignette(w, h, draw(light.vignette, rng))
    if rng.uniform() < light.shadow:
        edge = draw_low(light.edge, rng)
        field *= shadow(w, h, draw(light.depth, rng), edge * w, rng)
    full: F32 = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    return full


def lit(image: U8, field: F32, gains: tuple[float, float, float] = (1, 1, 1)) -> U8:
    """`image` under the light `field`, float32 [h, w]; `gains`: of blue, green and red."""
    planes = []
    for channel, gain in zip(cv2.split(image), gains, strict=True):
        planes.append(cv2.multiply(channel, field, scale=gain, dtype=cv2.CV_8U))
    out: U8 = cv2.merge(planes)
    return out


def sheet_pose(
    size: tuple[int, int],
    frame: tuple[int, int],
    centre: tuple[float, float],
    angle: float,
    tilt: float,
    rng: np.random.Generator,
) -> F64:
    """float64 [3, 3]: maps a sheet of `size` (width, height) into a `frame`, its middle to `centre`.

    angle: rotation in radians, clockwise as seen; tilt: how much nearer to the camera one side comes and
    farther the other goes, as a share, for a sheet as large as the frame.
    """
    w, h = size
    corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    # A plane leaning about an axis: one side nears as the other recedes, as with a sheet in a hand.
    lean = rng.uniform(0, 2 * np.pi)
    near = (corners @ np.array([np.cos(lean), np.sin(lean)])) / np.hypot(*frame) * 2
    seen = (corners / (1 - tilt * near[:, None])) @ turn + np.array(centre)
    return np.asarray(
        cv2.getPerspectiveTransform((corners - corners[0]).astype(np.float32), seen.astype(np.float32)),
        np.float64,
    )


def seen(sheet: U8, pose: F64, background: U8) -> U8:
    """`sheet` as `pose` puts it before `background`, which gives the size of the picture."""
    height, width = background.shape[:2]
    image = background.copy()
    # The border keeps what is there: the background.
    cv2.warpPerspective(
        sheet, pose, (width, height), dst=image, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    return image


def moved(points: npt.ArrayLike, pose: F64) -> F64:
    """float64 [n, 2]: where `pose` (float64 [3, 3]) puts `points` [n, 2]."""
    points = np.asarray(points, np.float64)
    mapped = np.column_stack([points, np.ones(len(points))]) @ pose.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)


def blurred(image: Picture, sigma: float) -> Picture:
    """`image` out of focus, by `sigma` pixels; as it is below 0.3."""
    return image if sigma < 0.3 else cv2.GaussianBlur(image, (0, 0), sigma)


def smeared(image: U8, length: float, angle: float) -> U8:
    """`image` moved `length` pixels along `angle` (radians) during the exposure; as it is below 1.5."""
    if length < 1.5:
        return image
    side = int(np.ceil(length)) | 1
    kernel = np.zeros((side, side), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    ends = np.round(((side - 1) / 2 + np.array([-reach, reach])) * 16).astype(int)
    cv2.line(kernel, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 1.0, 1, cv2.LINE_8, shift=4)
    out: U8 = cv2.filter2D(image, -1, kernel / kernel.sum())
    return out


def noisy(image: U8, sigma: float, rng: np.random.Generator) -> U8:
    """`image` with a sensor's noise of deviation `sigma`: fine in brightness, coarser in colour."""
    if sigma <= 0:
        return image
    h, w = image.shape[:2]
    # Whole levels, as the sensor's converter gives them; 16 bits carry them in half the time of floats.
    brightness = (normal((h, w), rng) * sigma).astype(np.int16)
    colour = (normal((h // 2 + 1, w // 2 + 1, 3), rng) * (sigma * 0.5)).astype(np.int16)
    noise = cv2.resize(colour, (w, h), interpolation=cv2.INTER_LINEAR)
    noise = cv2.add(noise, cv2.merge([brightness] * 3))
    out: U8 = cv2.add(image, noise, dtype=cv2.CV_8U)
    return out


def compressed(image: U8, quality: int) -> U8:
    """`image` after JPEG at `quality` (1 to 99); as it is from 100 on."""
    if quality >= 100:
        return image
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def photographed(image: U8, rng: np.random.Generator, light: Lighting = Lighting(), optics: Optics = Optics()) -> U8:
    """`image` through all of it: light, lens, sensor, file."""
    h, w = image.shape[:2]
    blue, green, red = (float(gain) for gain in rng.normal(1, light.cast, 3))
    image = lit(image, light_field(w, h, rng, light), (blue, green, red))
    image = blurred(image, draw(optics.defocus, rng))
    image = smeared(image, draw(optics.motion, rng), float(rng.uniform(0, np.pi)))
    image = noisy(image, draw(optics.noise, rng), rng)
    return compressed(image, draw_int(optics.quality, rng))
