"""A provider is taken by its name where it can be had; where not, one line says why, and nothing else is printed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import providers
from edge.buckets import Bucketed, bucket, padded
from edge.engine import EngineConfig, session_options
from edge.errors import DigitdError, ProviderError
from edge.recogniser import LARGEST_BATCH, Recogniser, default_model
from edge.sequence import default_row_model

CPU = EngineConfig("cpu", threads=1)
SAMPLE = Path(providers.__file__).parent / "samples" / "four-digits.png"

Run = Callable[..., subprocess.CompletedProcess[str]]

without_cuda = pytest.mark.skipif(providers.missing("cuda") is None, reason="this machine has CUDA")
with_cuda = pytest.mark.skipif(providers.missing("cuda") is not None, reason="this machine has no CUDA")
built_for_cuda = pytest.mark.skipif(
    sys.platform != "linux" or "tensorrt" not in providers.built_in(),
    reason="this ONNX Runtime is built without CUDA or TensorRT",
)


def crops_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)


@pytest.fixture
def reads() -> Run:
    """`reads("cuda", LD_LIBRARY_PATH=...)`: `digitd read` of a sample by that provider."""

    def run(provider: str, **environment: str) -> subprocess.CompletedProcess[str]:
        code = "from edge.cli import main; main()"
        command = [sys.executable, "-c", code, "read", SAMPLE, "--provider", provider, "--format", "csv"]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)

    return run


@pytest.fixture
def library(tmp_path: Path) -> Callable[[str, str], Path]:
    """`library("libcuda.so.1", "int cuInit(...) {...}")`: a folder with a library of that C."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")

    def make(name: str, source: str = "") -> Path:
        (tmp_path / "source.c").write_text(source)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", tmp_path / name, tmp_path / "source.c"], check=True)
        return tmp_path

    return make


def driver(devices: int = 1, knows: int = 99000, fails: int = 0) -> str:
    """An NVIDIA driver, as far as it is asked."""
    return f"""
        int cuInit(unsigned flags) {{ return {fails}; }}
        int cuDeviceGetCount(int *count) {{ *count = {devices}; return 0; }}
        int cuDriverGetVersion(int *version) {{ *version = {knows}; return 0; }}
        int cuGetErrorString(int code, const char **said) {{ *said = "out of order"; return 0; }}
    """


def refused(done: subprocess.CompletedProcess[str], provider: str) -> str:
    """What is said where a provider was named and cannot be had: one line, exit code 78."""
    assert (done.returncode, done.stdout) == (78, "")
    (line,) = done.stderr.splitlines()
    assert f"provider {provider}: " in line and line.endswith("or use --provider cpu")
    return line


def on_the_cpu(done: subprocess.CompletedProcess[str]) -> str:
    """What is said where `auto` does without a device that is there: one line, and the sample is read."""
    assert done.returncode == 0 and ",2749," in done.stdout
    (line,) = done.stderr.splitlines()
    assert "reading on the CPU: " in line
    return line


@pytest.mark.parametrize("name", ["tpu", "", "CPUExecutionProvider"])
def test_a_provider_that_this_onnx_runtime_lacks_is_refused_with_those_it_has(name: str) -> None:
    with pytest.raises(ProviderError) as caught:
        Recogniser(None, EngineConfig(name))
    said = str(caught.value)
    assert said.startswith(f"provider {name}: this ONNX Runtime, {ort.__version__}, ") and "\n" not in said
    assert ", ".join(sorted(providers.built_in())) in said and said.endswith("or use --provider cpu")


def test_a_command_says_so_in_one_line(reads: Run) -> None:
    assert "does not have it" in refused(reads("tpu"), "tpu")


@pytest.mark.skipif("openvino" in providers.built_in(), reason="this ONNX Runtime has OpenVINO")
def test_a_provider_of_another_build_is_refused_with_that_builds_name() -> None:
    with pytest.raises(ProviderError, match="pip install onnxruntime-openvino"):
        Recogniser(None, EngineConfig("openvino"))


