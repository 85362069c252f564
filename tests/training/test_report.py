"""The page holds all there is to see, loads nothing, and cannot be broken by what labels and paths say."""

import base64
import copy
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from edge.errors import UsageError
from training import plots, report
from training.adversarial import Attacked
from training.evaluate import Model, evaluate
from training.models import FAMILIES

DIGITS = tuple("0123456789")
NASTY = ("<script>alert(1)</script>", "a&b", "\"'>", "{{ 7*7 }}", "$x$", "一", "a\nb", "‮7", "x" * 200, "9")


def model(network, labels=(*DIGITS, "reject"), name="best.pt"):
    def log_probs(crops):
        with torch.no_grad():
            return network(torch.from_numpy(crops)).numpy()

    return Model(name, labels, log_probs, network)


@pytest.fixture
def seen(small_network, stroke_digits, tmp_path):
    """`seen()`: what is on the page of the small network, and in its JSON."""

    def write(asked=None, digits=stroke_digits, names=DIGITS, history=None, attacked=(), data="strokes"):
        asked = asked or model(small_network)
        evaluation = evaluate(asked, digits.crops, digits.labels, names, data)
        path = report.write(tmp_path / "out" / "page", asked, evaluation, history, attacked)
        assert sorted(one.name for one in path.parent.iterdir()) == ["index.html", "report.json"]
        page = path.read_text(encoding="utf-8")
        parsed = Page(page)
        figures = json.loads(path.with_name("report.json").read_text(encoding="utf-8"))
        return SimpleNamespace(page=page, evaluation=evaluation, json=figures, **vars(parsed))

    return write


class Page:
    """text: what can be read on it; pictures: BGR uint8 arrays; tags: all of them, with their attributes."""

    def __init__(self, html):
        self.tags, open_tags, words, inside = [], [], [], []

        class Parser(HTMLParser):
            def handle_starttag(parser, tag, attributes):
                self.tags.append((tag, dict(attributes)))
                if tag not in ("meta", "link", "img", "br"):
                    open_tags.append(tag)

            def handle_endtag(parser, tag):
                assert open_tags.pop() == tag

            def handle_data(parser, data):
                inside[:] = open_tags[-1:]
                if inside not in (["style"], ["title"]):
                    words.append(data)

        Parser().feed(html)
        assert not open_tags
        self.text = " ".join(" ".join(words).split())
        sources = [attributes["src"] for tag, attributes in self.tags if tag == "img"]
        prefix = "data:image/png;base64,"
        assert all(source.startswith(prefix) for source in sources)
        data = [np.frombuffer(base64.b64decode(source[len(prefix) :]), np.uint8) for source in sources]
        self.pictures = [cv2.imdecode(png, cv2.IMREAD_COLOR) for png in data]
        assert all(picture is not None for picture in self.pictures)


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(seen):
    found = seen(attacked=[Attacked(0.1, 200, 0.5, 0.25)])
    for tag, attributes in found.tags:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action"):
            assert str(attributes.get(name, "data:")).startswith("data:")
    assert "url(" not in found.page and "@import" not in found.page
    policy = next(a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy


def test_the_figures_are_those_of_the_evaluation_on_the_page_and_in_the_json(seen):
    found = seen()
    one = found.evaluation
    assert f"{one.accuracy:.2%}" in found.text and f"{one.interval[0]:.2%} to {one.interval[1]:.2%}" in found.text
    assert f"{one.calibration_error():.4f}" in found.text
    for line in one.by_class():
        assert f"{line.label} {line.count} {line.precision:.2%} {line.recall:.2%} {line.f1:.2%}" in found.text
    assert found.json["accuracy"] == one.accuracy and found.json["interval_95"] == list(one.interval)
    assert found.json["count"] == 200 and found.json["right"] == int(one.right.sum())
    assert found.json["confusion"]["counts"] == one.confusion.tolist()
    assert found.json["confusion"]["answers"] == [*DIGITS, "reject"]
    assert found.json["calibration"]["expected_error"] == one.calibration_error()
    assert sum(each["count"] for each in found.json["calibration"]["bins"]) == 200


def test_mistakes_are_shown_surest_first_with_label_answer_and_confidence(seen, stroke_digits):
    found = seen()
    mistakes = found.json["mistakes"]
    assert len(mistakes) == min((~found.evaluation.right).sum(), report.SHOWN) > 2
    assert [one["confidence"] for one in mistakes] == sorted((one["confidence"] for one in mistakes), reverse=True)
    sheet = found.page[found.page.index("Worst mistakes") : found.page.index("Where it looked")]
    at = 0
    for one in mistakes:
        assert one["label"] == str(stroke_digits.labels[one["index"]]) != one["answer"]
        at = sheet.index(f"{one['label']} taken for <b>{one['answer']}</b>", at + 1)
    first = next(picture for picture in found.pictures if picture.shape == (28, 28, 3))
    assert np.array_equal(first[..., 0], 255 - stroke_digits.crops[mistakes[0]["index"]])  # dark on light


def test_a_model_without_mistakes_says_so(seen, small_network, stroke_digits):
    with torch.no_grad():
        right = small_network(torch.from_numpy(stroke_digits.crops)).argmax(1).numpy() == stroke_digits.labels
    found = seen(digits=SimpleNamespace(crops=stroke_digits.crops[right], labels=stroke_digits.labels[right]))
    assert "There are none." in found.text and "100.00%" in found.text
    assert found.json["mistakes"] == []


def test_a_checkpoint_shows_where_it_looked_at_mistakes_and_at_right_digits(seen):
    found = seen()
    heats = [picture for picture in found.pictures if picture.shape == (112, 112, 3)]
    wrong = min(int((~found.evaluation.right).sum()), report.LOOKED_AT)
    assert len(heats) == 2 * (wrong + 10)  # both ways, and one right digit of each label
    assert any(np.ptp(heat.astype(int), axis=2).max() > 60 for heat in heats)  # in colour
    assert "0, right" in found.text


def test_a_network_without_a_convolution_and_a_model_file_say_why_nothing_is_shown(seen, small_network):
    torch.manual_seed(1)
    assert "This network has no convolution" in seen(model(FAMILIES["mlp"](11).eval())).text
    asked = model(small_network)
    found = seen(Model("digits.onnx", asked.labels, asked.log_probs))
    assert "A model file has no gradients" in found.text and "HiResCAM" not in found.text


@pytest.mark.parametrize("names", [NASTY, tuple("零一二三四五六七八九")], ids=["nasty", "Chinese"])
def test_labels_and_names_stand_there_as_they_are_and_do_nothing(seen, small_network, names):
    asked = model(small_network, (*names, "reject"), name="<b>é</b>/best.pt")
    found = seen(asked, names=names, data="<i>mine</i>")
    for label in names:
        assert " ".join(label.split()) in found.text
    assert "<b>é</b>/best.pt" in found.text and "<i>mine</i>" in found.text
    assert not any(tag in ("script", "i") for tag, _ in found.tags)
    assert found.json["confusion"]["labels"] == list(names) and found.json["model"] == asked.name


def test_a_path_that_is_no_text_does_not_stop_the_page(seen, small_network):
    assert "best?.pt" in seen(model(small_network, name="best\udcff.pt")).text


def test_crops_of_three_channels_and_another_size_are_shown(seen):
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    digits = SimpleNamespace(crops=rng.integers(0, 256, (40, 32, 32, 3), np.uint8), labels=np.tile(np.arange(10), 4))
    found = seen(model(FAMILIES["lenet5"](11, 32, 3).eval()), digits=digits)
    shown = next(picture for picture in found.pictures if picture.shape == (32, 32, 3))
    assert np.array_equal(shown[..., ::-1], 255 - digits.crops[found.json["mistakes"][0]["index"]])


def test_what_changed_pixels_cost_is_on_the_page_only_where_it_was_measured(seen):
    attacked = [Attacked(0.0, 200, 0.91, 0.91), Attacked(0.1, 200, 0.4321, 0.1234)]
    found = seen(attacked=attacked)
    assert "0.1 43.21% 12.34%" in found.text and "20 steps of 0.125 epsilon" in found.text
    assert found.json["attacked"][1] == {"epsilon": 0.1, "count": 200, "fgsm": 0.4321, "pgd": 0.1234}
    assert "changed on purpose" not in seen().text


def line(number, **changes):
    epoch = {"epoch": number, "training_loss": 1 / number, "validation_loss": 1 / number}
    return json.dumps({**epoch, "validation_accuracy": {"mnist": 0.9}, "seconds": 1.0, **changes}) + "\n"


def test_a_run_shows_its_training(seen, tmp_path):
    (tmp_path / "history.jsonl").write_text(line(1) + line(2, later="more"))
    with_history, without = seen(history=tmp_path / "history.jsonl"), seen(history=tmp_path / "none.jsonl")
    assert len(with_history.pictures) == len(without.pictures) + 1
    assert "Its training" in with_history.text and "Its training" not in without.text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (line(1) + '{"epoch": 2, "train', "line 2 is no epoch"),
        (line(1, validation_accuracy=3), "line 1 is no epoch"),
        ("[]\n", "line 1 is no epoch"),
        ("\xff\x00\n", "line 1 is no epoch"),
        ("", "it holds no epochs"),
    ],
)
def test_what_is_no_history_is_told_with_its_line(tmp_path, content, told):
    path = tmp_path / "history.jsonl"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=told):
        report.read_history(path)


