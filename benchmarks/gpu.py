"""What a device is worth beside this machine's CPU, in the same run: digits a second by batch, and frames a second of
many cameras at once; float32 beside float16.

    python -m benchmarks.gpu [--provider cuda] [--largest 65536] [--cameras 64] [--json FILE]

Digits are noise: a network takes as long for those. Cameras are simulated: each has the bundled photograph, moved by a
pixel or two, and all of their frames are read together, as the daemon does it; decoding is left out. In every round
each provider and precision has its turn; medians over rounds. Threads spin.
Where the provider cannot be had, one line says why, and no file is written. `--provider cpu` tries this out anywhere.
"""

import argparse
import ctypes
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.progress import track
from rich.table import Table

import edge
from edge import providers
from edge.arrays import U8, u8
from edge.cores import usable_cores
from edge.engine import EngineConfig, session_options
from edge.errors import DigitdError
from edge.reader import Reader
from edge.recogniser import LARGEST_BATCH, Recogniser, default_model
from edge.sequence import default_row_model

PHOTO = Path(edge.__file__).parent / "samples" / "photo.jpg"
CPU = "cpu"
PRECISIONS = ("float32", "float16")
Turn = Callable[[], object]


def in_halves(path: Path, folder: Path) -> Path:
    """A float32 model file in float16, in `folder`, with its card."""
    from dataclasses import replace

    from export.program import with_card
    from export.quantisation import halved
    from export.quantize import opened

    model, card, _ = opened(path)
    out = folder / path.name
    out.write_bytes(with_card(halved(model), replace(card, precision="float16")).SerializeToString())
    return out


def graphed(batch: int) -> Turn:
    """One inference of so many digits as a CUDA graph, captured once: from an array, through buffers that stay on the
    device, to an array. The graph is of the float32 file.
    """
    options = providers.stack(providers.CUDA, b"", 1)
    options[0] = (options[0][0], options[0][1] | {"enable_cuda_graph": "1"})
    config = EngineConfig(providers.CUDA, spinning=True)
    session = ort.InferenceSession(
        default_model().read_bytes(), session_options(config), providers=options, enable_fallback=0
    )
    crops = noise(batch)
    source = ort.OrtValue.ortvalue_from_numpy(crops, "cuda")
    labels = session.get_outputs()[0].shape[1]
    answers = ort.OrtValue.ortvalue_from_shape_and_type((batch, labels), np.float32, "cuda")
    binding = session.io_binding()
    binding.bind_ortvalue_input("crops", source)
    binding.bind_ortvalue_output("log_probs", answers)

    def turn() -> object:
        source.update_inplace(crops)
        session.run_with_iobinding(binding)
        return answers.numpy()

    return turn


def noise(batch: int) -> U8:
    return np.random.default_rng(batch).integers(0, 256, (batch, 28, 28), np.uint8)


def digits(wanted: dict[str, Recogniser], batch: int, rounds: int, graphs: bool) -> dict[str, float]:
    """Digits a second of each, all crops handed over at once; with CUDA graphs, where that is asked for."""
    crops = noise(batch)
    turns: dict[str, Turn] = {name: lambda one=one: one.log_probs(crops) for name, one in wanted.items()}
    if graphs and batch <= LARGEST_BATCH:
        turns["cuda float32, graph"] = graphed(batch)
    return {name: batch / seconds for name, seconds in medians(turns, rounds).items()}


def frames(wanted: dict[str, Reader], cameras: int, rounds: int) -> dict[str, float]:
    """Frames a second of each."""
    photo = u8(cv2.imread(str(PHOTO)))
    height, width = photo.shape[:2]
    rng = np.random.default_rng(0)
    moved = [np.array([[1.0, 0, dx], [0, 1, dy]]) for dx, dy in rng.integers(-2, 3, (cameras, 2))]
    seen = [u8(cv2.warpAffine(photo, how, (width, height), borderMode=cv2.BORDER_REPLICATE)) for how in moved]
    turns: dict[str, Turn] = {name: lambda reader=reader: reader.read_all(seen) for name, reader in wanted.items()}
    return {name: cameras / seconds for name, seconds in medians(turns, rounds).items()}


