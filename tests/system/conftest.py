"""Real parts: a program that is missing skips a test with a reason; where DIGITD_SYSTEM_TESTS=required it fails it."""

import os
import shutil
from collections.abc import Callable

import pytest

REQUIRED = os.environ.get("DIGITD_SYSTEM_TESTS") == "required"


@pytest.fixture(scope="session")
def need() -> Callable[..., None]:
    """`need("mosquitto")`: goes on where all these programs are there."""

    def check(*programs: str) -> None:
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
        missing = [program for program in programs if shutil.which(program, path=path) is None]
        if missing:
            absent(f"needs {', '.join(missing)}, which .ci/run installs")

    return check


def absent(reason: str) -> None:
    """Skips this test, or fails it where all parts have to be there."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)
