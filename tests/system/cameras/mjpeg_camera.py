"""An MJPEG-over-HTTP camera on loopback, of the standard library: loops a folder of JPEGs, and misbehaves on demand.

    python3 mjpeg_camera.py FOLDER [--fps 15] [--user NAME:PASSWORD]

It prints its URL once it listens. Commands, one a line on standard input, are each answered with their name once they
are done; the end of input ends it:

    stall   the connection stays, no more frames come; a new one is not answered
    freeze  the same frame again and again
    go      play on
    drop    close all connections, keep listening
    down    close them and stop listening
    up      listen again
"""

import argparse
import base64
import contextlib
import pathlib
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--fps", type=float, default=15)
parser.add_argument("--user")
asked = parser.parse_args()
frames = [path.read_bytes() for path in sorted(asked.folder.glob("*.jpg"))] or sys.exit("no frames")
authorised = asked.user and "Basic " + base64.b64encode(asked.user.encode()).decode()
running, clients, start = threading.Event(), set(), time.monotonic()
running.set()
frozen = None


def number():
    return int((time.monotonic() - start) * asked.fps)


class Camera(BaseHTTPRequestHandler):
    def setup(self):
        clients.add(self.request)
        super().setup()

    def finish(self):
        clients.discard(self.request)
        super().finish()

    def log_message(self, *_):
        pass

    def do_GET(self):
        running.wait()
        if authorised and self.headers.get("Authorization") != authorised:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            while True:
                running.wait()
                jpeg = frames[(number() if frozen is None else frozen) % len(frames)]
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
                self.wfile.write(head + jpeg + b"\r\n")
                time.sleep(1 / asked.fps)
        except OSError:
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_):
        pass


def listen(port):
    server = Server(("127.0.0.1", port), Camera)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def drop():
    for client in list(clients):
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


server = listen(0)
port = server.server_port
print(f"http://127.0.0.1:{port}/cam.mjpg", flush=True)
for line in sys.stdin:
    word = line.strip()
    if word == "stall":
        running.clear()
    elif word == "freeze":
        frozen = number()
    elif word == "go":
        frozen = None
        running.set()
    elif word == "drop":
        drop()
    elif word == "down":
        server.shutdown()
        server.server_close()
        drop()
    elif word == "up":
        server = listen(port)
    print(word, flush=True)
