"""A file of whole lines, that grows no larger than it may, and survives being moved, cut short and filled up."""

import json
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from edge.config import JsonlSink
from edge.errors import ConfigError
from edge.events import Event
from edge.sinks import open_sink
from edge.sinks.jsonl import Jsonl


def event(number: int, pad: int = 0) -> Event:
    return Event(f"{number:026}", "gone", "cellar", 1.8e9, {"pad": "x" * pad})


def sink(path: Path, **options: Any) -> Jsonl:
    opened = open_sink("file", JsonlSink(type="jsonl", path=path, **options))
    assert isinstance(opened, Jsonl)
    return opened


def numbers(path: Path) -> list[int]:
    return [int(json.loads(line)["id"]) for line in path.read_bytes().splitlines()]


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    for start in (0, 2):
        opened = sink(path)
        opened.send([event(start), event(start + 1)])
        opened.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [event(n).to_json() for n in range(4)]


def test_a_line_that_a_crash_tore_off_is_ended_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"id": 1}\n{"id": 2, "ki')
    sink(path).send([event(2)])
    first, torn, whole = path.read_bytes().splitlines()
    assert (first, torn) == (b'{"id": 1}', b'{"id": 2, "ki')
    assert json.loads(whole) == event(2).to_json()


def test_a_file_that_has_grown_is_renamed_and_the_oldest_removed(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    opened = sink(path, max_megabytes=0.001, keep=2)
    for n in range(0, 12, 2):
        opened.send([event(n, 300), event(n + 1, 300)])
    files = {file.name: numbers(file) for file in tmp_path.iterdir()}
    assert files == {"out.jsonl": [10, 11], "out.jsonl.1": [8, 9], "out.jsonl.2": [6, 7]}
    assert all(file.stat().st_size <= 1000 for file in tmp_path.iterdir())


def test_one_batch_may_fill_several_files_and_one_event_may_be_larger_than_any(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink(path, max_megabytes=0.001, keep=9).send([event(n, 300) for n in range(5)] + [event(5, 5000), event(6)])
    files = [numbers(tmp_path / f"out.jsonl{suffix}") for suffix in (".4", ".3", ".2", ".1", "")]
    assert files == [[0, 1], [2, 3], [4], [5], [6]]


def test_with_none_kept_the_file_alone_is_there(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    opened = sink(path, max_megabytes=0.001, keep=0)
    for n in range(5):
        opened.send([event(n, 600)])
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"] and numbers(path) == [4]


@pytest.mark.parametrize("told", [True, False], ids=["with SIGHUP", "without"])
def test_a_file_that_logrotate_moved_is_begun_anew(tmp_path: Path, told: bool) -> None:
    path = tmp_path / "out.jsonl"
    opened = sink(path)
    opened.send([event(0)])
    path.rename(tmp_path / "moved")
    if told:
        opened.reopen()
    opened.send([event(1)])
    assert (numbers(tmp_path / "moved"), numbers(path)) == ([0], [1])
    path.unlink()
    opened.send([event(2)])
    assert numbers(path) == [2]


def test_what_cannot_be_opened_is_said_at_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, says in [
        (tmp_path / "no" / "out.jsonl", f"its folder does not exist; create it: mkdir -p {tmp_path}/no"),
        (tmp_path, "is a folder; name a file"),
        (tmp_path / "pipe", "it is no file"),
        (Path("/proc/out.jsonl"), "."),
    ]:
        with pytest.raises(ConfigError, match=rf"^sinks.file.path: {path}: .*{says}") as refused:
            sink(path)
        assert refused.value.exit_code == 78


def test_a_full_disk_leaves_no_half_of_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    script = f"""
        import resource
        from pathlib import Path
        from edge.config import JsonlSink
        from edge.events import Event
        from edge.sinks import SinkError, open_sink
        sink = open_sink("file", JsonlSink(type="jsonl", path=Path({str(path)!r})))
        event = lambda n: Event(f"{{n:026}}", "gone", "c", 1.8e9, {{"pad": "x" * 300}})
        sink.send([event(0)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, {resource.RLIM_INFINITY}))
        for _ in range(2):
            try:
                sink.send([event(1), event(2), event(3)])
            except SinkError as error:
                print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({resource.RLIM_INFINITY}, {resource.RLIM_INFINITY}))
        sink.send([event(1), event(2), event(3)])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60)
    assert (
        done.stdout.splitlines()
        == [f"{path}: cannot be written (File too large); mend its permissions, or free some space"] * 2
    ), done.stderr
    assert numbers(path) == [0, 1, 2, 3]