@pytest.mark.parametrize("name", sorted({*providers.built_in()} - {"cpu", "cuda", "tensorrt"}) or ["cpu"])
def test_a_provider_by_its_name_is_what_the_session_runs_on(name: str) -> None:
    there = Recogniser(None, EngineConfig(name, threads=1))
    assert providers.short_name(there.providers[0]) == name and there.note is None
    assert np.abs(there.log_probs(crops_of(9)) - Recogniser(None, CPU).log_probs(crops_of(9))).max() < 1e-2


@without_cuda
@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
def test_a_device_that_is_not_there_is_refused_with_the_mend(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ProviderError, match=rf"^provider {name}: .*install.*; or use --provider cpu$") as caught:
        Recogniser(None, EngineConfig(name))
    assert caught.value.exit_code == 78 and capfd.readouterr() == ("", "")


@without_cuda
def test_auto_takes_the_cpu_then_and_knows_why(capfd: pytest.CaptureFixture[str]) -> None:
    there = Recogniser()
    assert there.providers == ("CPUExecutionProvider",) and there.note == providers.missing("cuda")
    assert capfd.readouterr() == ("", "")


@with_cuda
def test_cuda_gives_what_the_cpu_gives() -> None:
    on_gpu, on_cpu = Recogniser(None, EngineConfig("cuda")), Recogniser(None, CPU)
    assert on_gpu.providers[0] == "CUDAExecutionProvider" and on_gpu.note is None
    for count in (1, 5, 64):
        assert np.abs(on_gpu.log_probs(crops_of(count)) - on_cpu.log_probs(crops_of(count))).max() < 1e-2


@built_for_cuda
@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"devices": 0}, "shows no device (none;"),
        ({"fails": 100}, "shows no device (out of order;"),
        ({"knows": 11040}, "is for CUDA 11, this ONNX Runtime for CUDA"),
    ],
    ids=str,
)
def test_a_driver_without_a_device_of_use_says_what_is_amiss(
    about: dict[str, int], why: str, library: Callable[..., Path]
) -> None:
    environment = {"LD_LIBRARY_PATH": str(library("libcuda.so.1", driver(**about)))}
    code = 'from edge.providers import missing; print(missing("cuda"), missing("tensorrt"), sep="\\n")'
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=True)
    cuda, tensorrt = done.stdout.splitlines()
    assert why in cuda and cuda == tensorrt and done.stderr == ""


@without_cuda
@built_for_cuda
@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_a_device_without_cudas_libraries_is_one_line(name: str, library: Callable[..., Path], reads: Run) -> None:
    done = reads(name, LD_LIBRARY_PATH=str(library("libcuda.so.1", driver())))
    said = on_the_cpu(done) if name == "auto" else refused(done, name)
    assert "CUDA's libraries do not load (lib" in said and "pip install 'digitd[cuda]'" in said


@pytest.fixture
def hollow_cuda(library: Callable[..., Path]) -> Path:
    """A driver, and libraries of the right names with nothing in them: all that can be looked for is there."""
    library("libcuda.so.1", driver())
    major = str(ort.cuda_version).partition(".")[0]
    for name in ("cublasLt", "cublas", "cudart", "cufft", "nvrtc"):
        library(f"lib{name}.so.{major}")
    return library("libcurand.so.10") and library("libcudnn.so.9")


@without_cuda
@built_for_cuda
@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_a_cuda_that_does_not_start_after_all_is_one_line(name: str, hollow_cuda: Path, reads: Run) -> None:
    done = reads(name, LD_LIBRARY_PATH=str(hollow_cuda))
    assert "did not take it" in (on_the_cpu(done) if name == "auto" else refused(done, name))


@without_cuda
@built_for_cuda
def test_tensorrt_without_its_libraries_is_one_line(hollow_cuda: Path, reads: Run) -> None:
    said = refused(reads("tensorrt", LD_LIBRARY_PATH=str(hollow_cuda)), "tensorrt")
    assert "TensorRT's libraries do not load (libnvinfer.so" in said and "pip install 'tensorrt-cu" in said


@pytest.fixture
def tensorrt(library: Callable[..., Path]) -> Callable[[str], str]:
    """`tensorrt("code")`: what Python prints that has libraries of TensorRT 10.16 to load."""

    def run(code: str, **environment: str) -> str:
        for name in providers._tensorrt_libraries():
            folder = library(name, "int getInferLibVersion(void) { return 101600; }")
        environment |= {"LD_LIBRARY_PATH": str(folder), "CACHE_DIRECTORY": ""}
        command = [sys.executable, "-c", f"from edge.providers import *\n{code}"]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=True).stdout

    return run


