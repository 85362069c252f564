"""The daemon, run until it has read so many pictures; then what it holds is printed, beside what it held after a tenth.

python soak.py digitd.toml 18000
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from edge.daemon import Daemon
from edge.reader import Reader


def held() -> dict[str, int]:
    """Resident bytes, threads and open descriptors of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "bytes": pages * os.sysconf("SC_PAGE_SIZE"),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "files": len(list(Path("/proc/self/fd").iterdir())),
    }


class Counting(Reader):
    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)
        self.left = int(sys.argv[2])
        self.tenth = self.left - self.left // 10

    def read_all(self, images, alternatives=0):
        rows = super().read_all(images, alternatives)
        self.left -= len(images)
        if self.left <= self.tenth:
            self.tenth = -1
            print(json.dumps(held()), flush=True)
        if self.left == 0:
            print(json.dumps(held() | {"names": sorted(one.name for one in threading.enumerate())}), flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
        return rows


if __name__ == "__main__":
    import edge.reader

    edge.reader.Reader = Counting
    sys.exit(Daemon(Path(sys.argv[1])).run())
