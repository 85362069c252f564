"""`digitd config` as its users meet it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config import load
from edge.config_schema import schema
from tests.edge.configs import DEFAULT, everything

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.mark.parametrize("text", [DEFAULT.read_text(encoding="utf-8"), everything()])
def test_what_is_shown_loads_to_the_same(digitd: Digitd, tmp_path: Path, text: str) -> None:
    path = tmp_path / "digitd.toml"
    path.write_text(text)
    shown = digitd("config", "show", path)
    assert shown.returncode == 0
    again = tmp_path / "shown.toml"
    again.write_bytes(shown.stdout)
    assert load(again) == load(path)


def test_a_password_within_a_url_is_neither_shown_nor_passed_over(digitd: Digitd, tmp_path: Path) -> None:
    path = tmp_path / "digitd.toml"
    path.write_text('[cameras.door]\nsource = "rtsp://bob:hunter2@door/stream"\n')
    checked, shown = digitd("config", "check", path), digitd("config", "show", path)
    assert b"hunter2" not in checked.stdout + shown.stdout
    assert b"rtsp://bob:***@door/stream" in shown.stdout
    assert b"WARNING  cameras.door.source: holds a password" in checked.stdout


def test_check_sums_up_a_good_file_and_ends_with_78_at_a_bad_one(digitd: Digitd, tmp_path: Path) -> None:
    good = digitd("config", "check", DEFAULT)
    assert good.returncode == 0
    assert good.stdout.decode().splitlines() == [f"ok       {DEFAULT}", "camera   desk: 0", "sink     journal: stdout"]
    path = tmp_path / "digitd.toml"
    path.write_text("[camera.a]\nsource = 1\n[modle]\n")
    bad = digitd("config", "check", path)
    assert bad.returncode == 78 and not bad.stdout
    assert [line.startswith(f"digitd: {path}:") for line in bad.stderr.decode().splitlines()] == [True] * 3


def test_schema_and_default_are_printed(digitd: Digitd) -> None:
    assert json.loads(digitd("config", "schema").stdout) == schema()
    assert digitd("config", "default").stdout == DEFAULT.read_bytes()
