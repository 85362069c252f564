"""One ONNX Runtime session: crops in, log-probabilities out."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort

from edge.arrays import F32, U8
from edge.errors import ModelError, ProviderError
from edge.imaging.normalise import PREPROCESSING, SIDE
from edge.model_card import KEY, REJECT, ModelCard

Provider = Literal["auto", "cpu", "cuda"]

LARGEST_FILE = 64 << 20  # bytes; the shipped file has under 1.5 MB, so a larger one is some other network

LARGEST_BATCH = 4096
"""Crops in one call of ONNX Runtime, which takes some 100 MB for them. A page of digits has a tenth of that."""


@dataclass(frozen=True)
class EngineConfig:
    """How ONNX Runtime is to run.

    provider: `cpu`; `cuda`, an error where it cannot be had; `auto`, CUDA where it can be had, else the CPU.
    threads: of one inference; None takes the cores this process may use.
    spinning: threads wait busily between calls. Quicker by microseconds, and costs a core: for benchmarks.
    """

    provider: Provider = "auto"
    threads: int | None = None
    spinning: bool = False


def default_model() -> Path:
    """The model file that comes with the package."""
    return Path(__file__).parent / "models" / "digits.onnx"


class Recogniser:
    """Runs a model file.

    card: what the file says of itself.
    providers: what the session really runs on, in ONNX Runtime's names.
    note: why `auto` did not take CUDA, in one line; None when it did or was not asked.
    """

    def __init__(self, model: Path | None = None, engine: EngineConfig | None = None) -> None:
        """Raises ModelError or ProviderError, in one line that says what, where and the mend."""
        engine = engine or EngineConfig()
        path = model or default_model()
        data = _read(path)
        wanted, self.note = _providers(engine.provider)
        options = ort.SessionOptions()
        options.intra_op_num_threads = engine.threads or _cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is said by the exceptions below, once
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(engine.spinning)))
        try:
            self._session = ort.InferenceSession(data, options, providers=wanted)
        except Exception as error:  # ONNX Runtime's exceptions share no public base
            reason = str(error).strip().splitlines()[-1][:200]
            raise ModelError(
                f"{path}: not a model ONNX Runtime can open ({reason}); take a file written by `digitd export`"
            ) from None
        self.providers = tuple(self._session.get_providers())
        if engine.provider == "cuda" and "CUDAExecutionProvider" not in self.providers:
            raise ProviderError(
                "provider cuda: ONNX Runtime did not take it (it runs on "
                f"{', '.join(self.providers)}); `digitd doctor` says what is missing, or use --provider cpu"
            )
        self.card = self._checked_card(path)
        self.reject = self.card.labels.index(REJECT) if REJECT in self.card.labels else None

    def log_probs(self, crops: U8) -> F32:
        """crops: uint8 [N, 28, 28], 0 paper to 255 ink, N from 0. Returns float32 [N, K], calibrated by the card's
        temperature: the logarithms of probabilities that sum to 1 in each row.
        """
        if crops.shape[0] == 0:
            return np.zeros((0, len(self.card.labels)), np.float32)
        out: F32 = np.concatenate(
            [
                self._session.run(["log_probs"], {"crops": crops[start : start + LARGEST_BATCH]})[0]
                for start in range(0, len(crops), LARGEST_BATCH)
            ]
        )
        if self.card.temperature != 1:
            out = out / np.float32(self.card.temperature)
            out -= np.logaddexp.reduce(out, axis=1, keepdims=True)
        return out

    def _checked_card(self, path: Path) -> ModelCard:
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if text is None:
            raise ModelError(
                f"{path}: carries no digitd metadata, so nobody knows its labels or preprocessing; "
                "take a file written by `digitd export`"
            )
        try:
            card = ModelCard.from_json(text)
        except ModelError as error:
            raise ModelError(f"{path}: {error}; take a file written by `digitd export`") from None
        if card.preprocessing != PREPROCESSING:
            raise ModelError(
                f"{path}: made for preprocessing {card.preprocessing}, this digitd has {PREPROCESSING}; "
                "export it again with this version"
            )
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        fits = (
            [(i.name, i.type, list(i.shape[1:])) for i in inputs] == [("crops", "tensor(uint8)", [SIDE, SIDE])]
            and [(o.name, o.type) for o in outputs] == [("log_probs", "tensor(float)")]
            and list(outputs[0].shape[1:]) == [len(card.labels)]
        )
        if not fits:
            raise ModelError(
                f"{path}: its inputs or outputs are not crops uint8 [N,28,28] -> log_probs float32 "
                f"[N,{len(card.labels)}]; take a file written by `digitd export`"
            )
        return card


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ModelError(f"{path}: {size >> 20} MiB is too large for a digit model; take a file of `digitd export`")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: model file cannot be read ({error.strerror}); check --model") from None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _providers(provider: Provider) -> tuple[list[str], str | None]:
    """What to ask ONNX Runtime for, and why `auto` does without CUDA.

    CUDA is asked for only where a device and its libraries are there: ONNX Runtime prints a page of errors otherwise.
    """
    cpu = "CPUExecutionProvider"
    if provider == "cpu":
        return [cpu], None
    missing = cuda_missing()
    if missing is None:
        return ["CUDAExecutionProvider", cpu], None
    if provider == "cuda":
        raise ProviderError(f"provider cuda: {missing}; or use --provider cpu")
    return [cpu], missing


def cuda_missing() -> str | None:
    """Why CUDA cannot be had here, with the mend; None where it can."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return "this ONNX Runtime is built without CUDA (pip install onnxruntime-gpu in place of onnxruntime)"
    if not (Path("/proc/driver/nvidia/version").exists() or Path("/dev/dxg").exists() or os.name == "nt"):
        return "no NVIDIA driver on this machine (install the driver, then digitd[cuda])"
    try:
        ort.preload_dlls()
    except Exception as error:
        return f"CUDA's libraries do not load ({error}; pip install 'digitd[cuda]')"
    return None
