"""The log: to a socket such as the journal's, in its protocol, or in lines to standard error."""

import fcntl
import logging
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import journal
from edge.journal import CameraFormatter, JournalHandler, serialised

SCRIPT = """
import logging, sys
from edge.journal import setup_logging
setup_logging()
log = logging.getLogger("edge.watch")
log.debug("not said")
log.warning("gives no\\npictures \\x1b[31m", extra={"camera": "desk"})
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broke")
"""


def parsed(entry: bytes) -> dict[str, str]:
    """As the journal does it."""
    fields = {}
    while entry:
        line, _, entry = entry.partition(b"\n")
        key, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", entry[:8])
            value, end, entry = entry[8 : 8 + length], entry[8 + length : 9 + length], entry[9 + length :]
            assert end == b"\n"
        fields[key.decode()] = value.decode()
    return fields


@pytest.fixture
def received(tmp_path: Path) -> Iterator[Callable[[], dict[str, str]]]:
    """`received()`: the fields of the next entry that comes to tmp_path / "journal"."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "journal"))
        channel.settimeout(5)

        def receive() -> dict[str, str]:
            data, descriptors, _, _ = socket.recv_fds(channel, 1 << 20, 1)
            if not descriptors:
                return parsed(data)
            assert data == b""
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            assert fcntl.fcntl(descriptors[0], fcntl.F_GET_SEALS) == seals
            with os.fdopen(descriptors[0], "rb") as file:
                file.seek(0)
                return parsed(file.read())

        yield receive


@pytest.fixture
def log(tmp_path: Path) -> Iterator[logging.Logger]:
    handler = JournalHandler(str(tmp_path / "journal"))
    handler.setFormatter(CameraFormatter())
    logger = logging.Logger("edge.test", logging.DEBUG)
    logger.addHandler(handler)
    yield logger
    handler.close()


def test_an_entry_says_what_how_grave_where_and_of_which_camera(
    log: logging.Logger, received: Callable[[], dict[str, str]]
) -> None:
    log.warning("gives no %s", "pictures", extra={"camera": "desk"})
    entry = received()
    assert entry.pop("CODE_LINE").isdigit()
    assert entry == {
        "MESSAGE": "desk: gives no pictures",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "digitd",
        "CODE_FILE": __file__,
        "CODE_FUNC": "test_an_entry_says_what_how_grave_where_and_of_which_camera",
        "LOGGER": "edge.test",
        "CAMERA": "desk",
    }


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", "7"), ("info", "6"), ("warning", "4"), ("error", "3"), ("critical", "2")]
)
def test_levels_are_syslogs_priorities(
    log: logging.Logger, received: Callable[[], dict[str, str]], level: str, priority: str
) -> None:
    getattr(log, level)("hello")
    entry = received()
    assert entry["PRIORITY"] == priority and "CAMERA" not in entry


def test_a_message_too_large_for_a_datagram_comes_in_sealed_memory(
    log: logging.Logger, received: Callable[[], dict[str, str]]
) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    log.info("x" * 1_000_000)
    assert received()["MESSAGE"] == "x" * 1_000_000
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_fault_brings_its_traceback(log: logging.Logger, received: Callable[[], dict[str, str]]) -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        log.exception("line\nbreak")
    first, *_, last = received()["MESSAGE"].split("\n")
    assert first == "line\\x0abreak" and last == "ValueError: odd"


def test_a_journal_that_is_restarted_is_found_again_and_an_absent_one_is_no_error(
    log: logging.Logger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log.info("lost")
    for text in ("one", "two"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.bind(str(tmp_path / "journal"))
            channel.settimeout(5)
            log.info(text)
            assert parsed(channel.recv(4096))["MESSAGE"] == text
        (tmp_path / "journal").unlink()
    assert capfd.readouterr().err == ""


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True), st.text()))
def test_whatever_the_values_are_the_journal_reads_them_as_they_were(entry: dict[str, str]) -> None:
    assert parsed(serialised(entry)) == entry


def test_without_the_journal_each_record_is_a_line_on_standard_error() -> None:
    env = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=env).stderr.splitlines()
    assert said[:3] == [
        "digitd: desk: gives no\\x0apictures \\x1b[31m",
        "digitd: broke",
        "digitd: Traceback (most recent call last):",
    ]
    assert (
        all(line.startswith("digitd: ") for line in said) and said[-1] == "digitd: ZeroDivisionError: division by zero"
    )


def test_the_journal_is_chosen_where_standard_error_is_its_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = os.fstat(2)
    for stream, expected in ((f"{ours.st_dev}:{ours.st_ino}", True), (f"{ours.st_dev}:1", False), ("", False)):
        monkeypatch.setenv("JOURNAL_STREAM", stream)
        assert journal.stderr_is_journal() is expected
    monkeypatch.delenv("JOURNAL_STREAM")
    assert not journal.stderr_is_journal()
