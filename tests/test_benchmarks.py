"""The benchmarks' own arithmetic, and that they run without the data that users do not have."""

import importlib
import json
import sys
import time
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.row import Row

ROOT = Path(__file__).parents[1]
PEERS = ("rapidocr", "ddddocr", "tesserocr")


@pytest.fixture(scope="module")
def accuracy():
    sys.path.insert(0, str(ROOT))
    yield importlib.import_module("benchmarks.accuracy")
    sys.path.remove(str(ROOT))


@pytest.fixture(scope="module")
def peers(accuracy):
    return importlib.import_module("benchmarks.peers")


@pytest.fixture(scope="module")
def chart(accuracy):
    return importlib.import_module("benchmarks.chart")


@pytest.fixture
def measured(tmp_path, monkeypatch, accuracy):
    """Runs the benchmark with these options on separated rows of the stroke model, and gives the JSON that it wrote."""

    def run(*options):
        out = tmp_path / "figures.json"
        monkeypatch.chdir(ROOT)
        monkeypatch.setenv("DIGITD_DATA", str(tmp_path))
        monkeypatch.setattr(accuracy, "KINDS", {"separated": accuracy.KINDS["separated"]})
        monkeypatch.setattr(sys, "argv", ["accuracy", "--count", "3", "--json", str(out), *options])
        accuracy.main()
        return json.loads(out.read_text())

    return run


def outcome(accuracy, right, confidence):
    sample = accuracy.Sample("", np.zeros((1, 1), np.uint8), "1")
    return accuracy.Outcome(sample, "1" if right else "2", confidence, 1.0)


def test_coverage_counts_the_surest_rows_up_to_each_risk(accuracy):
    rows = [outcome(accuracy, True, 1 - i / 1000) for i in range(100)]
    rows += [outcome(accuracy, i != 0, 0.8 - i / 1000) for i in range(100)]
    belief = accuracy.belief(rows[::-1])
    by_risk = {of["risk"]: of for of in belief["coverage"]}
    assert by_risk[0.001] == {"risk": 0.001, "share": 0.5, "confidence": 0.901}  # up to the only wrong one
    assert by_risk[0.01]["share"] == 1.0  # 1 in 200 is less
    assert belief["count"] == 200


def test_where_the_surest_row_is_wrong_nothing_can_be_accepted(accuracy):
    belief = accuracy.belief([outcome(accuracy, False, 0.9), outcome(accuracy, True, 0.8)])
    assert all(of == {"risk": of["risk"], "share": 0.0, "confidence": None} for of in belief["coverage"])


def test_the_interval_holds_the_share(accuracy):
    for right, count in ((0, 10), (10, 10), (380, 400)):
        low, high = accuracy.wilson(right, count)
        assert -1e-9 <= low <= right / count <= high <= 1 + 1e-9
    assert accuracy.wilson(380, 400) == pytest.approx((0.9242, 0.9674), abs=1e-3)


@pytest.mark.parametrize("name, options", [("accuracy", []), ("speed", ["--only", "kinds"])])
def test_a_benchmark_runs_on_rows_of_the_stroke_model(name, options, tmp_path, monkeypatch, accuracy, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DIGITD_DATA", str(tmp_path))
    benchmark = importlib.import_module(f"benchmarks.{name}")
    out = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", [name, "--count", "2", "--json", str(out), *options])
    benchmark.main()
    kinds = json.loads(out.read_text())["kinds"]
    alone = {"separated", "photo", "ruled", "touching", "crowd", "sheets", "years", "displays"}
    assert alone <= set(kinds) <= alone | {"printed"}  # which wants the fonts that `make fonts` fetches
    said = capsys.readouterr()
    assert "by the stroke model" in said.out
    for missing in ("meters, put together of real wheels", "real cheque amounts"):
        assert f"left out: {missing}" in said.err


@pytest.mark.parametrize("module", ["benchmarks.choice", "training.confidence"])
def test_without_its_data_a_measurement_ends_in_one_line(module, tmp_path, monkeypatch, accuracy):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [module, "--count", "1", "--data-dir", str(tmp_path)])
    with pytest.raises(SystemExit) as error:
        importlib.import_module(module).main()
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_a_letters_outcomes_are_told_apart(accuracy):
    letters = importlib.import_module("benchmarks.letters")
    spoilt = letters.Spoilt(np.zeros((1, 1), np.uint8), "12", "345")
    came = {"12?345": "told", "12": "part", "345": "part", "12345": "over", "129345": "else", "": "none"}

    def row(text):
        return Row(text, 0.5, (), ((0, 0),) * 4) if text else None

    assert {text: letters.outcome(row(text), spoilt) for text in came} == came
    assert {*came.values()} == {*letters.OUTCOMES}


