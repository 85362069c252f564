"""Batches of few sizes, for providers that choose kernels, or build an engine, for each size that they meet."""

from functools import lru_cache

import numpy as np
import onnxruntime as ort

from edge.arrays import F32, U8

_KEPT = 32  # buffers on the device, of the shapes met last; crops come in 13, of 3 MB at most


def bucket(count: int) -> int:
    """The least power of two that is no less than `count`, from 1."""
    return 1 << (count - 1).bit_length()


def padded(batch: U8) -> U8:
    """uint8 [N, ...] with paper behind, [bucket(N), ...]. Only the number is padded: what stands beside a row changes
    what is read at its ends, what stands in another row of the batch does not.
    """
    out = np.zeros((bucket(len(batch)), *batch.shape[1:]), np.uint8)
    out[: len(batch)] = batch
    return out


class Bucketed:
    """Runs a session on padded batches that lie on the device, in buffers that stay where they are.

    input: the name of what the session takes; device: in ONNX Runtime's names, "cuda" or "cpu".
    CUDA graphs are not used: they want one shape each, and rows come in any width; `benchmarks.gpu` says what they are
    worth for single digits.
    """

    def __init__(self, session: ort.InferenceSession, input: str, device: str) -> None:
        self._session, self._input, self._device = session, input, device
        self._buffer = lru_cache(_KEPT)(
            lambda shape: ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, device)
        )

    def run(self, batch: U8) -> F32:
        """As `Engine.run`, N from 1."""
        full = padded(batch)
        buffer = self._buffer(full.shape)
        buffer.update_inplace(full)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._input, buffer)
        binding.bind_output("log_probs", self._device)
        self._session.run_with_iobinding(binding)
        out: F32 = binding.copy_outputs_to_cpu()[0][: len(batch)]
        return out
