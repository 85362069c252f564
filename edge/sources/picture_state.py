"""Whether a camera's picture is frozen or dark, told from a few thousand of its pixels.

A live sensor is never still: its noise alone changes each picture. What comes frozen out of a video encoder is not the
same to the bit, though: each group of pictures begins with a key frame that is coded anew, and single changes between
pictures of a frozen camera are then as large as those of a live one before which nothing moves. So the median over
several seconds is judged, which spans more than one group. Measured on one scene of 640x480 through x264 at 15 frames a
second (mean of absolute differences, grey levels): frozen 0 to 0.01, frozen with noise in the picture 0 to 1.1 with a
median of 0.14 and no pixel by more than 11, still but live 1.0 to 2.0, live with a cap on the lens 0.6.
"""

import statistics
from collections import deque
from math import isqrt
from typing import Literal

import cv2
import numpy as np

from edge.arrays import U8, u8
from edge.sources.source import Stuck

Verdict = Literal["online", "frozen", "dark"]

_SAMPLES = 20_000  # pixels of a picture that are looked at, about
_OFTEN = 1 / 30  # seconds; pictures that come quicker are not all looked at
_FROZEN_FOR = 5.0  # seconds
_FEWEST = 8  # changes that frozen is told from
_LATEST = 5  # changes that life is told from: more than the one that a key frame makes
_STILL = 0.3  # grey levels; the median change of a frozen camera is below, of a live one above
_ALIVE = 0.7  # grey levels; no few changes of a frozen camera have a median above
_MOVED = 48  # grey levels; coding anew does not change a pixel by as much, moving ink does
_MOVED_PIXELS = 8
_DARK_FOR = 1.0  # seconds
_DARK_MEAN = 12  # grey levels of 255, of all pixels
_DARK_TOP = 32  # grey levels, above which there is no more than
_DARK_SHARE = 0.01  # of the pixels


class PictureState:
    """Looks at one camera's pictures in the order in which they come. stuck: see Stuck; None: never frozen."""

    def __init__(self, stuck: Stuck | None) -> None:
        self._stuck: Stuck | None = stuck
        self._verdict: Verdict = "online"
        self._frozen = False
        self._last: U8 | None = None
        self._looked = float("-inf")
        self._dark_since: float | None = None
        self._changes: deque[tuple[float, float]] = deque()  # when, and by how many grey levels

    def look(self, image: U8, now: float) -> Verdict:
        """image: uint8 [H, W, 3] BGR; now: `time.monotonic`, seconds."""
        if 0 <= now - self._looked < _OFTEN:
            return self._verdict
        self._looked = now
        step = max(1, isqrt(image.shape[0] * image.shape[1] // _SAMPLES))
        size = max(1, image.shape[1] // step), max(1, image.shape[0] // step)
        # Single pixels, not means of several: those would be without the noise.
        sample = u8(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST))
        if self._stuck is not None:
            self._compare(sample, now)
        self._last = sample
        if self._is_dark(sample, now):
            self._verdict = "dark"
        else:
            self._verdict = "frozen" if self._frozen else "online"
        return self._verdict

    def _compare(self, sample: U8, now: float) -> None:
        if self._last is None or self._last.shape != sample.shape:
            self._changes.clear()
            self._frozen = False
            return
        difference = u8(cv2.absdiff(sample, self._last))
        change = float(sum(cv2.mean(difference)) / 3)
        alive = change > 0 if self._stuck == "exact" else np.count_nonzero(difference >= _MOVED) >= _MOVED_PIXELS
        if alive:
            self._changes.clear()
            self._frozen = False
        self._changes.append((now, change))
        if self._frozen:
            latest = [change for _, change in self._changes][-_LATEST:]
            if len(latest) == _LATEST and statistics.median(latest) >= _ALIVE:
                self._changes.clear()
                self._frozen = False
        while len(self._changes) > _FEWEST and now - self._changes[1][0] >= _FROZEN_FOR:
            self._changes.popleft()
        if len(self._changes) >= _FEWEST and now - self._changes[0][0] >= _FROZEN_FOR:
            self._frozen = statistics.median(change for _, change in self._changes) < _STILL

    def _is_dark(self, sample: U8, now: float) -> bool:
        grey = cv2.cvtColor(sample, cv2.COLOR_BGR2GRAY)
        if cv2.mean(grey)[0] > _DARK_MEAN or np.count_nonzero(grey > _DARK_TOP) > _DARK_SHARE * grey.size:
            self._dark_since = None
            return False
        if self._dark_since is None:
            self._dark_since = now
        return now - self._dark_since >= _DARK_FOR