@pytest.mark.parametrize("tall", [60, 260])
def test_rows_with_a_letter_are_seven_strokes_of_which_the_letter_is_in_its_place(accuracy, tall):
    letters = importlib.import_module("benchmarks.letters")

    def block(tall):
        return letters.Glyph(np.full((tall, 20), 255, np.uint8))

    style = letters.Style(tuple((block(20 + label),) for label in range(10)), letters=(block(tall),))
    for spoilt in letters.spoilt_rows([style], 10, np.random.default_rng(0)):
        dark = np.uint8(spoilt.image < 120)
        contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = sorted(map(cv2.boundingRect, contours))
        wanted = [*(20 + int(digit) for digit in spoilt.before), tall, *(20 + int(digit) for digit in spoilt.after)]
        assert [h for _, _, _, h in boxes] == wanted


def test_lines_of_the_table_are_measured_anew_and_others_kept(tmp_path, monkeypatch, accuracy, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DIGITD_DATA", str(tmp_path))
    speed = importlib.import_module("benchmarks.speed")
    out = tmp_path / "figures.json"
    kept = {"count": 9, "ours": [1, 2, 3], "beside": [1, 1, 1], "ratio": [1, 2, 3]}
    out.write_text(json.dumps({"lines": {"memory": kept}, "growth": {"kept": 1}}))
    options = ["--only", "frame,classifier,folder,cold", "--count", "2", "--rounds", "2", "--photographs", "3"]
    monkeypatch.setattr(sys, "argv", ["speed", *options, "--json", str(out)])
    speed.main()
    facts = json.loads(out.read_text())
    assert facts["growth"] == {"kept": 1} and facts["lines"].pop("memory") == kept
    assert set(facts["lines"]) == {"frame", "classifier", "folder", "cold"}
    for found in facts["lines"].values():
        for three in (found["ours"], found["beside"], found["ratio"]):
            assert 0 < three[0] <= three[1] <= three[2]
    assert facts["lines"]["folder"]["photographs"] == 3
    assert "64 single digits" in capsys.readouterr().out


def test_a_ratio_is_told_as_its_goal_is(accuracy):
    speed = importlib.import_module("benchmarks.speed")
    found = {"ours": [1.0, 2.0, 3.0], "beside": [9.0, 10.0, 11.0], "ratio": [0.125, 0.2, 0.25]}
    assert speed.cells("crop_tesseract", found)[-2:] == ["5.0 times as fast (4.0 to 8.0)", "at least 4.0 times as fast"]
    assert speed.cells("classifier", found | {"ratio": [1.6, 2.0, 4.0]})[-2:] == [
        "50% of it (25% to 62%)",
        "at least 40% of it",
    ]
    assert speed.cells("cold", found)[-2:] == ["0.20 times as long (0.12 to 0.25)", "at most 2.00 times as long"]


def test_calls_are_timed_in_turns_and_compared_in_pairs(accuracy):
    timing = importlib.import_module("benchmarks.timing")
    order = []
    times = timing.in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert "".join(order) == "ab" + "ab" + "ba" and {len(one) for one in times.values()} == {2}
    found = timing.compared(np.array([2.0, 40.0, 6.0]), np.array([1.0, 10.0, 2.0]))
    assert found == {"count": 3, "ours": [4, 6, 23], "beside": [1.5, 2, 6], "ratio": [2.5, 3, 3.5]}


def test_multiply_adds_are_those_of_convolutions_and_products(accuracy, tmp_path):
    onnx = pytest.importorskip("onnx")
    network = importlib.import_module("benchmarks.network")
    make, of = onnx.helper, onnx.TensorProto.FLOAT
    weights = {"conv": (3, 1, 3, 3), "flat": (2,), "product": (48, 5)}
    initial = [make.make_tensor(name, of, dims, np.ones(int(np.prod(dims)))) for name, dims in weights.items()]
    initial[1] = make.make_tensor("flat", onnx.TensorProto.INT64, (2,), [-1, 48])
    graph = make.make_graph(
        [
            make.make_node("Conv", ["x", "conv"], ["y"], pads=[1, 1, 1, 1]),
            make.make_node("Reshape", ["y", "flat"], ["z"]),
            make.make_node("MatMul", ["z", "product"], ["out"]),
        ],
        "two",
        [make.make_tensor_value_info("x", of, ["N", 1, 4, 4])],
        [make.make_tensor_value_info("out", of, ["N", 5])],
        initial,
    )
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=10), tmp_path / "two.onnx")
    assert network.multiply_adds(tmp_path / "two.onnx") == 3 * 16 * 9 + 48 * 5


