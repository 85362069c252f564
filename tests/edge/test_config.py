"""digitd.toml: what is loaded, what is said of faults, what is shown."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge import config as models
from edge.commands.config import effective
from edge.config import MAX_BYTES, Config, find, load
from edge.config_check import warnings
from edge.config_schema import descriptions, schema
from edge.errors import ConfigError
from edge.toml import dumps, places

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "configs" / "digitd.toml"
OPTION = re.compile(r"^#(?=[a-z_]+ = |\[)", re.MULTILINE)

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]


def everything() -> str:
    """The annotated file with all that it has commented out."""
    return OPTION.sub("", DEFAULT.read_text(encoding="utf-8"))


@pytest.fixture
def faults(tmp_path: Path) -> Callable[[str | bytes], list[str]]:
    """What is said of such a file, a line for each fault, after the file's name; [] where it can be loaded."""

    def said(text: str | bytes) -> list[str]:
        path = tmp_path / "digitd.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            load(path)
        except ConfigError as error:
            lines = str(error).split("\n")
            assert all(line.startswith(str(path)) for line in lines)
            return [line.removeprefix(str(path)).removeprefix(":") for line in lines]
        return []

    return said


def camera(text: str) -> str:
    return f'[cameras.desk]\nsource = "0"\n{text}\n'


# The annotated file


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


# Faults


def test_a_misspelt_key_is_told_with_its_line_and_the_nearest_key(faults: Callable[..., list[str]]) -> None:
    assert faults('# a comment\n\n[cameras.desk]\nsorce = "0"\nsource = "1"\n') == [
        "4: cameras.desk.sorce: no such key; did you mean source?"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '1: cameras: no camera; name one at least: [cameras.NAME] with source = "0"'),
        ("[cameras]", '1: cameras: no camera; name one at least: [cameras.NAME] with source = "0"'),
        ("\n[cameras.desk]\nloop = true", "2: cameras.desk.source: is missing; add it"),
        ("[cameras.desk]\nsource = 0", "2: cameras.desk.source: should be text in quotes"),
        ('[cameras.Desk]\nsource = "0"', "1: cameras.Desk: no such name; names are of small letters, digits"),
        (camera('rate = "30"'), "3: cameras.desk.rate: should be a number"),
        (camera("loop = 1"), "3: cameras.desk.loop: should be true or false"),
        (camera("rate = true"), "3: cameras.desk.rate: should be a number"),
        (camera("rate = inf"), "3: cameras.desk.rate: should be a number that is finite"),
        (camera("rate = 0"), "3: cameras.desk.rate: should be greater than 0"),
        (
            camera(r'user = "a\u0000b"'),
            "3: cameras.desk.user: holds a NUL character; take it out",
        ),
        (
            'state_directory = "/a\\u0000b"\n[cameras.desk]\nsource = "0"\n',
            "1: state_directory: holds a NUL character; take it out",
        ),
        (camera("exposure = 'manual'"), "3: cameras.desk.exposure: should be a number or 'auto'"),
        (camera("format = 'MPG'"), "3: cameras.desk.format: \"MPG\" is not known; allowed: 'MJPG' or 'YUYV'"),
        (camera("size = [640]"), "3: cameras.desk.size[1]: is missing; the list is too short"),
        (
            camera("view = {size = [640, 480]}"),
            "3: cameras.desk.view: either region = [x, y, width, height] or corners",
        ),
        (
            camera("[cameras.desk.fields.main]\n\npattern = '['"),
            "3: cameras.desk.fields.main: pattern '[' is no regular expression (unterminated",
        ),
        (
            camera("[cameras.desk.fields.main]\npattern = 'a{99999999999}'"),
            "3: cameras.desk.fields.main: pattern 'a{99999999999}' is no reg",
        ),
        (camera("[cameras.desk.fields.main]\nroll_over = true"), "3: cameras.desk.fields.main: roll_over needs length"),
        (
            camera("[cameras.desk.stabiliser]\nagre = 2"),
            "4: cameras.desk.stabiliser.agre: no such key; did you mean agree",
        ),
        (
            camera("[cameras.desk.stabiliser]\nzzz = 2"),
            "4: cameras.desk.stabiliser.zzz: no such key; known are agree, ",
        ),
        (camera("[camera.door]"), "3: camera: no such key; did you mean cameras?"),
        (camera("[sinks.a]\nformat = 'text'"), "3: sinks.a: type is missing; allowed: 'jsonl', 'mqtt', 'stdout'"),
        (camera("[sinks.a]\ntype = 'mqt'"), "4: sinks.a.type: \"mqt\" is not known; allowed: 'stdout', "),
        (camera("[sinks.a]\ntype = 'mqtt'\nhots = 'b'"), "3: sinks.a.host: is missing; add it"),
        (camera("[sinks.a]\ntype = 'webhook'\nurl = 'ftp://b'"), "5: sinks.a.url: begins with http:// or https://"),
        (camera("[sinks.a]\ntype = 'webhook'\nurl = 'http://:80'"), "5: sinks.a.url: names no host: "),
        (
            "[cameras.desk\n",
            "1: Expected ']' at the end of a table declaration (column 14); TOML's rules are at toml.io",
        ),
        ("a = 1\na = 2\n\n", "2: Cannot overwrite a value (column 6); TOML's rules are at toml.io"),
        (b"a = '\xff'", "1: is not UTF-8; save it in that encoding"),
        (f"a = {'[' * 3000}", " lists or tables lie too deep in each other; digitd.toml needs no such"),
        (f"a = {'9' * 5000}", " Exceeds the limit (4300 digits)"),
        (b"#" * (MAX_BYTES + 1), " is larger than 1 MiB, which no digitd.toml is; name another file"),
    ],
)
def test_each_fault_is_told_with_line_key_and_mend(
    faults: Callable[..., list[str]], text: str | bytes, expected: str
) -> None:
    assert faults(text)[0].startswith(expected)


