"""What is written is there whole or not at all, and what cannot be is one line before any work."""

from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.recogniser import default_model
from export import cli
from export.writing import put, refuse_unwritable


def test_a_file_is_written_with_its_folder_and_nothing_beside_it(tmp_path):
    path = tmp_path / "new" / "a.onnx"
    put(path, b"one")
    put(path, b"two")
    assert path.read_bytes() == b"two" and list(path.parent.iterdir()) == [path]


def test_what_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.onnx").mkdir()
    with pytest.raises(ConfigError, match="cannot be written") as error:
        put(tmp_path / "a.onnx", b"one")
    assert "\n" not in str(error.value) and [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.parametrize("name", ["a.onnx", "file/a.onnx"])
def test_a_place_that_cannot_be_written_is_refused_beforehand(name, tmp_path):
    (tmp_path / "a.onnx").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as error:
        refuse_unwritable(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: cannot be written")


def test_a_place_that_can_be_written_is_left_as_it_is(tmp_path):
    refuse_unwritable(tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


NOWHERE = Path("/proc/nowhere/a.pt2")


@pytest.mark.parametrize("option", ["out", "program", "triton"])
def test_export_says_where_it_cannot_write_before_it_opens_the_checkpoint(option, tmp_path):
    place = {"out": tmp_path / "a.onnx"} | {option: NOWHERE}
    with pytest.raises(ConfigError, match="cannot be written"):
        cli.export(tmp_path / "absent.pt", **place)


def test_quantize_says_where_it_cannot_write_before_it_calibrates():
    with pytest.raises(ConfigError, match="cannot be written"):
        cli.quantize(default_model(), NOWHERE)
