"""How ONNX Runtime is asked to run a model file, and what a file must say of itself before it is run."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# ONNX Runtime would tell its makers of this machine, and leave a file of its own in the home folder.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

from edge.arrays import F32, U8
from edge.errors import ModelError, ProviderError
from edge.model_card import KEY, ModelCard

Provider = Literal["auto", "cpu", "cuda"]

LARGEST_FILE = 64 << 20  # bytes; the shipped file has under 1.5 MB, so a larger one is some other network


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


@dataclass(frozen=True)
class Signature:
    """What a kind of model file takes and gives: the input's name and its shape behind N, and whether the output has
    a step axis. preprocessing: the version of what makes its inputs.
    """

    input: str
    shape: tuple[int | None, ...]
    stepped: bool
    preprocessing: int

    def __str__(self) -> str:
        inner = ",".join("W" if size is None else str(size) for size in self.shape)
        return f"{self.input} uint8 [N,{inner}]"


class Engine:
    """A model file, opened.

    card: what the file says of itself; providers: what the session really runs on, in ONNX Runtime's names;
    note: why `auto` did not take CUDA, in one line; None when it did or was not asked.
    """

    def __init__(self, path: Path, signature: Signature, config: EngineConfig) -> None:
        """Raises ModelError or ProviderError, in one line that says what, where and the mend."""
        wanted, self.note = _providers(config.provider)
        self._session = _session(path, config, wanted)
        self.providers = tuple(self._session.get_providers())
        if config.provider == "cuda" and "CUDAExecutionProvider" not in self.providers:
            raise ProviderError(
                "provider cuda: ONNX Runtime did not take it (it runs on "
                f"{', '.join(self.providers)}); `digitd doctor` says what is missing, or use --provider cpu"
            )
        self._signature = signature
        self.card = self._checked_card(path)

    def run(self, batch: U8) -> F32:
        """The model's log-probabilities for one batch: float32 [N, K], or [N, T, K] of a sequence model."""
        out: F32 = self._session.run(["log_probs"], {self._signature.input: batch})[0]
        return out

    def _checked_card(self, path: Path) -> ModelCard:
        card, signature = _card(path, self._session), self._signature
        if card.preprocessing != signature.preprocessing:
            raise ModelError(
                f"{path}: made for preprocessing {card.preprocessing}, this digitd has {signature.preprocessing}; "
                "export it again with this version"
            )
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        fits = (
            [(i.name, i.type) for i in inputs] == [(signature.input, "tensor(uint8)")]
            and len(inputs[0].shape) == 1 + len(signature.shape)
            and all(size in (None, own) for size, own in zip(signature.shape, inputs[0].shape[1:], strict=True))
            and [(o.name, o.type) for o in outputs] == [("log_probs", "tensor(float)")]
            and len(outputs[0].shape) == 2 + signature.stepped
            and outputs[0].shape[-1] == len(card.labels)
        )
        if not fits:
            steps = "T," if signature.stepped else ""
            raise ModelError(
                f"{path}: its inputs or outputs are not {signature} -> log_probs float32 "
                f"[N,{steps}{len(card.labels)}]; take a file written by `digitd export`"
            )
        return card


def read_card(path: Path) -> ModelCard:
    """What a model file of whatever kind says of itself. Raises ModelError, in one line, where it is none."""
    return _card(path, _session(path, EngineConfig("cpu", threads=1), ["CPUExecutionProvider"]))


def _session(path: Path, config: EngineConfig, providers: list[str]) -> ort.InferenceSession:
    data = read_file(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = config.threads or _cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is said by the exceptions below, once
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(config.spinning)))
    try:
        return ort.InferenceSession(data, options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions share no public base
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
        raise ModelError(
            f"{path}: not a model ONNX Runtime can open ({reason}); take a file written by `digitd export`"
        ) from None


def _card(path: Path, session: ort.InferenceSession) -> ModelCard:
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise ModelError(
            f"{path}: carries no digitd metadata, so nobody knows its labels or preprocessing; "
            "take a file written by `digitd export`"
        )
    try:
        return ModelCard.from_json(text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}; take a file written by `digitd export`") from None


def read_file(path: Path) -> bytes:
    """The bytes of a model file. Raises ModelError, in one line, where it cannot be read or is too large."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # opening a pipe that nobody writes to would wait for ever
            raise ModelError(f"{path}: model file cannot be read (it is no file); check --model")
        if about.st_size > LARGEST_FILE:
            mib = about.st_size >> 20
            raise ModelError(f"{path}: {mib} MiB is too large for a digit model; take a file of `digitd export`")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: model file cannot be read ({reason}); check --model") from None


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
