"""Threads are as many as the cores that this process may keep busy."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.cores import usable_cores

ALLOWED = len(os.sched_getaffinity(0))
V1 = Path("/sys/fs/cgroup/cpu")

several = pytest.mark.skipif(ALLOWED < 2, reason="this process may use one core alone")


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Path]:
    """`process({"b": "50000 100000"}, "a/b")`: the folder in procfs of a process in group a/b, with what the files of
    version 2 say in each.
    """

    def make(quotas: dict[str, str], group: str, root: str = "/", version: int = 2) -> Path:
        point = tmp_path / "cgroup"
        for folder, quota in quotas.items():
            (point / folder).mkdir(parents=True, exist_ok=True)
            if version == 2:
                (point / folder / "cpu.max").write_text(quota + "\n")
            else:
                for file, number in zip(("cpu.cfs_quota_us", "cpu.cfs_period_us"), quota.split(), strict=True):
                    (point / folder / file).write_text(number + "\n")
        here = tmp_path / "self"
        here.mkdir()
        kind = "cgroup2 cgroup rw" if version == 2 else "cgroup cgroup rw,cpu,cpuacct"
        (here / "mountinfo").write_text(
            "21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
            f"30 21 0:26 {root} {tmp_path}/memory rw shared:4 - cgroup cgroup rw,memory\n"
            f"31 21 0:27 {root} {point} rw,nosuid shared:5 - {kind}\n"
        )
        (here / "cgroup").write_text(f"7:memory:/elsewhere\n3:cpu,cpuacct:{group}\n0::{group}\n")
        return here

    return make


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("quota", ["100000 100000", "50000 100000", "1000 100000"])
def test_a_quota_of_a_core_or_less_is_one(version: int, quota: str, process: Callable[..., Path]) -> None:
    assert usable_cores(process({"docker/7": quota}, "/docker/7", version=version)) == 1


@several
@pytest.mark.parametrize("version", [1, 2])
def test_a_core_and_a_half_are_two(version: int, process: Callable[..., Path]) -> None:
    assert usable_cores(process({"a": "150000 100000"}, "/a", version=version)) == 2


@pytest.mark.parametrize(("version", "quota"), [(1, "-1 100000"), (2, "max 100000"), (2, "9900000 100000")])
def test_no_quota_or_a_large_one_leaves_the_affinity(version: int, quota: str, process: Callable[..., Path]) -> None:
    assert usable_cores(process({"a": quota}, "/a", version=version)) == ALLOWED


@several
@pytest.mark.parametrize("version", [1, 2])
def test_a_group_above_bounds_too(version: int, process: Callable[..., Path]) -> None:
    quotas = {"slice": "80000 100000", "slice/unit": "500000 100000"}
    assert usable_cores(process(quotas, "/slice/unit", version=version)) == 1


@several
@pytest.mark.parametrize(("group", "tight"), [("/docker/7", "."), ("/docker/7/inner", "inner")])
def test_in_a_container_the_mount_begins_at_its_own_group(group: str, tight: str, process: Callable[..., Path]) -> None:
    quotas = {".": "max 100000", "inner": "max 100000"} | {tight: "50000 100000"}
    assert usable_cores(process(quotas, group, root="/docker/7")) == 1


@several
def test_a_group_out_of_the_containers_sight_is_not_guessed_at(process: Callable[..., Path]) -> None:
    assert usable_cores(process({".": "max 100000", "../9": "50000 100000"}, "/../9")) == ALLOWED


def test_without_control_groups_affinity_alone_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "no such") == ALLOWED


@several
def test_affinity_bounds_the_cores() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "from edge.cores import usable_cores; print(usable_cores())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


@pytest.fixture
def real_group() -> Iterator[Path]:
    if not os.access(V1 / "cgroup.procs", os.W_OK) or not (V1 / "cpu.cfs_quota_us").exists():
        pytest.skip("no control group of version 1 that this user may divide")
    group = V1 / f"digitd-{uuid.uuid4()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"control groups cannot be made here ({error.strerror})")
    yield group
    group.rmdir()


@several
def test_in_a_real_control_group_of_half_a_core_there_is_one(real_group: Path) -> None:
    (real_group / "cpu.cfs_quota_us").write_text("50000")
    script = 'echo $$ >"$1/cgroup.procs"; exec "$2" -c "from edge.cores import usable_cores; print(usable_cores())"'
    command = ["sh", "-c", script, "sh", real_group, sys.executable]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"