def test_all_faults_are_told_at_once_by_line(faults: Callable[..., list[str]]) -> None:
    said = faults(camera('rate = -1\nformat = "RGB"') + "[modle]\n[outbox]\nmax_days = 0\n")
    assert [line.split(":")[0] for line in said] == ["3", "4", "5", "7"]


def test_hundreds_of_faults_are_counted(faults: Callable[..., list[str]]) -> None:
    said = faults(camera("\n".join(f"x{n} = 1" for n in range(300))))
    assert len(said) == 21 and said[-1] == " and 280 more faults"


def test_lines_are_right_behind_texts_and_lists_of_many_lines(faults: Callable[..., list[str]]) -> None:
    text = '[cameras.desk]\nsource = """\n[model]\nprovidre = 1\n"""\nsize = [\n  640, # ]\n  480,\n]\nrat = 3\n'
    assert faults(text) == ["10: cameras.desk.rat: no such key; did you mean rate?"]


def test_a_password_in_the_wrong_place_is_not_repeated(faults: Callable[..., list[str]]) -> None:
    for wrong in ('password = "hunter2"', 'password = {file = 5, value = "hunter2"}', 'password = ["hunter2"]'):
        (first, *_) = said = faults(camera(wrong))
        assert "hunter2" not in "".join(said)
        assert first.startswith("3: cameras.desk.password")


def test_a_fault_is_one_line_whatever_the_key_is(faults: Callable[..., list[str]]) -> None:
    assert len(faults(camera('"a\\nb\\u001b[31m" = 1'))) == 1


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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"\xef\xbb\xbf[cameras.a]\nsource='0'")
@example(b"cameras = 1\n[[sinks]]\n")
@example(b"[[cameras]]\nsource = 5\n")
def test_whatever_a_file_holds_it_loads_or_is_a_configuration_error(
    faults: Callable[..., list[str]], data: bytes
) -> None:
    assert all(len(line) < 2000 for line in faults(data))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_good_file_with_errors_in_it_loads_or_is_a_configuration_error(
    faults: Callable[..., list[str]], data: st.DataObject
) -> None:
    lines = everything().splitlines()
    odd = ["1", "-1", "''", "[]", "{}", "true", "nan", "1979-05-27T07:32:00Z", "[[1]]", "'auto'", "{a = 1}", "", "= ="]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        key, equals, _ = lines[at].partition("=")
        what = data.draw(st.sampled_from(["value", "delete", "double", "swap", "letter"]))
        if what == "value" and equals:
            lines[at] = f"{key}= {data.draw(st.sampled_from(odd))}"
        elif what == "delete":
            lines[at] = ""
        elif what == "double":
            lines.insert(at, lines[data.draw(st.integers(0, len(lines) - 1))])
        elif what == "swap" and at:
            lines[at], lines[at - 1] = lines[at - 1], lines[at]
        elif what == "letter" and lines[at]:
            cut = data.draw(st.integers(0, len(lines[at]) - 1))
            lines[at] = lines[at][:cut] + data.draw(st.characters(codec="utf-8")) + lines[at][cut + 1 :]
    for line in faults("\n".join(lines)):
        number = re.match(r"\d+", line)
        assert number is None or 1 <= int(number[0]) <= len(lines) + 1


