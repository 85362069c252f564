"""`digitd model` as its users meet it: what is promoted is read with, until it is taken back."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.cli import main
from edge.model_card import REJECT
from edge.model_store import shipped
from edge.recogniser import default_model
from edge.sequence import BLANK
from tests.edge.daemons import SAMPLES, Service, put

SAMPLE = SAMPLES / "four-digits.png"
LETTERS = (*"JABCDEFGHI", REJECT)

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def here(digitd: Digitd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Digitd:
    """`digitd` with a folder of promoted models of its own; `digitd model` within this process, for speed."""
    monkeypatch.setenv("DIGITD_MODELS", str(tmp_path / "models"))

    def run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        if arguments[0] != "model":
            return digitd(*arguments)
        monkeypatch.setattr(sys, "argv", ["digitd", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return subprocess.CompletedProcess(sys.argv, code, said.out.encode(), said.err.encode())

    return run


@pytest.fixture
def letters(with_card: Callable[..., Path]) -> Path:
    return with_card(default_model(), "letters.onnx", name="letters", labels=LETTERS)


def out(done: subprocess.CompletedProcess[bytes], code: int = 0) -> str:
    assert (done.returncode, done.stderr) == (code, b"")
    return done.stdout.decode()


def refused(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (code, b"") and line.startswith("digitd: ")
    return line


def text_read(done: subprocess.CompletedProcess[bytes]) -> str:
    (row,) = json.loads(out(done))["rows"]
    return str(row["text"])


def test_what_is_promoted_is_read_with_until_it_is_taken_back(here: Digitd, letters: Path) -> None:
    read = ("read", SAMPLE, "--format", "jsonl")
    assert text_read(here(*read)) == "2749"
    assert "digits-0001.onnx" in out(here("model", "promote", letters))
    letters.unlink()
    assert text_read(here(*read)) == "BGDI"
    assert text_read(here(*read, "--model", default_model())) == "2749"  # what is named comes first
    assert str(default_model()) in out(here("model", "rollback"))
    assert text_read(here(*read)) == "2749"
    assert "shipped model is in use" in refused(here("model", "rollback"), 2)


def test_the_list_shows_what_is_in_use_and_what_was(here: Digitd, letters: Path, tmp_path: Path) -> None:
    _, *lines = out(here("model", "list")).splitlines()[1:]
    assert [line.split()[:4] for line in lines] == [
        ["in", "use", "digits", "digits"],
        ["in", "use", "rows", "rows-noughts"],
    ]
    here("model", "promote", letters)
    listed = out(here("model", "list"))
    assert str(tmp_path / "models") in listed.splitlines()[0]
    used = next(line for line in listed.splitlines() if " letters " in line)
    assert re.search(
        r"^in use +digits +letters +\d{4}-\d\d-\d\d \d\d:\d\d UTC +[0-9a-f]{12} .*mnist test 99\.51%", used
    )
    told = json.loads(out(here("model", "list", "--json")))
    assert [(one["kind"], one["name"], one["state"], one["shipped"]) for one in told] == [
        ("digits", "letters", "in use", False),
        ("digits", "digits", "earlier", True),
        ("rows", "rows-noughts", "in use", True),
    ]
    assert told[0]["labels"] == list(LETTERS) and len(told[0]["sha256"]) == 64
    here("model", "rollback")
    assert json.loads(out(here("model", "list", "--json")))[0]["state"] == "taken back"


def test_a_folder_named_on_the_command_line_is_another(here: Digitd, letters: Path, tmp_path: Path) -> None:
    other = tmp_path / "service"
    said = out(here("model", "promote", letters, "--folder", other))
    assert "systemctl reload digitd" in said and (other / "digits-0001.onnx").exists()
    assert " letters " not in out(here("model", "list"))
    assert " letters " in out(here("model", "list", "--folder", other))
    assert "systemctl reload digitd" in out(here("model", "rollback", "--folder", other))
    assert "taken back" in out(here("model", "list", "--folder", other))


def test_the_same_model_again_changes_nothing(here: Digitd, letters: Path) -> None:
    here("model", "promote", letters)
    assert "in use already" in out(here("model", "promote", letters))


def test_a_model_that_reads_worse_is_refused_with_both_figures(here: Digitd, with_card: Callable[..., Path]) -> None:
    worse = with_card(default_model(), "worse.onnx", accuracies={"mnist test": 0.9})
    assert "mnist test 90.00% against 99.51%" in refused(here("model", "promote", worse), 78)
    out(here("model", "promote", worse, "--force"))


def test_a_file_that_is_no_model_is_refused_in_one_line(here: Digitd, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes((SAMPLES / "photo.jpg").read_bytes())
    assert "photo.jpg" in refused(here("model", "promote", tmp_path / "photo.jpg"), 78)
    assert "cannot be read" in refused(here("model", "promote", tmp_path / "absent.onnx"), 78)
    assert not (tmp_path / "models").exists()


def test_a_promoted_model_that_broke_is_named_with_the_way_back(here: Digitd, letters: Path, tmp_path: Path) -> None:
    here("model", "promote", letters)
    (tmp_path / "models" / "digits-0001.onnx").write_bytes(b"")
    said = refused(here("read", SAMPLE), 78)
    assert "digits-0001.onnx" in said and said.endswith("`digitd model rollback digits`")
    assert "digitd model rollback digits" in here("doctor").stdout.decode()
    assert "not a model" in out(here("model", "list"))
    out(here("model", "rollback"))
    out(here("read", SAMPLE))


def test_doctor_says_which_models_are_in_use_and_where_they_are_from(here: Digitd, letters: Path) -> None:
    facts = json.loads(out(here("doctor", "--json", "--provider", "cpu")))["facts"]
    assert facts["model"]["origin"] == facts["row_model"]["origin"] == "shipped"
    here("model", "promote", letters)
    report = json.loads(out(here("doctor", "--json", "--provider", "cpu")))
    assert report["facts"]["model"]["origin"] == "promoted" and report["facts"]["model"]["card"]["name"] == "letters"
    said = [(one["topic"], one["level"], one["what"]) for one in report["findings"]]
    digits, rows = [what for topic, level, what in said if (topic, level) == ("model", "ok")]
    assert "digits-0001.onnx (promoted, " in digits and "rows-int8.onnx (shipped, " in rows
    notes = {topic: what for topic, level, what in said if level == "note"}
    assert "character by character" in notes["model"] and "left out" in notes["self-test"]
    facts = json.loads(out(here("doctor", "--json", "--provider", "cpu", "--model", default_model())))["facts"]
    assert facts["model"]["origin"] == "named" and facts["self_test"]["wrong"] == []


def test_live_reads_with_what_is_promoted(here: Digitd, with_card: Callable[..., Path], letters: Path) -> None:
    here("model", "promote", letters)
    here("model", "promote", with_card(shipped("rows"), "rows.onnx", name="rows2", labels=(BLANK, *LETTERS[:-1])))
    done = here("live", "--source", SAMPLES / "video.avi", "--no-window", "--format", "jsonl")
    events = [json.loads(line) for line in done.stdout.decode().splitlines()]
    readings = [one for one in events if one["kind"] == "reading"]
    assert readings and {one["model"] for one in readings} == {"rows2"}
    assert all(set(one["text"]) <= {*LETTERS, "?"} for one in readings)


def test_a_fine_tuned_model_answers_where_it_is_sure(
    digitd: Digitd, letters: Path, model_file: Callable[..., Path]
) -> None:
    read = ("read", SAMPLE, "--format", "jsonl", "--model", letters)
    random = model_file(labels=LETTERS)
    assert text_read(digitd(*read, "--tuned", random, "--tuned-above", "1")) == "BGDI"
    done = json.loads(out(digitd(*read, "--tuned", random, "--tuned-above", "0")))
    assert [row["text"] for row in done["rows"]] != ["BGDI"]
    assert "labels" in refused(digitd("read", SAMPLE, "--tuned", letters), 78)
    assert digitd("read", SAMPLE, "--tuned", letters, "--tuned-above", "1.5").returncode == 2


def test_the_daemon_takes_on_what_was_promoted_when_it_is_reloaded(
    here: Digitd, service: Service, letters: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "in"
    service.configure(pictures)
    service.start(DIGITD_MODELS=str(tmp_path / "models"))
    service.ready()
    service.shows(pictures, "four-digits.png", lambda: service.texts() == ["2749"])
    here("model", "promote", letters)
    service.reload()
    service.shows(pictures, "photo.jpg", lambda: service.texts() == ["2749", "GCJEAH"])
    here("model", "rollback")
    service.reload()
    service.shows(pictures, "eight-digits.png", lambda: service.texts() == ["2749", "GCJEAH", "31415926"])
    assert [event["model"] for event in service.told()] == ["rows-noughts", "letters", "rows-noughts"]


def test_a_reload_with_a_broken_promoted_model_keeps_the_old_one(service: Service, tmp_path: Path) -> None:
    service.configure(tmp_path / "in")
    service.start(DIGITD_MODELS=str(tmp_path / "models"))
    service.ready()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "digits-0001.onnx").write_bytes(b"")
    service.signal(signal.SIGHUP)
    service.until(lambda: any("reload failed" in one for one in service.notified), "refusal")
    for name in "12":
        put(tmp_path / "in", "four-digits.png", f"{name}.png")
    service.until(lambda: service.texts() == ["2749"], "the old model")
