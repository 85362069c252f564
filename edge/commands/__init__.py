"""The commands of `digitd`, one a module, each imported only when it runs."""

from edge.sources import limits as limits  # before any command imports OpenCV
