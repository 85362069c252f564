"""Other packages that read text, to be measured on the very pictures that digitd reads.

Each reads as its own guide says to, told that only digits count where it can be told. A package is imported only to be
measured; `pip install -c constraints.txt -e '.[peers]'` installs all three, with their models.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.arrays import U8

if TYPE_CHECKING:
    from benchmarks.accuracy import Sample

Read = Callable[[U8], str]


@dataclass(frozen=True)
class Peer:
    """read: a picture, BGR uint8 [H, W, 3], to the digits of its line with most digits, empty for none."""

    name: str
    version: str
    read: Read


def most_digits(lines: Iterable[str]) -> str:
    """The digits of the line that has most of them; of several such lines, of the first."""
    return max((re.sub(r"[^0-9]", "", line) for line in lines), key=len, default="")


def rapidocr(find: bool = True) -> Read:
    """PP-OCRv6, small, on one core: finds lines anywhere in the picture. find: else that is one line, upright."""
    from rapidocr import RapidOCR

    one_core = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    engine = RapidOCR(params={"Global.log_level": "error", **one_core})
    parts = {} if find else {"use_det": False, "use_cls": False, "use_rec": True}
    return lambda image: most_digits(engine(image, **parts).txts or ())


def ddddocr() -> Read:
    """A reader of captchas: takes the whole picture for one line. It does not let its threads be chosen."""
    from ddddocr import DdddOcr
    from PIL import Image

    engine = DdddOcr(show_ad=False)
    return lambda image: most_digits([engine.classification(Image.fromarray(image[..., ::-1]))])


def tesserocr(line: bool = False) -> Read:
    """Tesseract, the picture taken for one block of lines of digits, or for one line. Raises RuntimeError without
    Tesseract's data.
    """
    from tesserocr import PSM, PyTessBaseAPI

    # Of its ways to take a page apart, one block read most of some 60 pictures by held-out writers and cheques.
    only_digits = {"tessedit_char_whitelist": "0123456789", "debug_file": os.devnull}
    engine = PyTessBaseAPI(path=_tessdata(), psm=PSM.SINGLE_LINE if line else PSM.SINGLE_BLOCK, variables=only_digits)

    def read(image: U8) -> str:
        height, width = image.shape[:2]
        pixels = image[..., ::-1].tobytes()  # kept until the text is there: Tesseract copies nothing
        engine.SetImageBytes(pixels, width, height, 3, 3 * width)
        return most_digits(engine.GetUTF8Text().splitlines())

    return read


def _tessdata() -> str:
    """The folder of Tesseract's data, with the slash that tesserocr wants: its wheels know no system's folder."""
    system = [*Path("/usr/share/tesseract-ocr").glob("*/tessdata"), Path("/usr/share/tessdata")]
    named = os.environ.get("TESSDATA_PREFIX")
    folders = [Path(named)] if named else system
    found = next((folder for folder in folders if (folder / "eng.traineddata").is_file()), None)
    if found is None:
        mend = "on Debian and Ubuntu: sudo apt install tesseract-ocr-eng"
        raise RuntimeError(f"no eng.traineddata under {named or '/usr/share'}; {mend}")
    return f"{found}/"


LOADERS: dict[str, Callable[[], Read]] = {"rapidocr": rapidocr, "ddddocr": ddddocr, "tesserocr": tesserocr}
"""By package, what loads its models and gives its reader."""


def installed() -> list[Peer]:
    """The peers that can be measured here, their models loaded; a line on standard error for each that cannot."""
    there = {name: read for name, load in LOADERS.items() if (read := started(name, load)) is not None}
    return [Peer(name, metadata.version(name), read) for name, read in there.items()]


def started(name: str, load: Callable[[], Read]) -> Read | None:
    """The reader of an installed package; None, and a line on standard error, where there is none."""
    if importlib.util.find_spec(name) is None:
        mend = "pip install -c constraints.txt -e '.[peers]'"
        print(f"{name} is not installed: {mend} to measure it beside", file=sys.stderr)
        return None
    try:
        return load()
    except Exception as error:  # whatever is wrong with one of them, the others are measured
        print(f"{name} does not start, so it is not measured: {_in_a_line(error)}", file=sys.stderr)
        return None


def measure(peer: Peer, samples: Iterable["Sample"]) -> dict[str, Any]:
    """How many of `samples`, at least one, a peer reads exactly: count, right, share, errors, ms (the median).

    A picture on which it raises an exception is read wrongly and counted in `errors`; standard error tells the first.
    """
    right, times = 0, []
    errors: list[str] = []
    for sample in samples:
        start = perf_counter()
        try:
            got = peer.read(sample.image)
        except Exception as error:
            got = None
            errors.append(f"{sample.name}: {_in_a_line(error)}")
        times.append(1000 * (perf_counter() - start))
        right += got == sample.text
    if errors:
        print(f"{peer.name} failed on {len(errors)} of {len(times)} pictures; {errors[0]}", file=sys.stderr)
    return {
        "count": len(times),
        "right": right,
        "share": round(right / len(times), 4),
        "errors": len(errors),
        "ms": float(np.median(times)),
    }


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
