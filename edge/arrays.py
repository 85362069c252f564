"""The array types that pictures and their parts are handed round in."""

from typing import cast

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


def u8(array: object) -> U8:
    """`array`, for the type checker: OpenCV's stubs leave the dtype of what it returns open. Checks nothing."""
    return cast(U8, array)
