"""sd_notify(3): what a service tells systemd. Without systemd, or when it is gone, nothing happens.

By hand, as the packages for it are of 2017 (sdnotify), need libsystemd's headers (systemd-python), or cannot put
RELOADING and MONOTONIC_USEC into one datagram, as Type=notify-reload wants them (cysystemd, systemd-watchdog).
"""

import os
import socket
import time
from contextlib import suppress

from edge.text import printable

PATIENCE = 1.0  # seconds that a datagram may wait for a busy systemd
MAX_STATUS = 1000  # characters


def ready(text: str | None = None) -> None:
    """READY=1: start, or reload, is done; with STATUS=text in the same datagram."""
    _send("READY=1", *_status(text))


def status(text: str) -> None:
    """STATUS=text: one line for people, as `systemctl status` shows it."""
    _send(*_status(text))


def watchdog() -> None:
    """WATCHDOG=1: that the work goes on."""
    _send("WATCHDOG=1")


def reloading(text: str | None = None) -> None:
    """RELOADING=1 and, in the same datagram, MONOTONIC_USEC; `ready` has to follow."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    _send("RELOADING=1", f"MONOTONIC_USEC={now}", *_status(text))


def stopping(text: str | None = None) -> None:
    """STOPPING=1: the end has begun."""
    _send("STOPPING=1", *_status(text))


def watchdog_interval() -> float | None:
    """Seconds within which systemd wants each ping, of which half should pass between two; None where it wants none.

    As sd_watchdog_enabled(3) has it: from $WATCHDOG_USEC, unless $WATCHDOG_PID names another process.
    """
    try:
        interval = int(os.environ["WATCHDOG_USEC"])
        process = int(os.environ.get("WATCHDOG_PID") or os.getpid())
    except (KeyError, ValueError):
        return None
    return interval / 1e6 if interval > 0 and process == os.getpid() else None


def _status(text: str | None) -> tuple[str, ...]:
    return () if text is None else (f"STATUS={printable(text[:MAX_STATUS])}",)


def _send(*assignments: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # Linux' abstract namespace
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(PATIENCE)
        channel.sendto("\n".join(assignments).encode("utf-8", "backslashreplace"), address)
