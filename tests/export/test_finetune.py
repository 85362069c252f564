"""A strange hand's pictures become a model file that reads it, as a user would have it."""

import json

import cv2
import numpy as np
import pytest

from edge.errors import ConfigError
from edge.imaging.normalise import normalise
from edge.reader import Reader
from edge.recogniser import Recogniser, default_model
from edge.sequence import default_row_model
from export import finetune as teaching
from export import model_file
from training import mnist
from training.engine import Run
from training.finetune import Replay, Settings, replay, widened
from training.own_pictures import read_folder
from training.synth.strokes import HandStyle, draw_hand

pytestmark = pytest.mark.xdist_group("finetune")

STRANGE = HandStyle(habit=(0.05, 0.09), slant=(-0.7, 0.9), aspect=(0.55, 1.7), turn=(0.03, 0.06), uncommon=0.9)
"""Shapes bent beyond what others write, each writer's always in the same way."""

LABELS = Recogniser().card.labels


def draw(folder, hand, rng, each=3, names="0123456789"):
    """Pictures of digits on paper, in the folders of their labels."""
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            ink = hand.digit(label, rng)
            page = np.full((170, 200), 225, np.uint8)
            part = page[40 : 40 + ink.shape[0], 50 : 50 + ink.shape[1]]
            part[:] = part * (1 - ink[: part.shape[0], : part.shape[1]] / 300)
            cv2.imwrite(str(folder / name / f"{number}.png"), page)


def crops_of(hand, rng, each):
    truth = np.tile(np.arange(10), each)
    return np.stack([normalise(hand.digit(label, rng)) for label in truth]), truth


@pytest.fixture(scope="module")
def strange():
    """A hand of which the shipped model reads at most 70 %, by as many crops as tell that of a hand."""
    rng, recogniser = np.random.default_rng(5), Recogniser()
    while True:
        hand = draw_hand(rng, STRANGE)
        crops, truth = crops_of(hand, rng, 40)
        if (recogniser.log_probs(crops).argmax(1) == truth).mean() <= 0.7:
            return hand


@pytest.fixture(scope="module")
def taught(strange, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    draw(folder / "mine", strange, np.random.default_rng(1))
    found = read_folder(folder / "mine", labels=LABELS)
    out = folder / "mine.onnx"
    told = []
    settings = Settings(epochs=2, steps=40, own=64, replayed=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_file, "WAYS", model_file.WAYS[:1])  # how ranges are found is tested elsewhere
        done = teaching.teach(
            found.crops, out, teaching.base_of(None), settings, folder, 0.2, Run(threads=1), tell=told.append
        )
    return done, out, told


def test_the_taught_file_reads_the_hand_that_the_base_could_not(strange, taught):
    crops, truth = crops_of(strange, np.random.default_rng(9), 20)
    before = (Recogniser().log_probs(crops).argmax(1) == truth).mean()
    after = (Recogniser(taught[1]).log_probs(crops).argmax(1) == truth).mean()
    assert before < 0.75 and after > before + 0.15


def test_it_is_written_gated_with_its_card_and_an_int8_twin_or_a_word_why_not(taught):
    done, out, told = taught
    card = Recogniser(out).card
    assert card.labels == LABELS and card.recipe == "fine-tuned" and card.data[-1].name == "the user's own pictures"
    (own,) = [name for name in card.accuracies if name.startswith("own, held out (")]
    assert card.accuracies[own] == pytest.approx(done.after[own])
    assert out.with_suffix(".md").is_file()
    small = out.with_name("mine.int8.onnx")
    refused = [line for line in told if "not written" in line]
    assert small.is_file() == (not refused) and not any("\n" in line for line in told)
    assert {path.name for path in out.with_suffix(".run").iterdir()} >= {"best.pt", "history.jsonl"}


def test_rows_are_read_with_or_without_the_row_model_as_is_better_for_the_hand(taught):
    _, out, told = taught
    (line,) = [line for line in told if line.startswith("rows put together of your digits: ")]
    assert Recogniser(out).card.alone == line.endswith("read without it")
    reader = Reader(out)
    assert (reader.row_model is None) == Recogniser(out).card.alone
    assert ("read by its digits alone" in out.with_suffix(".md").read_text()) == Recogniser(out).card.alone
    assert Reader(out, row_model=default_row_model()).row_model is not None  # named, it is asked


def test_what_it_was_worth_is_told_by_label_and_for_other_hands(taught):
    done, _, _ = taught
    assert done.held_out == 10 and done.examples == 20
    assert list(done.by_label) == list("0123456789")
    assert sum(now for _, now, _ in done.by_label.values()) > sum(was for was, _, _ in done.by_label.values())
    said = teaching.table(done)
    assert "held out  examples  right before  right after" in said and "other hands" in said
    (others,) = [name for name in done.after if name.startswith("other hands and what is no digit (")]
    assert done.after[others] > done.before[others] - 0.1


def test_it_is_told_what_keeps_others_from_being_forgotten(taught):
    assert "not to forget by: the project's stroke model" in taught[2]


def test_a_model_of_whole_rows_is_no_base():
    with pytest.raises(ConfigError, match="reads whole rows"):
        teaching.base_of(default_row_model())


def test_a_taught_file_can_be_taught_again(taught):
    base = teaching.base_of(taught[1])
    assert base.labels == LABELS and base.network.width == 40


def test_new_labels_come_behind_and_are_taken_for_nothing_at_first():
    base = teaching.base_of(default_model())
    wider, labels = widened(base.network, base.labels, ("A", "B"))
    assert labels == (*LABELS, "A", "B") and wider.classes == 13
    crops = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
    from training.engine import log_probs

    assert (log_probs(wider, crops).argmax(1) == log_probs(base.network, crops).argmax(1)).all()
    assert base.network.head.out_features == 11


def test_replay_is_mnists_where_it_is_there_and_drawn_where_not(taken_for_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr("training.finetune.EACH", 6)
    there, drawn = (replay(LABELS, folder, 1) for folder in (taken_for_mnist, tmp_path))
    images = mnist.load("train", taken_for_mnist).images
    known = {image.tobytes() for image in images}
    assert sum(crop.tobytes() in known for crop in there.learnt[0]) > 200
    assert not any(crop.tobytes() in known for crop in drawn.learnt[0])
    for found in (there, drawn):
        assert isinstance(found, Replay)
        assert {LABELS[label] for label in found.learnt[1]} == set(LABELS)
        assert not {crop.tobytes() for crop in found.learnt[0][:50]} & {crop.tobytes() for crop in found.held_out[0]}


def test_the_command_line_begins_with_folders_and_says_how_to_go_on(digitd, tmp_path):
    done = digitd("finetune", "hände", "--init", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "hände").iterdir()} == {*"0123456789", "rows", "README.txt"}
    assert "digitd finetune hände" in done.stdout.decode()
    empty = digitd("finetune", "hände", cwd=tmp_path)
    assert empty.returncode == 2 and empty.stdout == b""
    lines = empty.stderr.decode().strip().splitlines()
    assert "hände" in lines[-1] and "Traceback" not in empty.stderr.decode()


def test_the_base_is_not_written_over(digitd, tmp_path):
    (tmp_path / "mine").mkdir()
    base = tmp_path / "base.onnx"
    base.write_bytes(default_model().read_bytes())
    done = digitd("finetune", "mine", "--base", base, "--out", base, cwd=tmp_path)
    assert done.returncode == 2 and b"is the base" in done.stderr
    assert base.read_bytes() == default_model().read_bytes()


def test_what_was_learnt_stands_in_a_history(taught):
    lines = (taught[1].with_suffix(".run") / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
