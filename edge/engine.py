"""How ONNX Runtime is asked to run a model file, and what a file must say of itself before it is run."""

import stat
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from edge import providers
from edge.arrays import F32, U8
from edge.buckets import Bucketed
from edge.cores import usable_cores
from edge.errors import DigitdError, ModelError, ProviderError
from edge.model_card import KEY, ModelCard
from edge.providers import AUTO, BY_SHAPE, CPU, CUDA, short_name

LARGEST_FILE = 64 << 20  # bytes; the shipped file has under 1.5 MB, so a larger one is some other network

_FATAL = 4  # of ONNX Runtime's severities: what goes wrong is said by the errors below, once


@dataclass(frozen=True)
class EngineConfig:
    """How ONNX Runtime is to run.

    provider: `cpu`, `cuda`, `tensorrt` or another short name of `edge.providers`, an error where it cannot be had;
    `auto`, CUDA where it can be had, else the CPU.
    threads: of one inference; None takes the cores this process may use.
    spinning: threads wait busily between calls. Quicker by microseconds, and costs a core: for benchmarks.
    """

    provider: str = AUTO
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
        self._session, self.note = _opened(path, config)
        self.providers = tuple(self._session.get_providers())
        self._signature = signature
        self.card = self._checked_card(path)
        self._name = short_name(self.providers[0])
        self._bucketed = Bucketed(self._session, signature.input, "cuda") if self._name in BY_SHAPE else None

    def run(self, batch: U8) -> F32:
        """The model's log-probabilities for one batch, N from 1: float32 [N, K], or [N, T, K] of a sequence model.

        Raises DigitdError where a device fails.
        """
        if self._name == CPU:
            return self._run(batch)
        try:
            return self._bucketed.run(batch) if self._bucketed else self._run(batch)
        except Exception as error:  # ONNX Runtime's exceptions share no public base
            raise DigitdError(
                f"provider {self._name}: failed while running ({_reason(error)}); start again, or use --provider cpu"
            ) from None

    def _run(self, batch: U8) -> F32:
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
    return _card(path, _on_cpu(path, read_file(path), EngineConfig(CPU, threads=1)))


def threads_of(config: EngineConfig) -> int:
    return config.threads or usable_cores()


def session_options(config: EngineConfig) -> ort.SessionOptions:
    """Of a session on whatever provider. What is left as ONNX Runtime has it was measured: docs/providers.md."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads_of(config)
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(config.spinning)))
    return options


def _opened(path: Path, config: EngineConfig) -> tuple[ort.InferenceSession, str | None]:
    """The session, and why `auto` does without CUDA.

    A provider is asked for only where its device and its libraries are there, as far as can be told: ONNX Runtime
    prints a page of errors otherwise.
    """
    data = read_file(path)
    if config.provider == CPU:
        return _on_cpu(path, data, config), None
    name = CUDA if config.provider == AUTO else config.provider
    why = providers.missing(name)
    if why and config.provider != AUTO:
        raise ProviderError(f"provider {name}: {why}; or use --provider cpu")
    if why is None:
        session, why = _tried(name, data, config)
        if session is not None:
            return session, None
    on_cpu = _on_cpu(path, data, config)  # a file that does not open there either is to blame itself
    if config.provider != AUTO:
        raise ProviderError(f"provider {name}: {why}; or use --provider cpu")
    return on_cpu, why


def _tried(name: str, data: bytes, config: EngineConfig) -> tuple[ort.InferenceSession | None, str | None]:
    """The session on that provider, else why there is none."""
    stack = providers.stack(name, data, threads_of(config))
    ort.set_default_logger_severity(_FATAL)
    try:
        session = _session(data, config, stack)
    except Exception as error:
        return None, f"ONNX Runtime cannot start it ({_reason(error)})"
    got = [short_name(provider) for provider in session.get_providers()]
    if name not in got:
        return None, f"ONNX Runtime did not take it, and runs on {', '.join(got)} (`digitd doctor` may know more)"
    return session, None


def _on_cpu(path: Path, data: bytes, config: EngineConfig) -> ort.InferenceSession:
    try:
        return _session(data, config, providers.stack(CPU, data, threads_of(config)))
    except Exception as error:
        raise ModelError(
            f"{path}: not a model ONNX Runtime can open ({_reason(error)}); take a file written by `digitd export`"
        ) from None


def _session(data: bytes, config: EngineConfig, stack: list[tuple[str, dict[str, str]]]) -> ort.InferenceSession:
    # Of itself it would try other providers where one fails, and print that.
    return ort.InferenceSession(data, session_options(config), providers=stack, enable_fallback=0)


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]


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
            raise ModelError(f"{path}: model file cannot be read (it is no file); name a file")
        if about.st_size > LARGEST_FILE:
            mib = about.st_size >> 20
            raise ModelError(f"{path}: {mib} MiB is too large for a digit model; take a file of `digitd export`")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: model file cannot be read ({reason}); check its name") from None
