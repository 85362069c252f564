"""How large a picture may be, for us and for OpenCV."""

import os

MAX_BYTES = 200 << 20  # of a picture file
MAX_SIDE = 20_000  # pixels
MAX_PIXELS = 100_000_000
MIN_SIDE = 12  # pixels; a digit needs about that many to be one

# OpenCV reads these once, when it is first imported: a second line behind the check of a file's header.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_WIDTH", str(MAX_SIDE))
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_HEIGHT", str(MAX_SIDE))
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