def test_pages_grow_by_the_rows_and_digits_that_they_are_asked_for(accuracy):
    growth = importlib.import_module("benchmarks.growth")
    assert growth.in_rows(5) == [5] and growth.in_rows(50) == [20, 20, 10]
    one, forty = ((growth.page([6] * count) < 150).any(axis=(1, 2)) for count in (1, 40))
    assert np.diff(one.astype(int)).clip(min=0).sum() == 1
    assert forty.sum() > 20 * one.sum() and not forty[-20:].any()
    assert growth.frame(0.3).size == pytest.approx(3 * 0.3e6, rel=0.01)


def test_growth_is_measured_with_its_slope_and_drawn(accuracy, monkeypatch, tmp_path):
    growth = importlib.import_module("benchmarks.growth")

    class Squares:
        """A reader that takes a millisecond for the square of each page's number."""

        def read(self, image):
            time.sleep(image[0, 0, 0] ** 2 / 1000)
            return []

    pages = {size: [np.full((1, 1, 3), size, np.uint8)] * 2 for size in (2, 4, 8)}
    monkeypatch.setattr(growth, "pictures", lambda: {"rows": pages, "digits": pages})
    figures = growth.measure(Squares(), 3)
    assert figures["rows"]["slope"] == pytest.approx(2, abs=0.8) and figures["rows"]["sizes"] == [2, 4, 8]
    growth.draw(figures, tmp_path / "growth.png")
    assert Image.open(tmp_path / "growth.png").info["Description"] == growth.said(figures)


def test_the_texts_charts_of_speed_are_of_the_figures_that_were_measured(accuracy):
    speed_chart, growth = (importlib.import_module(f"benchmarks.{name}") for name in ("speed_chart", "growth"))
    facts = json.loads((ROOT / "benchmarks" / "speed.json").read_text())
    for name, told in (("speed", speed_chart.said(facts["lines"])), ("growth", growth.said(facts["growth"]))):
        assert Image.open(ROOT / "docs" / "images" / f"{name}.png").info["Description"] == told, "run `make docs`"


def test_the_digits_of_the_line_with_most_of_them_are_a_peers_reading(peers):
    assert peers.most_digits(["room 99", "+41 79-55", "x"]) == "417955"
    assert peers.most_digits(["①２٣", "Sum:"]) == ""  # other scripts' digits are no reading of these
    assert peers.most_digits([]) == ""


