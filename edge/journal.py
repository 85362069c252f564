"""Where the daemon's log goes: to systemd's journal with its fields, else in plain lines to standard error.

The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) by hand: systemd-python needs libsystemd's headers,
and cysystemd's handler makes fields of whatever a record holds.

    log = logging.getLogger("digitd")
    log.warning("gives no pictures", extra={"camera": "desk"})     # MESSAGE=desk: gives no pictures, CAMERA=desk
"""

import errno
import fcntl
import logging
import os
import socket
import struct
import sys
from contextlib import suppress

from edge.text import ENCODING, ENCODING_ERRORS, printable

SOCKET = "/run/systemd/journal/socket"
PATIENCE = 1.0  # seconds that an entry may wait for a busy journal; then it is lost
IDENTIFIER = "digitd"


class JournalHandler(logging.Handler):
    """Sends records as journal entries. One that cannot be sent is lost: the log must not hold up the work."""

    def __init__(self, address: str = SOCKET) -> None:
        super().__init__()
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry = serialised(fields(record, self.format(record)))
        except Exception:
            self.handleError(record)
            return
        with suppress(OSError):
            self._send(entry)

    def close(self) -> None:
        self._socket.close()
        super().close()

    def _send(self, entry: bytes) -> None:
        try:
            self._socket.sendto(entry, self._address)  # by name each time: the journal may have been restarted
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            self._send_in_memory(entry)

    def _send_in_memory(self, entry: bytes) -> None:
        """For what is too large for a datagram: a sealed memfd, whose descriptor is sent."""
        memory = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with os.fdopen(os.dup(memory), "wb") as file:
                file.write(entry)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", memory))]
            self._socket.sendmsg([], rights, 0, self._address)
        finally:
            os.close(memory)


class LineHandler(logging.Handler):
    """`digitd: message`, a line each, to what `sys.stderr` is by then."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):
            if sys.stderr is not None:
                sys.stderr.write("".join(f"{IDENTIFIER}: {line}\n" for line in self.format(record).split("\n")))
                sys.stderr.flush()


class CameraFormatter(logging.Formatter):
    """Begins with the camera, where the record names one; the message itself is one line that moves no cursor."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        camera = getattr(record, "camera", None)
        return printable(f"{camera}: {record.message}" if camera else record.message)


def setup_logging(level: int = logging.INFO) -> None:
    """Sends what all loggers say to the journal if standard error is connected to it, else to standard error."""
    handler = JournalHandler() if stderr_is_journal() else LineHandler()
    handler.setFormatter(CameraFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def stderr_is_journal() -> bool:
    """Whether $JOURNAL_STREAM, as systemd.exec(5) has it, names what file descriptor 2 is: not so where a service's
    child has been sent elsewhere.
    """
    try:
        stream = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"


def fields(record: logging.LogRecord, message: str) -> dict[str, str]:
    """A journal entry (systemd.journal-fields(7))."""
    entry = {
        "MESSAGE": message,
        "PRIORITY": str(priority(record.levelno)),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        "CODE_FUNC": record.funcName or "",
        "LOGGER": record.name,
    }
    camera = getattr(record, "camera", None)
    return entry | {"CAMERA": str(camera)} if camera else entry


def priority(level: int) -> int:
    """syslog's: 7 debug, 6 info, 4 warning, 3 error, 2 critical."""
    for least, number in ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)):
        if level >= least:
            return number
    return 7


def serialised(entry: dict[str, str]) -> bytes:
    """KEY=value lines; a value with a line break comes after its length, as 64 bits, little-endian."""
    parts = []
    for key, text in entry.items():
        name, value = key.encode(), text.encode(ENCODING, ENCODING_ERRORS)
        simple = b"\n" not in value
        parts.append(
            b"%s=%s\n" % (name, value) if simple else b"%s\n%s%s\n" % (name, struct.pack("<Q", len(value)), value)
        )
    return b"".join(parts)
