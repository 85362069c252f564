"""The webhook sink with a real server on loopback, one that is busy, hangs, moves, and is not to be trusted."""

import json
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge.config import Secret, WebhookSink
from edge.errors import ConfigError
from edge.events import Event
from edge.outbox import Outbox
from edge.sinks import SinkError, open_sink
from edge.sinks.delivery import Delivery
from edge.sinks.webhook import Webhook, signature

DOC = Path(__file__).parents[3] / "docs" / "webhook.md"


def event(number: int) -> Event:
    return Event(f"{number:026}", "gone", "cellar", 1.8e9, {"why": "ö"})


class Server:
    """answers: what the next requests get, each once, then 204. got: (headers, body) of each request."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.connections = 0
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                (outer.answers.pop(0) if outer.answers else status(204))(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        if context is not None:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        self.url = f"{'https' if context else 'http'}://localhost:{self.port}/hook?token=t0ken"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for _, body in self.got]

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name, value)
        if code != 204:
            request.send_header("Content-Length", "2")
        request.end_headers()
        if code != 204:
            request.wfile.write(b"{}")

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def sink(server: Server | str, **options: Any) -> Webhook:
    url = server if isinstance(server, str) else server.url.replace("localhost", "127.0.0.1")
    opened = open_sink("office", WebhookSink(type="webhook", url=url, **{"timeout": 1.0, **options}))
    assert isinstance(opened, Webhook)
    return opened


def test_each_event_is_a_post_of_its_own_in_order_over_one_connection(server: Server) -> None:
    sink(server).send([event(1), event(2), event(3)])
    assert [json.loads(body) for _, body in server.got] == [event(n).to_json() for n in (1, 2, 3)]
    headers, _ = server.got[1]
    assert headers["Content-Type"] == "application/json" and headers["Idempotency-Key"] == event(2).id
    assert "Digitd-Signature" not in headers
    assert server.connections == 1


def test_the_documented_check_accepts_the_signature_and_nothing_else(server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    sink(server, secret=Secret(file=tmp_path / "secret")).send([event(1)])
    (code,) = re.findall(r"^```python\n(.*?)^```$", DOC.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    documented: dict[str, Any] = {}
    exec(code, documented)  # noqa: S102  # it is ours
    check = documented["is_from_digitd"]
    headers, body = server.got[0]
    signed = headers["Digitd-Signature"]
    assert check(b"s3cret", signed, body)
    assert not check(b"other", signed, body)
    assert not check(b"s3cret", signed, body + b" ")
    assert not check(b"s3cret", signed.replace("t=1", "t=2"), body)
    assert not check(b"s3cret", signature(b"s3cret", body, int(time.time()) - 301), body)
    for nonsense in ("", "t=1", "v1=", "t=,v1=", "t=x,v1=00", "ö"):
        assert not check(b"s3cret", nonsense, body)


def test_the_body_in_the_text_has_the_keys_of_a_reading() -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```$", DOC.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    from edge.events import Reading
    from edge.row import Row

    row = Row("1", 1.0, (), ((0, 0), (1, 0), (1, 1), (0, 1)))
    known = Reading("01KJSJ5N000000000000000000", 1.8e9, "cellar", 1, "water", "1", "1", 1.0, "ok", row, "rows")
    assert list(json.loads(block)) == list(known.event().to_json())


@pytest.mark.parametrize(
    ("code", "says", "loud"),
    [
        (503, "does not take events now (503)", False),
        (429, "does not take events now (429)", False),
        (408, "does not take events now (408)", False),
        (425, "does not take events now (425)", False),
        (400, "refuses an event (400); it is offered again", True),
        (401, "refuses an event (401); it is offered again; check secret", True),
        (404, "refuses an event (404); it is offered again; check url", True),
    ],
)
def test_an_answer_that_is_no_yes_is_an_error_to_be_tried_again(
    server: Server, code: int, says: str, loud: bool
) -> None:
    server.answers = [status(code)]
    office = sink(server)
    with pytest.raises(SinkError) as refused:
        office.send([event(1), event(2)])
    assert str(refused.value) == f"http://127.0.0.1:{server.port}: {says}" and refused.value.loud is loud
    office.send([event(1)])
    assert server.ids() == [event(1).id] * 2 and server.connections == 1


def test_a_redirect_is_followed_nowhere(server: Server) -> None:
    other = Server()
    server.answers = [status(307, Location=f"http://u:p@localhost:{other.port}/x")]
    with pytest.raises(SinkError, match=rf"redirects to http://localhost:{other.port} \(307\)") as refused:
        sink(server).send([event(1)])
    assert refused.value.loud and other.got == []
    other.close()


def test_what_is_in_the_urls_path_is_never_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers = [status(500), lambda request: request.connection.close()]
    office = sink(server)
    for _ in range(2):
        with pytest.raises(SinkError) as error:
            office.send([event(1)])
        assert "t0ken" not in str(error.value) and "hook" not in str(error.value)
        assert error.value.__suppress_context__ or error.value.__context__ is None
    assert "t0ken" not in caplog.text and "t0ken" not in repr(office)


def test_a_server_that_hangs_is_left_in_time(server: Server) -> None:
    go_on = threading.Event()
    server.answers = [lambda request: go_on.wait(60) and None]
    before = time.monotonic()
    with pytest.raises(SinkError, match=r"did not answer in 0.3 s"):
        sink(server, timeout=0.3).send([event(1)])
    assert time.monotonic() - before < 10
    go_on.set()


def test_an_endless_answer_is_not_read(server: Server) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(1 << 40))
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"x" * 65536)
        except OSError:
            pass

    server.answers = [endless]
    office = sink(server)
    office.send([event(1), event(2)])
    assert server.ids() == [event(1).id, event(2).id]


def test_a_server_that_ends_a_kept_connection_costs_a_try_at_most(server: Server) -> None:
    def last(request: BaseHTTPRequestHandler) -> None:
        status(204)(request)
        request.close_connection = True

    server.answers = [last]
    office = sink(server)
    office.send([event(1)])
    time.sleep(0.05)
    office.send([event(2)])
    assert server.ids() == [event(1).id, event(2).id]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/", r"^http://127.0.0.1:1: cannot be reached \(Connection refused\)$"),
        ("http://no-such-host.invalid/", "its name is not known; check url and the network"),
    ],
)
def test_a_server_that_is_not_there_is_one_line(url: str, says: str) -> None:
    with pytest.raises(SinkError, match=says):
        sink(url).send([event(1)])


def test_nobody_at_the_other_end_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SinkError, match=r"did not answer in 0.2 s"):
        sink(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.2).send([event(1)])


def test_nonsense_instead_of_http_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def answer() -> None:
            one, _ = odd.accept()
            with one:
                one.recv(10_000)
                one.sendall(b"220 mail server ready\r\n\r\n" * 3)

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(SinkError, match=r"^http://127.0.0.1:\d+: [^\n]+$"):
            sink(f"http://127.0.0.1:{odd.getsockname()[1]}/").send([event(1)])


def test_what_can_never_work_is_refused_at_once(tmp_path: Path) -> None:
    for url, options, says in [
        ("https://user:pw@host/", {}, "a user and password in it are not sent"),
        ("https://host/", {"ca": tmp_path / "none.crt"}, "name a PEM file"),
        ("https://host/", {"secret": Secret(file=tmp_path / "none")}, "does not exist"),
    ]:
        with pytest.raises(ConfigError, match=rf"^sinks.office.\w+: .*{says}") as refused:
            sink(url, **options)
        assert ":pw@" not in str(refused.value)


def test_busy_refusing_and_hanging_in_turn_every_event_arrives_in_order(server: Server, tmp_path: Path) -> None:
    def cut(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True

    server.answers = [status(503), status(204), cut, status(400), status(204), lambda _: time.sleep(0.4), status(302)]
    box = Outbox(tmp_path / "outbox.db", clock=lambda: 1.8e9)
    box.keep_only(["office"])
    box.put([event(n) for n in range(6)])
    delivery = Delivery(sink(server, timeout=0.2), box, longest_pause=0.02)
    delivery.start()
    end = time.monotonic() + 10
    while delivery.waiting and time.monotonic() < end:
        time.sleep(0.01)
    assert list(dict.fromkeys(server.ids())) == [event(n).id for n in range(6)]
    assert server.ids() == sorted(server.ids()), "none before one that was not taken"
    assert len(server.ids()) == 6 + 5
    assert delivery.stop(2)
    box.close()
