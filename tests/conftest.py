"""What tests of several parts share: the command line as its users run it, and pages with figures on them."""

import functools
import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from training.mnist import Mnist

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]

# A busy machine is slow, and no test of the code's answers is to fail for it.
settings.register_profile("digitd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("digitd")


@pytest.fixture(scope="session", autouse=True)
def no_models_of_ones_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What whoever runs the tests has promoted is out of sight."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITD_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))
        yield


@pytest.fixture(scope="session")
def digitd() -> Digitd:
    """Runs `digitd` as a process of its own: `digitd("read", path, input=b"", cwd=folder, env={})`."""

    def run(
        *arguments: object,
        input: bytes | None = None,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [
                sys.executable,
                "-c",
                "from edge.cli import main; main()",
                *map(os.fspath, map(_argument, arguments)),
            ],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            timeout=60,
        )

    return run


def _argument(value: object) -> str | bytes:
    return value if isinstance(value, bytes) else str(value)


@pytest.fixture(scope="session")
def page() -> Callable[..., np.ndarray]:
    """`page("407", height=60)`: dark figures on light paper, BGR uint8 [H, W, 3]."""

    def draw(text: str = "407", height: int = 60) -> np.ndarray:
        (width, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, height / 40, 2)
        image = np.full((height, width + height, 3), 240, np.uint8)
        at = (height // 2, (height + tall) // 2)
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, height / 40, (40, 30, 30), 2, cv2.LINE_AA)
        return image

    return draw


@pytest.fixture(scope="session")
def film(page: Callable[..., np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of film at 10 frames a second, 320x96; the figures change with each second: 111, 222, 333."""
    path = tmp_path_factory.mktemp("film") / "counter.avi"
    out = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MJPG"), 10, (320, 96))
    assert out.isOpened()
    for number in range(30):
        image = np.full((96, 320, 3), 240, np.uint8)
        figures = page(str(number // 10 + 1) * 3, 80)
        image[8:88, 20 : 20 + figures.shape[1]] = figures
        out.write(image)
    out.release()
    return path


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with MNIST's files: $DIGITD_DATA, else `shared/data` beside the checkout."""
    from training import mnist

    folder = Path(os.environ.get("DIGITD_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not any(mnist.data_folder(folder).glob("t10k-images-idx3-ubyte*")):
        pytest.skip(f"needs MNIST's idx files in {folder}; name their folder with DIGITD_DATA")
    return folder


@pytest.fixture(scope="session")
def real_mnist(data_dir: Path) -> "dict[str, Mnist]":
    """MNIST itself: `train` and `test`."""
    from training import mnist

    return {
        "train": mnist.load("train", data_dir, download=False),
        "test": mnist.load("test", data_dir, download=False),
    }


@dataclass(frozen=True)
class TinyRun:
    """out: the run's folder; data: the folder it was trained on, to be named as MNIST's; recipe: the file's path."""

    out: Path
    data: Path
    recipe: Path


@pytest.fixture(scope="session")
def stroke_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits of the stroke model in MNIST's files: 400 of 40 writers to train on, 330 to test with."""
    from edge.imaging.normalise import normalise
    from training.synth.strokes import HandStyle, draw_hand

    folder = tmp_path_factory.mktemp("strokes") / "mnist"
    folder.mkdir()
    for seed, (stem, count) in enumerate({"train": 400, "t10k": 330}.items()):
        rng = np.random.default_rng(seed)
        hands = [draw_hand(rng, HandStyle(height=24, pen=(0.1, 0.14))) for _ in range(count // 10)]
        labels = np.tile(np.arange(10, dtype=np.uint8), len(hands))
        images = np.stack([normalise(hand.digit(label, rng)) for hand in hands for label in range(10)])
        for name, array in ((f"{stem}-images-idx3-ubyte", images), (f"{stem}-labels-idx1-ubyte", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            (folder / name).write_bytes(header + array.tobytes())
    table = np.zeros((400, 8), ">i4")
    table[:, 2] = np.arange(400) // 10
    packed = gzip.compress(np.array([0x0C02, 400, 8], ">i4").tobytes() + table.tobytes())
    (folder / "qmnist-train-labels-idx2-int.gz").write_bytes(packed)
    return folder


@pytest.fixture
def taken_for_mnist(stroke_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of `stroke_mnist`, whose files pass for MNIST's while the test runs."""
    _take_for_mnist(stroke_mnist, monkeypatch)
    return stroke_mnist


def _take_for_mnist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training import mnist

    for name in mnist.MD5:
        md5 = hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()
        monkeypatch.setitem(mnist.MD5, name, md5)


@pytest.fixture(scope="session")
def tiny_run(stroke_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A training run of one network of a few thousand weights over two epochs of `stroke_mnist`."""
    from training import dataset, digit_task, engine
    from training.recipe import load

    recipe = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    recipe.write_text(
        'name = "tiny"\nepochs = 2\nseed = 5\nplain = 1\n'
        "[network]\nwidth = 4\ndropout = 0\n[optimiser]\naverage = 0.8\nrate = 0.03\n"
        "[mix]\nmnist = 40\nstrokes = 4\nparts = 2\npairs = 2\nmarks = 2\nlines = 2\n"
    )
    out = tmp_path_factory.mktemp("run") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        _take_for_mnist(stroke_mnist, patch)
        # As many samples to choose by as there are to learn from, not twenty times as many.
        patch.setattr(digit_task, "validation_samples", functools.partial(dataset.validation_samples, each=30))
        tiny = load(recipe)
        engine.train(digit_task.DigitTask(tiny, stroke_mnist), tiny, out, engine.Run(threads=1))
    return TinyRun(out, stroke_mnist, recipe)
