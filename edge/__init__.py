"""digitd on the box: rows of digits from pictures to number strings.

`from edge import Reader; Reader().read(image)` is the whole front door. The names below load on first use, so that
`import edge` costs nothing and pulls in neither OpenCV nor ONNX Runtime before a picture is read.
"""

import os
from typing import TYPE_CHECKING

# ONNX Runtime would tell its makers of this machine, and leave a file of its own in the home folder.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from edge.reader import Reader
    from edge.row import Digit, Row, Separator

__all__ = ["Digit", "Reader", "Row", "Separator"]


def __getattr__(name: str) -> object:
    if name == "Reader":
        from edge.reader import Reader

        return Reader
    if name in ("Digit", "Row", "Separator"):
        from edge import row

        return getattr(row, name)
    raise AttributeError(f"module 'edge' has no attribute {name!r}")