# Places and writing


def test_places_are_those_of_the_first_mention() -> None:
    text = 'a.b = 1\na.c = {d = 2}\n\n[x."y z"]\nk = [\n1,\n]\n[[list]]\nl = 1\n'
    assert places(text) == {
        ("a",): 1,
        ("a", "b"): 1,
        ("a", "c"): 2,
        ("a", "c", "d"): 2,
        ("x",): 4,
        ("x", "y z"): 4,
        ("x", "y z", "k"): 5,
        ("list",): 8,
        ("list", "l"): 9,
    }


_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=8), _values | st.dictionaries(st.text(max_size=5), _values, max_size=3)))
def test_what_is_written_as_toml_is_read_back_the_same(document: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(document)) == document


# Showing and checking


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


def test_the_file_is_the_named_one_else_the_one_here_else_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find() == Path("/etc/digitd/digitd.toml")
    (tmp_path / "digitd.toml").touch()
    assert find() == Path("digitd.toml")
    assert find(tmp_path / "other.toml") == tmp_path / "other.toml"


def warned(text: str) -> list[str]:
    return list(warnings(Config.model_validate(tomllib.loads(text))))


def test_check_warns_of_a_secret_that_others_may_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    secret.chmod(0o640)
    text = f'[sinks.a]\ntype = "webhook"\nurl = "http://a"\nsecret = {{file = "{secret}"}}'
    assert warned(camera(text)) == [f"sinks.a.secret: others may read {secret}; chmod 600 it"]
    secret.chmod(0o600)
    assert warned(camera(text)) == []
    secret.unlink()
    assert warned(camera(text)) == [f"sinks.a.secret: {secret} is not there"]


def test_check_warns_of_a_credential_that_was_not_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[sinks.a]\ntype = "mqtt"\nhost = "a"\ntls = true\npassword = {credential = "mqtt-password"}'
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (warning,) = warned(camera(text))
    assert warning.startswith(
        "sinks.a.password: no credential mqtt-password; put it into /etc/credstore/digitd.mqtt-pass"
    )
    (tmp_path / "mqtt-password").touch()
    assert warned(camera(text)) == []


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ("", "sinks", "none, so readings go nowhere"),
        (
            "[cameras.b]\nsource='0'\n[sinks.a]\ntype='stdout'",
            "cameras.b.source",
            "is that of cameras.desk.source, too",
        ),
        ("[cameras.b]\nsource='/absent/film.avi'\n[sinks.a]\ntype='stdout'", "cameras.b.source", "is not there"),
        ("[model]\nrows='/absent.onnx'\n[sinks.a]\ntype='stdout'", "model.rows", "/absent.onnx is not there"),
        (
            "[sinks.a]\ntype='mqtt'\nhost='h'\n[sinks.b]\ntype='mqtt'\nhost='h'",
            "sinks.b.client_id",
            "too; they will be",
        ),
        ("[sinks.a]\ntype='mqtt'\nhost='h'\npassword={file='/etc/hostname'}", "sinks.a.password", "set tls = true"),
    ],
)
def test_check_warns_of_what_is_allowed_and_disappoints(text: str, key: str, what: str) -> None:
    assert any(warning.startswith(f"{key}: ") and what in warning for warning in warned(camera(text)))


# Schema and reference


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


def test_schema_and_default_are_printed(digitd: Digitd) -> None:
    assert json.loads(digitd("config", "schema").stdout) == schema()
    assert digitd("config", "default").stdout == DEFAULT.read_bytes()


def test_configurations_do_not_change() -> None:
    config = load(DEFAULT)
    with pytest.raises(ValueError, match="frozen"):
        config.model.threads = 2  # type: ignore[misc]
    assert effective(config)["cameras"]["desk"]["source"] == "0"
    assert models.StabiliserConfig() == config.cameras["desk"].stabiliser
