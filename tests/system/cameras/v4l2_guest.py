"""Within v4l2_vm.sh: a capture of the camera named, while `vivid` has that freeze, stall, vanish and return.

Prints each state as it comes; ends with 1 where one does not.
"""

import logging
import subprocess
import sys
import threading

from edge.config import CameraConfig
from edge.sources.capture import Capture

changed = threading.Condition()
frames = 0


def on_frame() -> None:
    global frames
    frame = capture.newest()
    with changed:
        frames += frame is not None
        changed.notify_all()


def on_state(state: str, why: str) -> None:
    print(f"{state}: {why}", flush=True)
    with changed:
        changed.notify_all()


def until(state: str, words: str = "") -> None:
    with changed:
        if not changed.wait_for(lambda: capture.state == state and words in capture.why, 60):
            sys.exit(f"FAILED: waited for {state} {words!r}, is {capture.state}: {capture.why}")


def until_frames(more: int) -> None:
    with changed:
        wanted = frames + more
        if not changed.wait_for(lambda: frames >= wanted, 60):
            sys.exit(f"FAILED: {frames} frames, wanted {wanted}")


def vivid(word: str) -> None:
    print(f"> {word}", flush=True)
    subprocess.run(["vivid", word], check=True)


logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="said: %(message)s")
config = CameraConfig(
    source=sys.argv[1], size=(640, 480), format="YUYV", focus=3, open_timeout=5, read_timeout=2
)  # vivid has no focus
capture = Capture("desk", config, on_frame, on_state)
capture.start()
until("online", "640x480")
until_frames(20)
vivid("freeze")
until("frozen")
vivid("go")
until("online")
vivid("black")
until("dark")
vivid("go")
until("online")
vivid("stall")
until("lost", "gives no pictures")
vivid("go")
until("online")
vivid("lose")
until("lost")
until("online")
vivid("unplug")
until("lost", "plug it in")
vivid("plug")
until("online")
until_frames(5)
capture.stop()
print("all seen", flush=True)