@built_for_cuda
def test_tensorrts_engines_are_kept_apart_by_the_models_bytes(tensorrt: Callable[..., str], tmp_path: Path) -> None:
    code = 'for model in (b"a", b"b", b"a"): print(stack("tensorrt", model, 1)[0][1]["trt_engine_cache_path"])'
    one, other, again = (Path(line) for line in tensorrt(code, XDG_CACHE_HOME=str(tmp_path)).splitlines())
    assert one == again != other
    assert one.is_dir() and one.parent == tmp_path / "digitd" / "tensorrt" and one.stat().st_mode & 0o77 == 0
    assert one.name.endswith(f"-{ort.__version__}-101600")


@built_for_cuda
def test_what_tensorrt_leaves_is_for_cuda_and_then_the_cpu(tensorrt: Callable[..., str], tmp_path: Path) -> None:
    code = 'print([short_name(provider) for provider, _ in stack("tensorrt", b"", 1)])'
    assert tensorrt(code, XDG_CACHE_HOME=str(tmp_path)) == "['tensorrt', 'cuda', 'cpu']\n"


@built_for_cuda
def test_where_engines_cannot_be_kept_is_one_line(tensorrt: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code = 'try: stack("tensorrt", b"", 1)\nexcept ProviderError as error: print(error)'
    said = tensorrt(code, XDG_CACHE_HOME=str(tmp_path / "file"))
    assert said.startswith(f"provider tensorrt: {tmp_path}/file/digitd/tensorrt/") and said.count("\n") == 1


def test_a_device_that_fails_while_reading_is_one_line() -> None:
    there = Recogniser(None, CPU)
    engine = there._engine
    engine._name, engine._bucketed = "cuda", Bucketed(engine._session, "crops", "no such device")
    with pytest.raises(DigitdError, match=r"^provider cuda: failed while running \(.+\); start again") as caught:
        there.log_probs(crops_of(3))
    assert caught.value.exit_code == 1 and "\n" not in str(caught.value)


@given(st.integers(1, LARGEST_BATCH))
def test_a_bucket_is_the_least_power_of_two_that_holds_the_batch(count: int) -> None:
    size = bucket(count)
    assert size in [2**n for n in range(13)] and size // 2 < count <= size


@given(st.integers(1, 40), st.integers(1, 30))
def test_padding_adds_paper_behind(count: int, width: int) -> None:
    batch = np.full((count, 32, width), 7, np.uint8)
    full = padded(batch)
    assert full.shape == (bucket(count), 32, width) and full.dtype == np.uint8
    assert (full[:count] == 7).all() and not full[count:].any()


@pytest.fixture(scope="module")
def sessions() -> dict[str, ort.InferenceSession]:
    files = {"crops": default_model(), "strips": default_row_model()}
    options = session_options(CPU)
    return {name: ort.InferenceSession(path, options, ["CPUExecutionProvider"]) for name, path in files.items()}


@settings(max_examples=20)
@given(st.sampled_from(["crops", "strips"]), st.integers(1, 20), st.integers(2, 40), st.integers(0, 2**32))
def test_answers_in_a_bucket_are_those_without_one(
    sessions: dict[str, ort.InferenceSession], kind: str, count: int, quarter: int, seed: int
) -> None:
    shape = (count, 28, 28) if kind == "crops" else (count, 32, 4 * quarter)
    batch = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    (plain,) = sessions[kind].run(["log_probs"], {kind: batch})
    bucketed = Bucketed(sessions[kind], kind, "cpu")
    for _ in range(2):
        out = bucketed.run(batch)
        assert out.shape == plain.shape and out.dtype == np.float32
        assert np.abs(out - plain).max() < 1e-3
    other = bucketed.run(255 - batch)  # from the same buffer, and what was given before stays as it was
    assert np.abs(out - plain).max() < 1e-3 and np.abs(other - plain).max() > 1e-3


def test_on_the_cpu_no_batch_is_padded() -> None:
    assert Recogniser(None, CPU)._engine._bucketed is None
