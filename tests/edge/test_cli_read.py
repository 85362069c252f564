"""`digitd read` as its users meet it: a process, its two streams and its exit code."""

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

SAMPLES = Path(__file__).parents[2] / "edge" / "samples"
LABELS = [line.split("\t") for line in (SAMPLES / "labels.tsv").read_text().splitlines()]
PICTURES = [name for name in dict.fromkeys(name for name, _ in LABELS) if not name.endswith(".avi")]

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]
Page = Callable[..., np.ndarray]


def objects(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def lines(stream: bytes) -> list[str]:
    text = stream.decode()
    assert "Traceback" not in text
    return text.splitlines()


def put(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imencode(path.suffix, image)[1].tofile(path)
    return path


def test_the_bundled_samples_are_read_right_from_top_to_bottom(digitd: Digitd) -> None:
    done = digitd("read", *(SAMPLES / name for name in PICTURES), "--format", "jsonl")
    assert (done.returncode, done.stderr) == (0, b"")
    read = {Path(str(one["path"])).name: [row["text"] for row in one["rows"]] for one in objects(done)}
    assert list(read) == PICTURES
    assert read == {name: [text for other, text in LABELS if other == name] for name in PICTURES}


def test_rows_less_sure_than_asked_for_are_left_out_and_counted(digitd: Digitd) -> None:
    paths = [SAMPLES / name for name in PICTURES]
    rows = [row for one in objects(digitd("read", *paths, "-f", "jsonl")) for row in one["rows"]]
    confidences = sorted(row["confidence"] for row in rows)
    least = (confidences[1] + confidences[2]) / 2 if confidences[1] < confidences[2] else confidences[2]
    done = digitd("read", *paths, "-f", "jsonl", "--min-confidence", str(least))
    kept = [row["confidence"] for one in objects(done) for row in one["rows"]]
    assert done.returncode == 0 and len(objects(done)) == len(paths)
    assert min(kept) >= least - 1e-4 and 0 < len(kept) < len(rows)
    (told,) = lines(done.stderr)
    assert f"{len(rows) - len(kept)} row" in told and "left out" in told
    assert digitd("read", *paths, "-f", "jsonl", "--min-confidence", str(least), "-q").stderr == b""
    assert digitd("read", *paths, "--min-confidence", "1.5").returncode == 2


def test_the_sample_film_is_read_frame_by_frame(digitd: Digitd) -> None:
    for name, text in LABELS:
        if name.endswith(".avi"):
            done = digitd("read", SAMPLES / name, "-f", "jsonl")
            assert done.returncode == 0 and done.stderr == b""
            texts = [row["text"] for one in objects(done) for row in one["rows"]]
            assert texts and set(texts) == {text}


def test_every_object_has_the_promised_fields_and_its_boxes_lie_in_the_picture(digitd: Digitd) -> None:
    (one,) = objects(digitd("read", SAMPLES / PICTURES[0], "-f", "jsonl"))
    height, width = cv2.imdecode(np.fromfile(SAMPLES / PICTURES[0], np.uint8), cv2.IMREAD_COLOR).shape[:2]
    assert list(one) == ["path", "width", "height", "rows", "ms", "error"]
    assert (one["path"], one["width"], one["height"]) == (str(SAMPLES / PICTURES[0]), width, height)
    assert one["error"] is None and one["ms"] > 0
    for row in one["rows"]:
        assert list(row) == ["text", "confidence", "quad", "digits", "separators"]
        assert row["text"] == "".join(digit["text"] for digit in row["digits"])
        assert 0 <= row["confidence"] <= 1 and len(row["quad"]) == 4
        assert all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in row["quad"])
        for digit in row["digits"]:
            x, y, w, h = digit["box"]
            assert x >= 0 and y >= 0 and x + w <= width + 1 and y + h <= height + 1 and w > 0 and h > 0


def test_bad_inputs_get_a_line_each_and_the_good_are_still_read(digitd: Digitd, page: Page, tmp_path: Path) -> None:
    good = put(tmp_path / "gut – 数字.png", page())
    jpeg, whole_png = (cv2.imencode(kind, page())[1].tobytes() for kind in (".jpg", ".png"))
    bad = {
        "gone.png": (None, "no such file"),
        "zero.jpg": (b"", "no bytes"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cut short or damaged"),
        "cut.png": (whole_png[: len(whole_png) // 2], "cut short or damaged"),
        "words.png": (b"These are words.\n", "it is text"),
        "one.png": (cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes(), "1x1 pixels is too small"),
        "black.png": (cv2.imencode(".png", np.zeros((99, 99, 3), np.uint8))[1].tobytes(), "nothing but one tone"),
        "wide.png": (cv2.imencode(".png", np.zeros((20, 30_000), np.uint8))[1].tobytes(), "30000x20 pixels is over"),
        "clip.avi": (b"no film", "not a film"),
    }
    for name, (data, _) in bad.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
    (tmp_path / "empty").mkdir()
    bad |= {"empty": (None, "a folder without pictures"), "none-*.png": (None, "the pattern matches no file")}
    paths = [str(tmp_path / name) for name in bad]
    done = digitd("read", *paths[:5], good, *paths[5:], "--format", "jsonl")
    assert done.returncode == 1
    results = objects(done)
    assert [one["path"] for one in results] == [*paths[:5], str(good), *paths[5:]]
    assert [one["error"] is None for one in results].count(True) == 1 and results[5]["error"] is None
    said = lines(done.stderr)
    assert len(said) == len(bad)
    for line, path, (_, words) in zip(said, paths, bad.values(), strict=True):
        assert line.startswith(f"digitd: {path}: ") and words in line and "; " in line
    for path, one in zip(paths[:5], results, strict=False):
        assert not str(one["error"]).startswith(path) and one["rows"] == []


def test_the_table_and_csv_name_failures_too_and_csv_stands_in_the_file(
    digitd: Digitd, page: Page, tmp_path: Path
) -> None:
    put(tmp_path / "a b.png", page())
    done = digitd("read", "a b.png", "gone.png", cwd=tmp_path)
    table = lines(done.stdout)
    assert done.returncode == 1 and table[0].startswith("a b.png") and "%" in table[0]
    assert table[-1].startswith("gone.png") and "not read: no such file" in table[-1]
    assert "\x1b" not in done.stdout.decode()
    done = digitd("read", "a b.png", "gone.png", "--format", "csv", "--out", "out.csv", cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == b""
    rows = list(csv.DictReader((tmp_path / "out.csv").read_bytes().decode().splitlines()))
    assert rows[0]["path"] == "a b.png" and rows[0]["text"] and rows[-1]["error"].startswith("no such file")


def test_a_page_without_digits_is_read_and_says_so(digitd: Digitd, tmp_path: Path) -> None:
    soft = np.tile(np.linspace(200, 240, 300).astype(np.uint8)[:, None], (1, 300))
    put(tmp_path / "blank.png", soft)
    done = digitd("read", "blank.png", cwd=tmp_path)
    assert done.returncode == 0 and "no digits found" in done.stdout.decode()


def test_a_picture_on_standard_input_is_read(digitd: Digitd, page: Page) -> None:
    done = digitd("read", "-", "-f", "jsonl", input=cv2.imencode(".png", page())[1].tobytes())
    (one,) = objects(done)
    assert done.returncode == 0 and one["path"] == "-" and one["rows"]
    done = digitd("read", "-", input=b"")
    assert done.returncode == 1 and lines(done.stderr)[0].startswith("digitd: -: holds no bytes")


def test_folders_patterns_and_films_keep_their_order(digitd: Digitd, page: Page, film: Path, tmp_path: Path) -> None:
    for name in ("in/10.png", "in/9.png", "in/deep/1.png", "x.png"):
        put(tmp_path / name, page())
    (tmp_path / "in" / "notes.txt").write_text("no")
    done = digitd("read", "x.png", film, "in", "in/*/*.png", "-f", "jsonl", "--every", "2", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    names = [one["path"] for one in objects(done)]
    assert names == ["x.png", f"{film}#t=0.00", f"{film}#t=2.00", "in/9.png", "in/10.png", "in/deep/1.png"]


def test_names_that_are_no_utf8_are_read_and_come_back(digitd: Digitd, page: Page, tmp_path: Path) -> None:
    name = b"odd \xff\n.png"
    (tmp_path / os.fsdecode(name)).write_bytes(cv2.imencode(".png", page())[1].tobytes())
    done = digitd("read", name, b"gone \xfe.png", "-f", "jsonl", cwd=tmp_path, env={"LC_ALL": "C"})
    assert [os.fsencode(str(one["path"])) for one in objects(done)] == [name, b"gone \xfe.png"]
    assert lines(done.stderr) == ["digitd: gone \\udcfe.png: no such file or folder; check the name"]
    assert b"odd \\udcff\\x0a.png" in digitd("read", name, cwd=tmp_path, env={"LC_ALL": "C"}).stdout


def test_annotated_copies_are_written_apart_and_never_over_an_input(digitd: Digitd, page: Page, tmp_path: Path) -> None:
    one, two = put(tmp_path / "a" / "x.png", page("12")), put(tmp_path / "b" / "x.png", page("34"))
    before = one.read_bytes()
    done = digitd("read", "a", "b", "--annotate", "out/数 字", cwd=tmp_path)
    assert done.returncode == 0
    out = tmp_path / "out" / "数 字"
    assert sorted(path.name for path in out.iterdir()) == ["x-2.png", "x.png"]
    assert all(Image.open(path).size[0] >= 90 for path in out.iterdir())
    for arguments in (("a/x.png", "b", "--annotate", "a"), (".", "-r", "--annotate", "a/new")):
        done = digitd("read", *arguments, cwd=tmp_path)
        assert done.returncode == 2 and "among the folders being read" in lines(done.stderr)[0]
    assert one.read_bytes() == before and two.exists()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["x.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("x.png", "--out", "gone/r.csv"), "its folder does not exist"),
        (("x.png", "--out", "."), "is a folder"),
        (("x.png", "--out", "x.png"), "would overwrite a picture"),
        (("x.png", "--annotate", "x.png"), "--annotate x.png: "),
    ],
)
def test_usage_that_would_fail_later_is_refused_first(
    arguments: tuple[str, ...], words: str, digitd: Digitd, page: Page, tmp_path: Path
) -> None:
    data = put(tmp_path / "x.png", page()).read_bytes()
    done = digitd("read", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == b""
    (line,) = lines(done.stderr)
    assert line.startswith("digitd: ") and words in line and "; " in line
    assert (tmp_path / "x.png").read_bytes() == data


@pytest.mark.parametrize("arguments", [(), ("x.png", "--format", "xml"), ("x.png", "--threads", "0")])
def test_a_wrong_command_line_is_usage(arguments: tuple[str, ...], digitd: Digitd) -> None:
    done = digitd("read", *arguments)
    assert done.returncode == 2 and "Usage" in done.stderr.decode()
    lines(done.stderr)


@pytest.mark.parametrize("content", [None, b"", b"not a model", bytes(2000)])
def test_a_broken_model_file_is_one_line_and_78(
    content: bytes | None, digitd: Digitd, page: Page, tmp_path: Path
) -> None:
    put(tmp_path / "x.png", page())
    if content is not None:
        (tmp_path / "m.onnx").write_bytes(content)
    done = digitd("read", "x.png", "--model", "m.onnx", cwd=tmp_path)
    assert done.returncode == 78 and done.stdout == b""
    (line,) = lines(done.stderr)
    assert line.startswith("digitd: m.onnx: ") and "; " in line


def test_a_fault_of_our_own_is_that_pictures_line_and_a_traceback_only_when_asked(
    digitd: Digitd, page: Page, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        put(tmp_path / name, page())
    fault = "import edge.reader, itertools\ncalls = itertools.count()\nread = edge.reader.Reader.read\n"
    fault += "def faulty(self, image):\n    if next(calls) == 0: raise ZeroDivisionError('boom')\n"
    fault += "    return read(self, image)\nedge.reader.Reader.read = faulty\n"
    script = fault + "import sys; sys.argv = ['digitd', 'read', 'a.png', 'b.png', '-f', 'jsonl']\n"
    script += "from edge.cli import main; main()"

    def run(debug: str) -> subprocess.CompletedProcess[bytes]:
        env = {**os.environ, "DIGITD_DEBUG": debug}
        return subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True)

    done = run("")
    first, second = objects(done)
    assert done.returncode == 1 and second["error"] is None
    assert "ZeroDivisionError (boom)" in str(first["error"]) and "DIGITD_DEBUG=1" in str(first["error"])
    assert len(lines(done.stderr)) == 1
    assert b"Traceback" in run("1").stderr


def start(*arguments: object, cwd: Path, **streams: object) -> subprocess.Popen[bytes]:
    # What a shell runs in the background ignores Ctrl-C, and so does all that is started from there.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom edge.cli import main; main()"
    )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, **streams)  # type: ignore[call-overload,no-any-return]


def test_ctrl_c_keeps_what_is_done_and_ends_quietly(page: Page, tmp_path: Path) -> None:
    put(tmp_path / "x.png", page())
    process = start(
        "read", *["x.png"] * 20_000, "-f", "jsonl", "--out", "r.jsonl", cwd=tmp_path, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (
        (tmp_path / "r.jsonl").exists() and (tmp_path / "r.jsonl").stat().st_size
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    try:
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130
    assert lines(said) == []
    done = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert 0 < len(done) < 20_000


def test_a_closed_pipe_ends_it_quietly(page: Page, tmp_path: Path) -> None:
    put(tmp_path / "x.png", page())
    process = start("read", *["x.png"] * 20_000, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().startswith(b"x.png")
    process.stdout.close()
    try:
        assert process.wait(timeout=60) == 141
    finally:
        process.kill()
    assert process.stderr.read() == b""
    process.stderr.close()


def test_on_a_terminal_a_bar_counts_on_standard_error_and_not_in_the_results(page: Page, tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / "in" / f"{number}.png", page())

    def stderr_of(*more: str) -> tuple[str, bytes]:
        ours, theirs = pty.openpty()
        process = start("read", "in", "-f", "jsonl", *more, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        out = process.communicate(timeout=30)[0]
        said = b""
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:
            pass  # how Linux says that the other end is closed
        os.close(ours)
        return said.decode(), out

    said, out = stderr_of()
    assert "0/3" in said and said.endswith("\r\x1b[2K")
    assert [json.loads(line)["path"] for line in out.splitlines()] == ["in/0.png", "in/1.png", "in/2.png"]
    assert stderr_of("--quiet")[0] == ""
