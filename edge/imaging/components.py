"""Connected strokes of ink, by their contours."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.arrays import I32, U8, u8


@dataclass(frozen=True)
class Component:
    """contours: int32 [n, 1, 2] each, x and y of an outer boundary: one, or several where a stroke was cut;
    x, y, w, h: the upright box round them, pixels; holes: contours of the holes in it, where they are known.
    """

    contours: tuple[I32, ...]
    x: int
    y: int
    w: int
    h: int
    holes: tuple[I32, ...] = ()

    @property
    def right(self) -> int:
        return self.x + self.w

    @property
    def bottom(self) -> int:
        return self.y + self.h

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.w / 2, self.y + self.h / 2


def find_components(mask: U8, least: int = 2) -> list[Component]:
    """The connected strokes of `mask` (uint8 [H, W], ink not 0) whose longer side is at least `least` pixels.

    What lies inside another stroke's hole, as a digit in a form's box, is a component of its own.
    """
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return []
    following, _, first_hole, around = hierarchy[0].T.tolist()
    found = []
    for contour, hole, parent in zip(contours, first_hole, around, strict=True):
        if parent >= 0:  # a hole
            continue
        x, y, w, h = cv2.boundingRect(contour)
        if w < least and h < least:
            continue
        holes = []
        while hole >= 0:
            holes.append(contours[hole])
            hole = following[hole]
        found.append(Component((contour,), x, y, w, h, tuple(holes)))
    return found


def union(components: Sequence[Component]) -> tuple[int, int, int, int]:
    """The upright box (x, y, w, h) round at least one component."""
    x, y = min(c.x for c in components), min(c.y for c in components)
    return x, y, max(c.right for c in components) - x, max(c.bottom for c in components) - y


def shape_of(components: Sequence[Component]) -> U8:
    """uint8 [h, w], 255 inside the boundaries of these components, 0 outside, in their common box."""
    x, y, w, h = union(components)
    inside = np.zeros((h, w), np.uint8)
    # One call each: where contours overlap, one call for all would leave what is covered twice empty.
    for component in components:
        for contour in component.contours:
            cv2.drawContours(inside, [contour], -1, 255, cv2.FILLED, offset=(-x, -y))
    return inside


def cut_out(strength: U8, components: Sequence[Component]) -> U8:
    """The ink of these components alone: uint8 [h, w], their common box, other strokes that reach into it left out."""
    x, y, w, h = union(components)
    return u8(cv2.bitwise_and(strength[y : y + h, x : x + w], shape_of(components)))


def pen_width(component: Component) -> float:
    """Mean breadth of a stroke in pixels: twice its area over its boundary, holes' boundaries too. Contours run through
    the middles of pixels, so that half of one is missing at either side.
    """
    inside = sum(map(cv2.contourArea, component.contours)) - sum(map(cv2.contourArea, component.holes))
    around = sum([cv2.arcLength(contour, True) for contour in component.contours + component.holes])
    return 1 + 2 * inside / max(around, 1.0)


def solidity(component: Component) -> float:
    """How much of the rectangle that holds a stroke, upright or not, it fills with ink, 0 to 1; holes are none."""
    (_, (w, h), _) = cv2.minAreaRect(np.concatenate(component.contours))
    inside = sum(map(cv2.contourArea, component.contours)) - sum(map(cv2.contourArea, component.holes))
    return float(min(max(inside, 0.0) / max(w * h, 1.0), 1.0))


def roughness(component: Component) -> float:
    """A stroke's boundary, holes' too, over that of its convex hull: 1 without bays or holes, more than 1.5 for digits
    that touch.
    """
    around = sum([cv2.arcLength(contour, True) for contour in component.contours + component.holes])
    hull = cv2.convexHull(np.concatenate(component.contours))
    return around / max(cv2.arcLength(hull, True), 1.0)
