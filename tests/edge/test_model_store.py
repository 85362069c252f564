"""Models are promoted and taken back one by one, and at every moment exactly one of each kind is in use."""

import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from edge.engine import EngineConfig
from edge.errors import ModelError, UsageError
from edge.model_files import Chosen, ModelFiles
from edge.model_store import ALLOWED_FALL, KEPT, ModelStore, default_folder, shipped
from edge.recogniser import Recogniser, default_model
from edge.sequence import default_row_model

CPU = EngineConfig("cpu", threads=1)


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "share" / "models")


def promoted(store, kind="digits"):
    """The names of the models in line, oldest first."""
    return [one.path.name for one in store.promoted(kind) if not one.taken_back]


def refusal(store, file, **options):
    before = sorted(store.folder.glob("*")) if store.folder.exists() else []
    with pytest.raises(ModelError) as caught:
        store.promote(file, **options)
    assert (sorted(store.folder.glob("*")) if store.folder.exists() else []) == before
    said = str(caught.value)
    assert "\n" not in said and ";" in said
    return said


def test_nothing_is_promoted_at_first_and_no_folder_needed(store):
    assert store.in_use("digits") is None and store.in_use("rows") is None
    (digits,) = store.entries("digits")
    assert (digits.state, digits.path, digits.when) == ("in use", default_model(), None)
    assert digits.card == Recogniser(None, CPU).card and not store.folder.exists()


def test_a_promoted_model_is_in_use_as_it_was_and_stays_when_the_file_goes(store, model_file, card):
    file = model_file("modèle 1.onnx", accuracies={})
    data = file.read_bytes()
    start = time.time()
    told = store.promote(file)
    file.unlink()
    assert told.path == store.in_use("digits") == store.folder / "digits-0001.onnx"
    assert told.path.read_bytes() == data and start - 1 <= told.when <= time.time()
    newest, last = store.entries("digits")
    assert (newest.state, newest.card, newest.sha256) == (
        "in use",
        replace(card, accuracies={}),
        hashlib.sha256(data).hexdigest(),
    )
    assert (last.state, last.path) == ("earlier", default_model())


def test_single_digits_and_whole_rows_are_apart(store, model_file, with_card):
    store.promote(model_file(), force=True)
    store.promote(with_card(shipped("rows"), "rows.onnx", name="my rows"))
    assert promoted(store) == ["digits-0001.onnx"] and promoted(store, "rows") == ["rows-0001.onnx"]
    store.rollback("rows")
    assert promoted(store) == ["digits-0001.onnx"] and store.in_use("rows") is None


def test_rolling_back_goes_through_all_models_to_the_shipped_one(store, model_file):
    for seed in range(3):
        store.promote(model_file(accuracies={}, seed=seed))
    for left in (["digits-0001.onnx", "digits-0002.onnx"], ["digits-0001.onnx"], []):
        store.rollback("digits")
        assert promoted(store) == left
    assert store.in_use("digits") is None
    with pytest.raises(UsageError, match="shipped model is in use"):
        store.rollback("digits")


def test_a_model_that_was_taken_back_is_kept_and_its_number_not_used_again(store, model_file):
    first, second = model_file("a.onnx", accuracies={}, seed=1), model_file("b.onnx", accuracies={}, seed=2)
    store.promote(first)
    store.promote(second)
    back = store.rollback("digits")
    assert back.path.name == "digits-0002.taken-back.onnx" and back.path.read_bytes() == second.read_bytes()
    assert store.promote(back.path).path.name == "digits-0003.onnx"
    assert [entry.state for entry in store.entries("digits")] == ["in use", "taken back", "earlier", "earlier"]


def test_what_is_in_use_is_not_promoted_twice(store, model_file):
    file = model_file()
    assert store.promote(default_model()) is None and not store.folder.exists()
    store.promote(file, force=True)
    assert store.promote(file) is None and promoted(store) == ["digits-0001.onnx"]


