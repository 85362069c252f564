#!/usr/bin/python3
"""A real RTSP camera on loopback: GStreamer's RTSP server loops a folder of JPEGs, and misbehaves on demand.

    /usr/bin/python3 rtsp_camera.py FOLDER [--fps 15] [--codec h264|mjpeg] [--user NAME:PASSWORD]

It prints its URL once it listens. Commands, one a line on standard input, are each answered with their name once they
are done; the end of input ends it, so that it never outlives its test:

    stall   the connection stays, no more frames come
    freeze  the same frame again and again
    go      play on
    drop    close all connections, keep listening
    down    close them and stop listening
    up      listen again

Needs Debian's python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base, -good (jpeg, rtp), -ugly (x264enc) and,
for mjpeg, -bad. The JPEGs have one size, and for mjpeg are plain 4:2:0 ones, as cv2.imwrite makes them.
"""

import argparse
import pathlib
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

ENCODERS = {
    "mjpeg": "jpegparse ! rtpjpegpay name=pay0 pt=26",
    # sliced threads together with config-interval=-1 lose the first slice of each key frame (GStreamer 1.22)
    "h264": "jpegdec ! videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency sliced-threads=false "
    "speed-preset=ultrafast key-int-max={fps} ! rtph264pay name=pay0 pt=96 config-interval=1",
}


class Camera:
    def __init__(self, frames, fps, codec, user):
        self.frames, self.fps, self.mode = frames, fps, "go"
        self.feeds = []
        self.server = GstRtspServer.RTSPServer(address="127.0.0.1", service="0")
        factory = GstRtspServer.RTSPMediaFactory(shared=True)
        factory.set_launch(
            "( appsrc name=src is-live=true do-timestamp=true format=time max-buffers=2 leaky-type=downstream "
            f"caps=image/jpeg,framerate={fps}/1 ! {ENCODERS[codec].format(fps=fps)} )"
        )
        factory.connect("media-configure", self.configure)
        self.server.get_mount_points().add_factory("/cam", factory)
        if user:
            self.ask_for(user, factory)
        self.listen()
        self.server.set_service(str(self.server.get_bound_port()))  # the same port again after down, up
        self.url = f"rtsp://127.0.0.1:{self.server.get_service()}/cam"

    def ask_for(self, user, factory):
        auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        name, _, password = user.partition(":")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(name, password), token)
        self.server.set_auth(auth)
        role = "user,media.factory.access=true,media.factory.construct=true"
        factory.add_role_from_structure(Gst.Structure.from_string(role)[0])

    def configure(self, _, media):
        self.feeds[:] = [media.get_element().get_by_name("src")]  # shared: one at a time

    def listen(self):
        self.listening = self.server.attach(None)
        if not self.listening:
            sys.exit("the port is taken")

    def close_clients(self):
        self.server.client_filter(lambda *_: GstRtspServer.RTSPFilterResult.REMOVE)

    def feed(self):
        number, due = 0, time.monotonic()
        while True:
            due += 1 / self.fps
            time.sleep(max(0, due - time.monotonic()))
            if self.mode != "stall":
                for feed in self.feeds:
                    feed.emit("push-buffer", Gst.Buffer.new_wrapped(self.frames[number % len(self.frames)]))
                number += self.mode != "freeze"

    def obey(self, word):
        if word in ("stall", "freeze", "go"):
            self.mode = word
        elif word == "drop":
            self.close_clients()
        elif word == "down":
            GLib.source_remove(self.listening)
            self.close_clients()
        elif word == "up":
            self.listen()
        print(word, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--codec", choices=ENCODERS, default="h264")
    parser.add_argument("--user")
    asked = parser.parse_args()
    frames = [path.read_bytes() for path in sorted(asked.folder.glob("*.jpg"))] or sys.exit("no frames")
    Gst.init(None)
    loop = GLib.MainLoop()
    camera = Camera(frames, asked.fps, asked.codec, asked.user)

    def commands():
        for line in sys.stdin:
            GLib.idle_add(camera.obey, line.strip())
        GLib.idle_add(loop.quit)

    threading.Thread(target=camera.feed, daemon=True).start()
    threading.Thread(target=commands, daemon=True).start()
    print(camera.url, flush=True)
    loop.run()


main()
