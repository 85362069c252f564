"""What tests of export share: model files of the tiny run, made once, in every precision."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def _few_samples(stroke_mnist: Path) -> Iterator[Path]:
    from export import samples
    from training import mnist

    with pytest.MonkeyPatch.context() as patch:
        for name in mnist.MD5:
            md5 = hashlib.md5((stroke_mnist / name).read_bytes(), usedforsecurity=False).hexdigest()
            patch.setitem(mnist.MD5, name, md5)
        patch.setattr(samples, "CALIBRATED", 64)
        patch.setattr(samples, "MEASURED", 40)
        yield stroke_mnist


@pytest.fixture
def few_samples(stroke_mnist: Path) -> Iterator[Path]:
    """The folder of `stroke_mnist`, which passes for MNIST's; and of each source few samples, as they cost seconds."""
    with _few_samples(stroke_mnist) as folder:
        yield folder


@pytest.fixture(scope="session")
def files(tiny_run, stroke_mnist, tmp_path_factory):
    """The tiny run's checkpoint as model files: what `export_onnx` returns, by precision."""
    from export.onnx_file import export_onnx

    out = tmp_path_factory.mktemp("models") / "new" / "tiny.onnx"
    with _few_samples(stroke_mnist) as folder:
        done = export_onnx(tiny_run.out / "best.pt", out, folder, ["int8", "float32", "packed", "float16"])
    return {file.precision: file for file in done}


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A model file that is there already, with its page."""
    out = tmp_path / "digits.onnx"
    out.write_bytes(b"the old one")
    out.with_suffix(".md").write_text("the old page")
    return out