def test_absent_peers_are_named_and_the_table_comes_without_them(measured, monkeypatch, peers, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    facts = measured("--peers")
    out, err = capsys.readouterr()
    for name in PEERS:
        assert [line.partition(":")[0] for line in err.splitlines() if name in line] == [f"{name} is not installed"]
    assert err.count("pip install -c constraints.txt -e '.[peers]'") == 3
    assert "separated digits, flat scan" in out and "PP-OCRv6" in out and out.count("quoted") == 2
    assert facts["peers"] == {} and facts["kinds"]["separated"]["count"] == 3


def test_without_being_asked_for_peers_are_not_looked_for(measured, monkeypatch, peers, capsys):
    monkeypatch.setattr(peers, "installed", lambda: pytest.fail("looked for"))
    assert "peers" not in measured()
    assert "the peers'" not in capsys.readouterr().out


def test_a_peer_that_does_not_start_does_not_keep_the_others_from_being_measured(monkeypatch, peers, capsys):
    def without_data():
        raise RuntimeError("no data\nthere")

    monkeypatch.setattr(peers, "LOADERS", {"pytest": without_data, "numpy": lambda: lambda image: "1"})
    (peer,) = peers.installed()
    assert (peer.name, peer.version) == ("numpy", metadata.version("numpy"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "pytest does not start, so it is not measured: RuntimeError: no data there"


def test_a_peer_reads_the_first_of_the_same_pictures_and_its_failures_are_wrong_readings(
    measured, monkeypatch, accuracy, peers, chart, tmp_path, capsys
):
    texts, seen = {}, []

    def recorded(*arguments, generated=accuracy.generated):
        for sample in generated(*arguments):
            texts[sample.image.tobytes()] = sample.text
            yield sample

    def load():
        seen.append("loaded")
        return read

    def read(image):
        seen.append(texts[image.tobytes()])
        assert image.dtype == np.uint8 and image.shape[2] == 3
        if len(seen) == 3:
            raise ValueError("too hard")
        return seen[-1]

    monkeypatch.setattr(accuracy, "generated", recorded)
    monkeypatch.setattr(accuracy, "judge", lambda _, sample: accuracy.Outcome(sample, sample.text, 0.9, 1.0))
    monkeypatch.setattr(peers, "LOADERS", {"numpy": load})  # any package that is installed
    plot = tmp_path / "new" / "plot.png"
    facts = measured("--peers", "--peer-count", "2", "--plot", str(plot))
    assert seen == ["loaded", *list(texts.values())[:2]]
    version = metadata.version("numpy")
    (kind,) = facts["peers"]["numpy"].pop("kinds").values()
    assert facts["peers"] == {"numpy": {"version": version}}
    assert kind.pop("ms") > 0
    assert kind == {"count": 2, "right": 1, "share": 0.5, "errors": 1, "digitd_right": 2}
    assert facts["kinds"]["separated"]["count"] == 3
    out, err = capsys.readouterr()
    assert "numpy failed on 1 of 2 pictures; separated-0001: ValueError: too hard" in err
    heading, cells = (line for line in out.splitlines() if version in line or "separated digits" in line)
    assert heading.split("┃")[-2].strip() == version
    assert [cell.strip() for cell in cells.split("│")[-3:-1]] == ["100.0%", "50.0%"]
    assert "1 failed" in out and "first 2 pictures" in out
    assert "numpy separated 1 of 2" in Image.open(plot).info["Description"]


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_that_is_installed_reads_printed_digits(name, peers):
    pytest.importorskip(name, reason=f"{name} is not installed: it is in the extra `peers`")
    try:
        read = peers.LOADERS[name]()
    except RuntimeError as error:
        pytest.skip(str(error))
    image = np.full((80, 260, 3), 255, np.uint8)
    cv2.putText(image, "20461", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 4, cv2.LINE_AA)
    assert read(image) == "20461"


@pytest.mark.parametrize("options", [("--plot", "figures.txt"), ("--peer-count", "0")])
def test_an_option_that_cannot_be_met_is_refused_before_anything_is_measured(measured, accuracy, options, capsys):
    with pytest.raises(SystemExit) as exit:
        measured(*options)
    assert exit.value.code == 2
    assert " ".join(options) in capsys.readouterr().err


@pytest.fixture
def drawn(chart, tmp_path):
    """Draws the chart of one kind of picture, and gives the part with its bar, RGB, and how many columns are 100 %."""

    def draw(right, **more):
        facts = {"kinds": {"touching": {"count": 100, "right": right, "share": right / 100, "ms": 1.0}}, **more}
        chart.draw(facts, tmp_path / "one.png")
        picture = np.asarray(Image.open(tmp_path / "one.png").convert("RGB"))
        ys, xs = np.nonzero((picture[: len(picture) // 2] == (127, 179, 213)).all(axis=2))  # below is the legend
        return picture[ys.min() : ys.max() + 1, xs.min() :], (xs.max() - xs.min()) / (right / 100)

    return draw


@pytest.mark.parametrize("right", [50, 90])
def test_the_charts_bar_interval_and_marks_stand_where_the_figures_say(right, accuracy, drawn):
    bar, whole = drawn(right)

    def shares(mask):
        return np.flatnonzero(mask.any(axis=0)) / whole

    _, _, quoted, goal = accuracy.KINDS["touching"]
    assert shares((bar == (192, 57, 43)).all(axis=2)).mean() == pytest.approx(quoted, abs=0.01)
    assert shares((bar == (30, 132, 73)).all(axis=2)).mean() == pytest.approx(goal, abs=0.01)
    dark = shares(bar.max(axis=2) < 110)
    interval = dark[(dark > 0.01) & (dark < 1.01)]  # left of that is the axis, right of it the share is written
    assert (interval[0], interval[-1]) == pytest.approx(accuracy.wilson(right, 100), abs=0.01)


def test_a_chart_is_drawn_where_none_or_all_are_read(accuracy, chart, tmp_path):
    for right, count in [(0, n) for n in range(1, 60)] + [(n, n) for n in range(1, 60)]:
        low, high = accuracy.wilson(right, count)
        if low > right / count or high < right / count:  # by rounding; matplotlib takes no negative length
            chart.draw({"kinds": {"photo": {"count": count, "right": right}}}, tmp_path / "edge.png")
            return
    pytest.fail("no such count: the test has lost its case")


def test_measured_peers_are_marked_on_the_bars_of_what_they_read(drawn):
    def marks(**more):
        bar, whole = drawn(80, **more)
        inside = bar[2:-2, 2 : int(0.75 * whole)]
        return np.flatnonzero((inside == 255).all(axis=2).any(axis=0)) / whole  # their fill is white

    of_one = {"touching": {"count": 9, "right": 3, "share": 0.3333, "errors": 0, "ms": 2.0, "digitd_right": 9}}
    assert len(marks()) == len(marks(peers={})) == len(marks(peers={"none yet": {"version": "2", "kinds": {}}})) == 0
    assert marks(peers={"another": {"version": "1.0", "kinds": of_one}}).mean() == pytest.approx(1 / 3, abs=0.01)


def test_the_texts_chart_is_of_the_figures_that_were_measured(chart):
    facts = json.loads((ROOT / "benchmarks" / "accuracy.json").read_text())
    described = Image.open(ROOT / "docs" / "images" / "accuracy.png").info["Description"]
    assert described == chart.said(facts), "run `make docs`"