def test_a_broken_history_does_not_stop_the_page(seen, tmp_path):
    (tmp_path / "history.jsonl").write_text(line(1) + "{")
    found = seen(history=tmp_path / "history.jsonl")
    assert f"{tmp_path / 'history.jsonl'}: line 2 is no epoch" in found.text


def test_of_very_many_labels_the_page_says_that_it_shows_some(seen):
    torch.manual_seed(1)
    count = 60
    names = tuple(f"label {i}" for i in range(count))
    crops = np.random.default_rng(1).integers(0, 256, (count, 28, 28), np.uint8)
    asked = model(FAMILIES["lenet5"](count).eval(), names)
    found = seen(asked, digits=SimpleNamespace(crops=crops, labels=np.arange(count)), names=names)
    assert f"Of 60 labels, the {plots.LARGEST_MATRIX} with most mistakes." in found.text


def test_a_folder_that_cannot_be_made_is_one_line(small_network, stroke_digits, tmp_path):
    (tmp_path / "file").write_text("")
    asked = model(small_network)
    evaluation = evaluate(asked, stroke_digits.crops, stroke_digits.labels, DIGITS, "strokes")
    with pytest.raises(UsageError, match=re.escape(str(tmp_path / "file"))) as error:
        report.write(tmp_path / "file", asked, evaluation)
    assert "\n" not in str(error.value)


def test_the_page_comes_out_the_same_again_and_the_network_stays_as_it_was(seen, small_network):
    weights = copy.deepcopy(small_network.state_dict())
    assert seen().page == seen().page
    assert all(torch.equal(weight, weights[name]) for name, weight in small_network.state_dict().items())
    assert not small_network.training


def test_each_picture_has_words_for_who_cannot_see_it(seen):
    pictures = [attributes for tag, attributes in seen(attacked=[Attacked(0.1, 200, 0.5, 0.25)]).tags if tag == "img"]
    assert len(pictures) > 60 and all(one["alt"] for one in pictures)
