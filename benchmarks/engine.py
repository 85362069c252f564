"""What ONNX Runtime's own settings for a CPU are worth to digitd, each beside what it does without being told.

    python -m benchmarks.engine [--rounds 200] [--json FILE]

Time is the processor's, of one inference of single digits on one thread; in every round each setting has its turn, and
what counts is the median of its ratios to ONNX Runtime's own way in the same rounds: so a busy machine does not matter
much. Memory is what a process holds that has read the bundled photograph ten times, and that of another which has had
batches of all sizes from both models; medians over processes, also in turns.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.progress import track
from rich.table import Table

import edge
from edge import engine
from edge.engine import EngineConfig
from edge.recogniser import default_model

PHOTO = Path(edge.__file__).parent / "samples" / "photo.jpg"
BATCHES = (1, 16, 64, 256)
ONE_THREAD = EngineConfig("cpu", threads=1)
OWN = "ONNX Runtime's own"
SHARED = "one arena for all models"
SHARED_AS_ASKED = f"{SHARED}, grown as asked"
READING = ("photo", "varied")
_TURN = 0.002  # seconds that a turn takes at least
_READS = 10
_VARIED = 100  # batches of each model


def _no_arena(options: ort.SessionOptions) -> None:
    options.enable_cpu_mem_arena = False


def _no_pattern(options: ort.SessionOptions) -> None:
    options.enable_mem_pattern = False


def _neither(options: ort.SessionOptions) -> None:
    _no_arena(options)
    _no_pattern(options)


def _no_prepacking(options: ort.SessionOptions) -> None:
    options.add_session_config_entry("session.disable_prepacking", "1")


def _shared(options: ort.SessionOptions) -> None:
    options.add_session_config_entry("session.use_env_allocators", "1")


SETTINGS: dict[str, Callable[[ort.SessionOptions], None]] = {
    OWN: lambda options: None,
    "no arena": _no_arena,
    "no memory pattern": _no_pattern,
    "neither": _neither,
    "no prepacking": _no_prepacking,
    SHARED: _shared,
    SHARED_AS_ASKED: _shared,
}


def register_arena(grown_as_asked: bool) -> None:
    """One for all sessions that ask for it; else it grows by powers of two."""
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(info, ort.OrtArenaCfg(0, int(grown_as_asked), -1, -1))


def options_with(setting: str) -> ort.SessionOptions:
    options = engine.session_options(ONE_THREAD)
    SETTINGS[setting](options)
    return options


def times(rounds: int) -> dict[str, dict[str, float]]:
    """Of each setting: by batch, its time as a share of ONNX Runtime's own; of that itself, microseconds."""
    data = default_model().read_bytes()
    cpu = ["CPUExecutionProvider"]
    timed = [setting for setting in SETTINGS if setting != SHARED_AS_ASKED]  # a process has one such arena alone
    sessions = {setting: ort.InferenceSession(data, options_with(setting), cpu) for setting in timed}
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, float]] = {setting: {} for setting in timed}
    for batch in BATCHES:
        crops = rng.integers(0, 256, (batch, 28, 28), np.uint8)
        took: dict[str, list[float]] = {setting: [] for setting in timed}
        calls = max(1, round(_TURN / min(_turn(sessions[OWN], crops, 1) for _ in range(5))))
        for _ in track(range(rounds), f"batches of {batch}", console=Console(stderr=True), transient=True):
            for setting in rng.permutation(timed):
                took[setting].append(_turn(sessions[setting], crops, calls) / calls)
        for setting, each in took.items():
            ratio = float(np.median(np.array(each) / np.array(took[OWN])))
            found[setting][str(batch)] = 1e6 * float(np.median(each)) if setting == OWN else ratio
    return found


def _turn(session: ort.InferenceSession, crops: np.ndarray, calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        session.run(["log_probs"], {"crops": crops})
    return time.process_time() - start


def memory(processes: int) -> dict[str, dict[str, float]]:
    """Of each setting: megabytes resident at the end, by what was read."""
    found: dict[str, dict[str, list[float]]] = {setting: {what: [] for what in READING} for setting in SETTINGS}
    for _ in track(range(processes), "memory", console=Console(stderr=True), transient=True):
        for setting in SETTINGS:
            for what in READING:
                command = [sys.executable, "-m", "benchmarks.engine", "--memory-of", setting, "--reading", what]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
                found[setting][what].append(float(said))
    return {
        setting: {f"{what}_mb": float(np.median(held)) for what, held in each.items()}
        for setting, each in found.items()
    }


def hold(setting: str, what: str) -> None:
    """Reads in this process, and prints what it holds then, in megabytes."""
    import cv2

    from edge.arrays import u8
    from edge.reader import Reader
    from edge.recogniser import Recogniser
    from edge.sequence import RowModel

    cv2.setNumThreads(1)
    if SETTINGS[setting] is _shared:
        register_arena(setting == SHARED_AS_ASKED)
    options = engine.session_options

    def changed(config: EngineConfig) -> ort.SessionOptions:
        made = options(config)
        SETTINGS[setting](made)
        return made

    engine.session_options = changed  # all sessions are opened by it
    if what == "photo":
        reader, photo = Reader(engine=ONE_THREAD), u8(cv2.imread(str(PHOTO)))
        for _ in range(_READS):
            assert [row.text for row in reader.read(photo)] == ["730518"]
    else:
        digits, rows, rng = Recogniser(None, ONE_THREAD), RowModel(None, ONE_THREAD), np.random.default_rng(0)
        for _ in range(_VARIED):
            digits.log_probs(np.zeros((int(rng.integers(1, 80)), 28, 28), np.uint8))
            rows.log_probs([np.zeros((32, 4 * int(width)), np.uint8) for width in rng.integers(12, 100, 4)])
    sizes = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    sys.stdout.write(str(int(sizes["VmRSS"].split()[0]) / 1000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="turns of each setting with each batch")
    parser.add_argument("--processes", type=int, default=7, help="that memory is measured in, for each setting")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--memory-of", choices=list(SETTINGS), help=argparse.SUPPRESS)
    parser.add_argument("--reading", choices=READING, default=READING[0], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        hold(arguments.memory_of, arguments.reading)
        return
    register_arena(grown_as_asked=False)
    took, held = times(arguments.rounds), memory(arguments.processes)
    table = Table(
        title="Time of one inference: microseconds, then shares of that; MB after the photograph, varied batches"
    )
    for head in ("setting", *(f"{batch} digits" for batch in BATCHES), *READING):
        table.add_column(head, justify="left" if head == "setting" else "right")
    for setting in SETTINGS:
        of = took.get(setting, {})
        each = [f"{of[key]:.{0 if setting == OWN else 3}f}" if (key := str(batch)) in of else "" for batch in BATCHES]
        table.add_row(setting, *each, *(f"{held[setting][f'{what}_mb']:.1f}" for what in READING))
    Console(width=120).print(table)
    if arguments.json:
        figures = {setting: took.get(setting, {}) | held[setting] for setting in SETTINGS}
        rounded = {setting: {key: round(value, 3) for key, value in of.items()} for setting, of in figures.items()}
        arguments.json.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
