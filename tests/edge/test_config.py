"""digitd.toml: which file is loaded, what the annotated one says, and that every key is described."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge import config as models
from edge.commands.config import effective
from edge.config import Config, find, load
from edge.config_schema import descriptions, schema
from edge.errors import ConfigError
from edge.toml import places
from tests.edge.configs import DEFAULT, everything

ROOT = Path(__file__).parents[2]


def test_the_annotated_file_is_a_box_with_one_usb_camera() -> None:
    config = load(DEFAULT)
    assert {name: one.source for name, one in config.cameras.items()} == {"desk": "0"}
    assert {name: (one.type, one.format) for name, one in config.sinks.items()} == {"journal": ("stdout", "text")}


def test_what_the_annotated_file_sets_is_the_default() -> None:
    least = {"cameras": {"desk": {"source": "0"}}, "sinks": {"journal": {"type": "stdout"}}}
    assert load(DEFAULT) == Config.model_validate(least)


def test_the_annotated_file_loads_with_every_option_uncommented(tmp_path: Path) -> None:
    path = tmp_path / "digitd.toml"
    path.write_text(everything())
    config = load(path)
    assert set(config.cameras) == {"desk", "door"}
    assert [one.type for one in config.sinks.values()] == ["stdout", "jsonl", "mqtt", "webhook"]


def test_the_annotated_file_has_every_option_there_is() -> None:
    named = {key for path in places(everything()) for key in path} | set(re.findall(r"(\w+) = ", everything()))
    assert {key for keys in descriptions().values() for key in keys} <= named


def test_options_of_the_annotated_file_are_told_apart_from_its_prose() -> None:
    lines = DEFAULT.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"#(| .*|[a-z_]+ = .*|\[.*\])$", line) for line in lines if line.startswith("#"))


def test_the_file_is_the_named_one_else_the_one_here_else_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find() == Path("/etc/digitd/digitd.toml")
    (tmp_path / "digitd.toml").touch()
    assert find() == Path("digitd.toml")
    assert find(tmp_path / "other.toml") == tmp_path / "other.toml"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("absent.toml", "is not there; write one, `digitd config default` prints what to begin with"),
        (".", "is no file; name one with --config"),
        ("pipe", "is no file; name one with --config"),
        ("nul\0", "cannot be read (embedded null byte); let the user that runs digitd read it"),
        ("x" * 300, "cannot be read (File name too long); let the user that runs digitd read it"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_so_at_once(tmp_path: Path, name: str, expected: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=re.escape(expected)) as caught:
        load(tmp_path / name)
    assert caught.value.exit_code == 78


def test_every_key_is_described() -> None:
    tables = {"Config": schema()} | schema()["$defs"]
    bare = [
        (name, key)
        for name, table in tables.items()
        for key, one in table["properties"].items()
        if not one.get("description")
    ]
    assert bare == []
    assert "$schema" in schema()


def test_the_reference_is_that_of_the_models() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "config_reference.py", "--print"], capture_output=True, check=True, text=True
    )
    assert (ROOT / "docs" / "config.md").read_text(encoding="utf-8") == done.stdout, "run make docs"


def test_configurations_do_not_change() -> None:
    config = load(DEFAULT)
    with pytest.raises(ValueError, match="frozen"):
        config.model.threads = 2  # type: ignore[misc]
    assert effective(config)["cameras"]["desk"]["source"] == "0"
    assert models.StabiliserConfig() == config.cameras["desk"].stabiliser