def medians(turns: dict[str, Turn], rounds: int) -> dict[str, float]:
    """Seconds of each, after two turns that warm up: a CUDA graph is captured in the second at the latest."""
    took: dict[str, list[float]] = {name: [] for name in turns}
    for turn in turns.values():
        turn(), turn()
    for _ in range(rounds):
        for name, turn in turns.items():
            start = time.perf_counter()
            turn()
            took[name].append(time.perf_counter() - start)
    return {name: float(np.median(each)) for name, each in took.items()}


def machine(threads: int) -> dict[str, Any]:
    """What it was measured on."""
    about: dict[str, Any] = {"cpu": _processor(), "threads": threads, "onnxruntime": ort.__version__}
    if driver := providers.nvidia_driver():
        name, device, knows = ctypes.create_string_buffer(100), ctypes.c_int(), ctypes.c_int()
        if driver.cuInit(0) == 0 and driver.cuDeviceGet(ctypes.byref(device), 0) == 0:
            driver.cuDeviceGetName(name, len(name), device)
            driver.cuDriverGetVersion(ctypes.byref(knows))
            about |= {"gpu": name.value.decode(), "cuda": f"{knows.value // 1000}.{knows.value % 1000 // 10}"}
    return about


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def measure(provider: str, largest: int, cameras: int, rounds: int, threads: int) -> dict[str, Any]:
    """Raises ProviderError where the provider cannot be had."""
    console = Console(stderr=True)
    batches = [4**power for power in range(20) if 4**power <= largest]
    with tempfile.TemporaryDirectory(prefix="digitd-gpu-") as folder:
        files = {"float32": (default_model(), default_row_model())}
        files["float16"] = tuple(in_halves(path, Path(folder)) for path in files["float32"])
        kinds = [(one, precision) for one in dict.fromkeys((provider, CPU)) for precision in PRECISIONS]
        engines = {f"{one} {precision}": EngineConfig(one, threads, spinning=True) for one, precision in kinds}
        single = {name: Recogniser(files[name.split()[1]][0], engine) for name, engine in engines.items()}
        found: dict[str, Any] = {
            "machine": machine(threads),
            "digits_a_second": {},
            "frames_a_second": {},
        }
        for batch in track(batches, "digits", console=console, transient=True):
            figures = digits(single, batch, rounds, provider == providers.CUDA)
            found["digits_a_second"][str(batch)] = {name: round(figure) for name, figure in figures.items()}
        readers = {}
        for name, engine in engines.items():
            model, row_model = files[name.split()[1]]
            readers[name] = Reader(model, engine, row_model)
        figures = frames(readers, cameras, rounds)
        found["frames_a_second"] = {name: round(figure, 1) for name, figure in figures.items()} | {"cameras": cameras}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default=providers.CUDA, help="to measure beside the CPU")
    parser.add_argument("--largest", type=int, default=65536, help="batch; they grow by four from 1")
    parser.add_argument("--cameras", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=usable_cores(), help="of the CPU")
    parser.add_argument("--json", type=Path, help="file to write the figures to, where there is a GPU")
    arguments = parser.parse_args()
    cv2.setNumThreads(arguments.threads)
    try:
        found = measure(arguments.provider, arguments.largest, arguments.cameras, arguments.rounds, arguments.threads)
    except DigitdError as error:
        sys.stderr.write(f"nothing measured: {error}\n")
        sys.exit(error.exit_code)
    by_batch = found["digits_a_second"]
    about = found["machine"]
    names = list(next(iter(by_batch.values())))
    table = Table(title=f"Digits a second on {about.get('gpu', 'no GPU')}, {about['cpu']} ({about['threads']} threads)")
    for head in ("batch", *names):
        table.add_column(head, justify="right")
    for batch, figures in by_batch.items():
        table.add_row(batch, *(f"{figures[name]:,}" if name in figures else "" for name in names))
    shown = found["frames_a_second"]
    table.add_row(
        f"{shown['cameras']} cameras,\nframes/s", *(f"{shown[name]:,}" if name in shown else "" for name in names)
    )
    Console(width=120).print(table)
    if arguments.json and arguments.provider in providers.BY_SHAPE:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
