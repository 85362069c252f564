"""How many cores this process may keep busy: by affinity, and by the quotas of the control groups that it is in."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

PROCESS = Path("/proc/self")


def usable_cores(process: Path = PROCESS) -> int:
    """At least 1. `--cpus 1.5` of a container and `CPUQuota=150%` of a unit are two: with one thread a third of what is
    allowed would lie idle. process: the folder of it in procfs (proc(5), cgroups(7)).
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(math.ceil(quota) for quota in _quotas(process))]))


def _quotas(process: Path) -> Iterator[float]:
    """In cores, of each control group that the process is in, and of those above it, as far as it sees them."""
    try:
        mounts = (process / "mountinfo").read_text(errors="surrogateescape").splitlines()
        groups = (process / "cgroup").read_text(errors="surrogateescape").splitlines()
    except OSError:  # no Linux
        return
    paths = {tuple(names.split(",")): path for _, names, path in (group.split(":", 2) for group in groups)}
    for mount in mounts:
        place, _, kind = mount.partition(" - ")
        root, point = place.split()[3:5]
        if kind.startswith("cgroup2 "):
            path = paths.get(("",))
        elif kind.startswith("cgroup "):
            path = next((path for names, path in paths.items() if "cpu" in names), None)
            if "cpu" not in kind.split()[-1].split(","):
                continue
        else:
            continue
        if path is None:
            continue
        # In a container the mount may begin below the machine's own root: what is above is not seen.
        below = Path(path.lstrip("/") if root == "/" else os.path.relpath(path, root))
        top = Path(point)
        group = top if ".." in below.parts else top / below
        while True:
            yield from _quota(group)
            if group == top:
                break
            group = group.parent


def _quota(group: Path) -> Iterator[float]:
    for files in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):  # version 2, version 1
        try:
            quota, period = " ".join((group / file).read_text() for file in files).split()
        except (OSError, ValueError):
            continue
        if quota not in ("max", "-1"):
            yield int(quota) / int(period)
