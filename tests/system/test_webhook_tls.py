"""The webhook sink and servers' certificates."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from edge.config import WebhookSink
from edge.events import Event
from edge.sinks import SinkError, open_sink
from tests.system.broker import certificates

EVENT = Event("01KJSJ5N000000000000000000", "gone", "cellar", 1.8e9, {})


@contextmanager
def server(folder: Path, got: list[str]) -> Iterator[str]:
    """The URL of one with the certificate in `folder`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.headers["Idempotency-Key"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    http = HTTPServer(("127.0.0.1", 0), Handler)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"https://localhost:{http.server_address[1]}/hook"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def test_a_server_is_trusted_by_the_given_ca_alone_and_by_its_name(tmp_path: Path, need: Callable[..., None]) -> None:
    need("openssl")
    got: list[str] = []
    for name, ca, trusted in [("localhost", True, True), ("localhost", False, False), ("elsewhere", True, False)]:
        folder = tmp_path / f"{name}-{ca}"
        folder.mkdir()
        certificates(folder, f"DNS:{name}")
        with server(folder, got) as url:
            config = WebhookSink(type="webhook", url=url, ca=folder / "ca.crt" if ca else None, timeout=5.0)
            office = open_sink("office", config)
            if trusted:
                office.send([EVENT])
                continue
            with pytest.raises(SinkError, match=r"cannot be trusted \(.+\); check its certificate and ca"):
                office.send([EVENT])
    assert got == [EVENT.id]
