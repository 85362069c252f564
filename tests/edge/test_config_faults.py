"""Each fault of a digitd.toml is told with its line, its key and the mend."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.config import MAX_BYTES, load
from edge.errors import ConfigError
from tests.edge.configs import camera, everything


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


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"\xef\xbb\xbf[cameras.a]\nsource='0'")
@example(b"cameras = 1\n[[sinks]]\n")
@example(b"[[cameras]]\nsource = 5\n")
def test_whatever_a_file_holds_it_loads_or_is_a_configuration_error(
    faults: Callable[..., list[str]], data: bytes
) -> None:
    assert all(len(line) < 2000 for line in faults(data))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
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