def test_the_last_ten_are_kept_and_those_taken_back_go_first(store, model_file):
    for seed in range(KEPT):
        store.promote(model_file(accuracies={}, seed=seed))
    store.rollback("digits")
    store.promote(model_file(accuracies={}, seed=20))
    assert [one.number for one in store.promoted("digits")] == [*range(1, KEPT), KEPT + 1]
    store.promote(model_file(accuracies={}, seed=21))
    assert [one.number for one in store.promoted("digits")] == [*range(2, KEPT), KEPT + 1, KEPT + 2]


@pytest.mark.parametrize("content", [b"", b"no model" * 50, None])
def test_a_broken_file_is_refused_and_named(content, store, tmp_path):
    file = tmp_path / "mine.onnx"
    if content is not None:
        file.write_bytes(content)
    assert refusal(store, file, force=True).startswith(f"{file}: ")


def test_a_file_without_a_card_is_refused(store, model_file):
    assert "no digitd metadata" in refusal(store, model_file(metadata=None), force=True)


def test_a_file_that_could_not_be_read_with_is_refused(store, model_file):
    refusal(store, model_file(side=32), force=True)
    refusal(store, model_file(preprocessing=99), force=True)
    refusal(store, model_file(labels=("blank", "0", "1")), force=True)  # a row model by its labels alone


def test_a_model_whose_answers_are_no_numbers_is_refused(store, with_card):
    file = with_card(default_model(), "nan.onnx", name="nan")
    model = onnx.load(file)
    for weights in model.graph.initializer:
        if numpy_helper.to_array(weights).dtype == np.float32:
            weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) * np.nan, weights.name))
    onnx.save(model, file)
    assert "no probabilities" in refusal(store, file, force=True)


