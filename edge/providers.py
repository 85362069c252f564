"""ONNX Runtime's providers by short names: which can be had here, why one cannot, and how each is asked to run."""

import ctypes
import hashlib
import importlib.util
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path

import onnxruntime as ort

from edge.errors import ProviderError

AUTO, CPU, CUDA, TENSORRT, OPENVINO = "auto", "cpu", "cuda", "tensorrt", "openvino"

BY_SHAPE = frozenset({CUDA, TENSORRT})
"""Those that choose kernels, or build a whole engine, for each shape of batch that they meet."""

_BUILDS = {
    CUDA: "onnxruntime-gpu",
    TENSORRT: "onnxruntime-gpu",
    OPENVINO: "onnxruntime-openvino",
    "dml": "onnxruntime-directml",
}
_WINDOWS = os.name == "nt"


def short_name(provider: str) -> str:
    """`cuda` for `CUDAExecutionProvider`."""
    return provider.removesuffix("ExecutionProvider").lower()


def built_in() -> dict[str, str]:
    """ONNX Runtime's names, by short ones, of what it was built with. Not all of it can be had everywhere."""
    return {short_name(provider): provider for provider in ort.get_available_providers()}


def missing(name: str) -> str | None:
    """Why a provider cannot be had here, with the mend; None where it can, as far as can be told beforehand."""
    there = built_in()
    if name not in there:
        mend = f"pip install {_BUILDS[name]} in place of onnxruntime" if name in _BUILDS else "name one of those"
        return f"this ONNX Runtime, {ort.__version__}, does not have it but {', '.join(sorted(there))} ({mend})"
    if name == CUDA:
        return _without_device() or _without_cuda()
    if name == TENSORRT:
        return _without_device() or _without_cuda() or _without_tensorrt()
    return None


def is_cpu(name: str) -> bool:
    """Whether that provider, or what `auto` would take here, is the CPU."""
    return name == CPU or (name == AUTO and missing(CUDA) is not None)


def stack(name: str, model: bytes, threads: int) -> list[tuple[str, dict[str, str]]]:
    """What to ask ONNX Runtime for: the provider, those that take what it leaves, and how each is to run.

    threads: for providers that do not take the session's. Raises ProviderError where TensorRT's engines cannot be kept.
    """
    there = built_in()
    names = [name, *([CUDA] if name == TENSORRT else []), CPU]
    options: dict[str, Callable[[], dict[str, str]]] = {
        CUDA: _cuda_options,
        TENSORRT: lambda: _tensorrt_options(model),
        OPENVINO: lambda: {"num_of_threads": str(threads)},
    }
    return [(there[one], options.get(one, dict)()) for one in dict.fromkeys(names)]


def _cuda_options() -> dict[str, str]:
    """https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html

    Convolutions are chosen by cuDNN's heuristic: trying all of them, the default, is done anew for every shape, and
    rows come in any width. Memory grows by what is asked for, not by powers of two: others use the device, too. What is
    copied goes through the stream that computes, which is the default: without that there are races.
    """
    return {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}


def _tensorrt_options(model: bytes) -> dict[str, str]:
    """https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html

    Engines take minutes to build, so they are kept. They are kept by model, as ONNX Runtime tells one from another by
    the graph alone: one with other weights would be run with those of the first
    (https://github.com/microsoft/onnxruntime/issues/6455). What computes in halves is a model
    file of float16, not TensorRT's own choice.
    """
    kept_for = f"{hashlib.sha256(model).hexdigest()[:16]}-{ort.__version__}-{_tensorrt_version()}"
    folder = cache_folder() / "tensorrt" / kept_for
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ProviderError(
            f"provider {TENSORRT}: {folder}, where its engines are kept, cannot be made ({error.strerror}); "
            "set XDG_CACHE_HOME to a folder that can be written"
        ) from None
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }


def cache_folder() -> Path:
    """systemd's $CACHE_DIRECTORY, else digitd in $XDG_CACHE_HOME, else in ~/.cache."""
    if systemd := os.environ.get("CACHE_DIRECTORY", "").split(":")[0]:
        return Path(systemd)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # never raises
    return Path(home, "digitd")


