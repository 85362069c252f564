"""Where pictures come from."""

from edge.sources import limits as limits  # first of all, before any module here imports OpenCV