def test_a_pipe_is_refused_without_waiting_for_its_writer(store, tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    assert "no file" in refusal(store, tmp_path / "pipe.onnx")


def test_a_model_that_reads_worse_is_refused_with_both_figures_unless_forced(store, model_file):
    store.promote(model_file("good.onnx", accuracies={"mnist test": 0.9951, "mine": 0.7}, seed=1))
    worse = model_file("worse.onnx", accuracies={"mnist test": 0.9801, "mine": 0.99}, seed=2)
    said = refusal(store, worse)
    assert "mnist test 98.01% against 99.51%" in said and "--force" in said and "mine 99" not in said
    assert store.promote(worse, force=True).number == 2


@pytest.mark.parametrize(
    ("there", "here", "taken"),
    [
        (0.99, 0.99, True),
        (0.99, 0.99 - ALLOWED_FALL, True),
        (0.99, 0.99 - ALLOWED_FALL - 1e-6, False),
        (0.99, 1.0, True),
    ],
)
def test_what_learning_a_hand_may_cost_is_no_fault(there, here, taken, store, model_file):
    store.promote(model_file("there.onnx", accuracies={"t": there, "other": 1.0}, seed=1))
    here_file = model_file("here.onnx", accuracies={"t": here, "another": 0.1}, seed=2)
    if taken:
        assert store.promote(here_file).number == 2
    else:
        refusal(store, here_file)


def test_it_is_compared_with_the_shipped_model_where_none_is_promoted(store, model_file):
    assert "99.51%" in refusal(store, model_file(accuracies={"mnist test": 0.5}))


def test_a_broken_model_in_use_can_be_replaced_and_taken_back(store, model_file):
    store.promote(model_file(accuracies={}, seed=1))
    store.in_use("digits").write_bytes(b"the disk forgot")
    entry = store.entries("digits")[0]
    assert entry.state == "in use" and entry.card is None and "not a model" in entry.problem
    store.promote(model_file(accuracies={}, seed=2))
    assert store.entries("digits")[0].card is not None
    store.rollback("digits")
    store.rollback("digits")
    assert store.in_use("digits") is None


def test_an_old_model_that_cannot_be_deleted_keeps_no_new_one_from_being_promoted(store, model_file):
    stuck = store.folder / "digits-0001.onnx"
    (stuck / "no file").mkdir(parents=True)
    for seed in range(KEPT + 1):
        store.promote(model_file(accuracies={}, seed=seed), force=True)
    assert stuck.exists() and [one.number for one in store.promoted("digits")] == [1, *range(3, KEPT + 3)]


def test_other_files_in_the_folder_are_left_alone(store, model_file):
    store.folder.mkdir(parents=True)
    for name in ("digits.onnx", "digits-1.onnx", "readme.txt", "letters-0004.onnx", "digits-0009.onnx.part"):
        (store.folder / name).write_bytes(b"")
    (store.folder / "digits-0000000001.onnx").mkdir()
    assert store.promoted("digits") == []
    store.promote(model_file(accuracies={}))
    assert promoted(store) == ["digits-0001.onnx"] and len(list(store.folder.iterdir())) == 7


def test_what_a_killed_promotion_left_behind_goes_after_an_hour(store, model_file):
    store.folder.mkdir(parents=True)
    old, new = store.folder / ".old.part", store.folder / ".new.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    store.promote(model_file(accuracies={}))
    assert not old.exists() and new.exists()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_another_user_may_read_what_is_promoted(umask, store, model_file):
    file = model_file(accuracies={})
    before = os.umask(umask)
    try:
        told = store.promote(file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(told.path.stat().st_mode) == 0o644
    for folder in (store.folder, store.folder.parent):
        assert stat.S_IMODE(folder.stat().st_mode) & 0o055 == 0o055


def test_a_folder_that_is_none_is_one_line_to_every_reader(model_file, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    store = ModelStore(tmp_path / "file")
    for act in (lambda: store.in_use("rows"), lambda: store.promote(model_file()), lambda: store.entries("rows")):
        with pytest.raises(ModelError, match="DIGITD_MODELS") as caught:
            act()
        assert str(caught.value).startswith(f"{tmp_path / 'file'}: ")
    monkeypatch.setenv("DIGITD_MODELS", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="DIGITD_MODELS"):
        ModelFiles().chosen()


def test_a_folder_that_cannot_be_written_is_one_line(model_file):
    with pytest.raises(ModelError, match="DIGITD_MODELS") as caught:
        ModelStore(Path("/proc/models")).promote(model_file(), force=True)
    assert "\n" not in str(caught.value)


def test_the_folder_is_the_one_named_else_that_of_the_users_data(monkeypatch):
    monkeypatch.setenv("DIGITD_MODELS", "/srv/models")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_folder() == Path("/srv/models")
    monkeypatch.delenv("DIGITD_MODELS")
    assert default_folder() == Path("/data/digitd/models")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_folder() == Path("/home/ada/.local/share/digitd/models")


def test_several_promoted_at_once_are_all_in_line(store, model_file):
    files = [model_file(f"{seed}.onnx", accuracies={}, seed=seed) for seed in range(6)]
    threads = [threading.Thread(target=store.promote, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert promoted(store) == [f"digits-{number:04}.onnx" for number in range(1, 7)]
    assert {one.path.read_bytes() for one in store.promoted("digits")} == {file.read_bytes() for file in files}


def test_several_taken_back_at_once_are_as_many(store, model_file):
    for seed in range(6):
        store.promote(model_file(accuracies={}, seed=seed))
    took = []
    threads = [threading.Thread(target=lambda: took.append(store.rollback("digits").number)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == [2, 3, 4, 5, 6] and promoted(store) == ["digits-0001.onnx"]


def test_one_that_somebody_takes_back_in_the_last_moment_is_not_taken_back_twice(store, model_file, monkeypatch):
    for seed in range(3):
        store.promote(model_file(accuracies={}, seed=seed))
    rename, turns = Path.rename, []

    def late(path, target):
        turns.append(path.name)
        if len(turns) == 1:
            rename(path, target)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    assert store.rollback("digits").number == 2 and promoted(store) == ["digits-0001.onnx"]


def test_a_name_that_somebody_takes_in_the_last_moment_is_left_to_them(store, model_file, monkeypatch):
    file, other = model_file("1.onnx", accuracies={}, seed=1), model_file("2.onnx", accuracies={}, seed=2)
    link = os.link

    def late(source, target):
        if target.name == "digits-0001.onnx":
            target.write_bytes(other.read_bytes())
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert store.promote(file).path.name == "digits-0002.onnx"
    assert (store.folder / "digits-0001.onnx").read_bytes() == other.read_bytes()


def test_a_promotion_killed_at_any_moment_leaves_a_whole_model_in_use(store, model_file):
    """A process promotes and rolls back without end, and is killed; whatever is in use opens."""
    files = [model_file(f"{seed}.onnx", accuracies={}, seed=seed) for seed in range(2)]
    code = (
        "import sys\nfrom pathlib import Path\nfrom edge.model_store import ModelStore\n"
        "store = ModelStore(Path(sys.argv[1]))\nprint('on', flush=True)\n"
        "while True:\n for file in sys.argv[2:]:\n  store.promote(Path(file))\n store.rollback('digits')\n"
    )
    whole = {file.read_bytes() for file in files}
    for turn in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", code, store.folder, *files], stdout=subprocess.PIPE, env={**os.environ}
        )
        assert process.stdout.readline() == b"on\n"
        deadline = time.monotonic() + 20
        while len(promoted(store)) < 1 + turn % 2 and time.monotonic() < deadline:
            time.sleep(0.003 + 0.007 * turn)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert {one.path.read_bytes() for one in store.promoted("digits")} <= whole
        assert ModelStore(store.folder).entries("digits")[0].problem is None


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(st.sampled_from(["promote", "rollback"]), max_size=14))
def test_any_sequence_of_promotions_and_rollbacks_is_a_stack(steps, model_file, tmp_path_factory, monkeypatch):
    """Opening is left out here, for speed: `examined` is tried above."""
    monkeypatch.setattr("edge.model_store.examined", lambda path: ("digits", Recogniser(default_model(), CPU).card))
    monkeypatch.setattr("edge.model_store._compare", lambda *_: None)
    folder = tmp_path_factory.mktemp("stack")
    store, stack, file = ModelStore(folder / "models"), [], folder / "file"
    for count, step in enumerate(steps):
        if step == "promote":
            file.write_bytes(b"%d" % count)
            store.promote(file)
            stack.append(b"%d" % count)
        elif stack:
            store.rollback("digits")
            stack.pop()
        used = store.in_use("digits")
        # Of more than ten the oldest are gone.
        assert (used.read_bytes() if used else None) == (stack[-1] if stack else None)
        kept = [one.path.read_bytes() for one in store.promoted("digits") if not one.taken_back]
        assert kept == stack[-len(kept) :] if kept else not stack
        assert len(store.promoted("digits")) <= KEPT


def test_commands_read_with_named_files_else_promoted_else_shipped(store, model_file, monkeypatch):
    monkeypatch.setenv("DIGITD_MODELS", str(store.folder))
    chosen = ModelFiles().chosen()
    assert (chosen.digits, chosen.rows) == (None, None)
    mine = store.promote(model_file(), force=True).path
    chosen = ModelFiles().chosen()
    assert (chosen.digits, chosen.rows) == (mine, None)
    assert ModelFiles().reader(CPU).recogniser.card.name == "tiny"
    chosen = ModelFiles(default_model(), default_row_model()).chosen()
    assert (chosen.digits, chosen.rows) == (default_model(), default_row_model())
    assert shipped("digits") == default_model() and shipped("rows", "cuda") == default_row_model()


def test_what_is_chosen_is_another_choice_once_a_file_is_written_anew(store, model_file, monkeypatch):
    monkeypatch.setenv("DIGITD_MODELS", str(store.folder))
    for named in (ModelFiles(digits=model_file()), ModelFiles(tuned=model_file()), ModelFiles()):
        before = named.chosen()
        assert named.chosen() == before
        model_file(seed=2)
        assert (named.chosen() == before) == (named == ModelFiles())
    store.promote(model_file(), force=True)
    assert ModelFiles().chosen() != before


def test_a_model_that_is_taken_back_while_it_is_opened_is_not_missed(store, model_file, monkeypatch):
    monkeypatch.setenv("DIGITD_MODELS", str(store.folder))
    store.promote(model_file(), force=True)
    opened = Chosen.reader

    def late(chosen, engine):
        if chosen.digits is not None:
            store.rollback("digits")
        return opened(chosen, engine)

    monkeypatch.setattr(Chosen, "reader", late)
    assert ModelFiles().reader(CPU).recogniser.card.name == "digits"