def nvidia_driver() -> ctypes.CDLL | None:
    """NVIDIA's driver, where there is one."""
    try:
        return ctypes.CDLL("nvcuda.dll" if _WINDOWS else "libcuda.so.1")
    except OSError:
        return None


def _without_device() -> str | None:
    """Why there is no device that this ONNX Runtime's CUDA can run on, by the driver's own word."""
    driver = nvidia_driver()
    if driver is None:
        return "no NVIDIA driver on this machine (install the driver, then digitd[cuda])"
    count, knows = ctypes.c_int(), ctypes.c_int()
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if failed or count.value < 1:
        said = ctypes.c_char_p()
        driver.cuGetErrorString(failed, ctypes.byref(said))
        why = said.value.decode(errors="replace") if failed and said.value else f"error {failed}" if failed else "none"
        return f"the NVIDIA driver shows no device ({why}; `nvidia-smi` and CUDA_VISIBLE_DEVICES say more)"
    wanted = _cuda_major()
    driver.cuDriverGetVersion(ctypes.byref(knows))
    if wanted is not None and knows.value // 1000 < wanted:
        return (
            f"the NVIDIA driver is for CUDA {knows.value // 1000}, this ONNX Runtime for CUDA {wanted} "
            "(install a newer driver)"
        )
    return None


def _cuda_major() -> int | None:
    major = str(getattr(ort, "cuda_version", None) or "").partition(".")[0]
    return int(major) if major.isdigit() else None


def _without_cuda() -> str | None:
    """Loads CUDA's libraries; says which does not."""
    said = io.StringIO()
    try:
        with redirect_stdout(said):  # it raises nothing for a library that does not load, but prints
            ort.preload_dlls()
    except Exception as error:
        return _unloaded("CUDA's libraries", str(error), "digitd[cuda]")
    # With a path it is a wheel's, and the system's is tried next.
    if failed := re.search(r"^Failed to load [^/\\:]+: (.+)$", said.getvalue(), re.MULTILINE):
        return _unloaded("CUDA's libraries", failed[1], "digitd[cuda]")
    # ONNX Runtime leaves it out without a word, and looks for it at the first convolution.
    return _first_unloaded("CUDA's libraries", ["cudnn64_9.dll" if _WINDOWS else "libcudnn.so.9"], "digitd[cuda]")


def _without_tensorrt() -> str | None:
    """Loads TensorRT's libraries, those that ONNX Runtime was linked with."""
    names = list(_tensorrt_libraries())
    major = names[0].rpartition(".")[2] if names else ""
    wheel = f"tensorrt-cu{_cuda_major()}-libs=={major}.*" if names else "tensorrt"
    return _first_unloaded("TensorRT's libraries", names, wheel)


def _tensorrt_libraries() -> Iterator[str]:
    provider = Path(ort.__file__).parent / "capi" / "libonnxruntime_providers_tensorrt.so"
    if sys.platform == "linux" and provider.is_file():
        linked = re.findall(rb"\0(libnv(?:infer|onnxparser|infer_plugin)\.so\.\d+)(?=\0)", provider.read_bytes())
        yield from dict.fromkeys(name.decode() for name in linked)


def _tensorrt_version() -> str:
    for name in _tensorrt_libraries():
        if name.startswith("libnvinfer.so"):
            return str(_loaded(name).getInferLibVersion())
    return "0"


def _first_unloaded(what: str, names: list[str], wheel: str) -> str | None:
    for name in names:
        try:
            _loaded(name)
        except OSError as error:
            return _unloaded(what, str(error), wheel)
    return None


def _loaded(name: str) -> ctypes.CDLL:
    """From the wheel of it, where there is one, else from where the system looks."""
    wheel = importlib.util.find_spec("tensorrt_libs") if name.startswith("libnv") else None
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        if (Path(folder) / name).is_file():
            return ctypes.CDLL(str(Path(folder) / name))
    return ctypes.CDLL(name)


def _unloaded(what: str, why: str, wheel: str) -> str:
    return f"{what} do not load ({why.splitlines()[0] if why else 'no reason given'}; pip install '{wheel}')"
