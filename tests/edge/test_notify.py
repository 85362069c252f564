"""What the service tells systemd, read off a socket such as systemd's."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge import notify


@pytest.fixture(params=["path", "abstract"])
def heard(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], list[str]]]:
    """`heard()`: the lines of the next datagram; [] where there is none."""
    name = f"digitd-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0{name}" if request.param == "abstract" else name)
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if request.param == "abstract" else name)

        def receive() -> list[str]:
            try:
                return channel.recv(4096).decode().split("\n")
            except BlockingIOError:
                return []

        yield receive


def test_each_state_is_one_datagram_in_the_documentations_words(heard: Callable[[], list[str]]) -> None:
    notify.ready()
    notify.ready("2 cameras")
    notify.status("1 of 2 cameras online")
    notify.watchdog()
    notify.stopping()
    assert [heard() for _ in range(6)] == [
        ["READY=1"],
        ["READY=1", "STATUS=2 cameras"],
        ["STATUS=1 of 2 cameras online"],
        ["WATCHDOG=1"],
        ["STOPPING=1"],
        [],
    ]


def test_reloading_says_since_when_in_the_same_datagram(heard: Callable[[], list[str]]) -> None:
    before = time.monotonic_ns() // 1000
    notify.reloading("reading digitd.toml")
    state, since, status = heard()
    assert (state, status) == ("RELOADING=1", "STATUS=reading digitd.toml")
    name, _, value = since.partition("=")
    assert name == "MONOTONIC_USEC" and before <= int(value) <= time.monotonic_ns() // 1000


def test_a_status_is_one_line_and_not_longer_than_a_person_reads(heard: Callable[[], list[str]]) -> None:
    notify.status("lost\nREADY=1 \udcff")
    assert heard() == ["STATUS=lost\\x0aREADY=1 \\udcff"]
    notify.status("x" * 10_000)
    assert len(heard()[0]) == len("STATUS=") + notify.MAX_STATUS


@pytest.mark.parametrize(
    "address", [None, "", "relative", "/absent/socket", "@absent-digitd", "vsock:2:1", "/" + "x" * 200]
)
def test_nothing_happens_where_no_systemd_listens(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify.ready()
    notify.reloading()


def test_a_systemd_that_does_not_listen_holds_us_up_for_a_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "PATIENCE", 0.05)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        queue = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
        channel.setblocking(False)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                for _ in range(queue + 2):
                    other.sendto(b"x", str(tmp_path / "notify"))
        start = time.monotonic()
        notify.watchdog()
        assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("30000000", None, 30.0),
        ("500000", "ours", 0.5),
        ("30000000", "1", None),
        (None, None, None),
        ("0", None, None),
        ("-5", None, None),
        ("soon", None, None),
        ("30000000", "x", None),
    ],
)
def test_pings_are_wanted_from_the_process_that_is_named(
    usec: str | None, pid: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", str(os.getpid()) if pid == "ours" else pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert notify.watchdog_interval() == expected
