"""`digitd evaluate`: the table, the page, what changed pixels cost; and one line for what cannot be."""

import json
from pathlib import Path

import pytest

from edge.errors import DigitdError, UsageError
from training import checkpoint, cli
from training.recipe import Recipe


@pytest.fixture
def best(small_network, tmp_path) -> Path:
    """The small network as a run leaves it."""
    path = tmp_path / "run" / "best.pt"
    path.parent.mkdir()
    recipe = Recipe.model_validate({"name": "small", "network": {"width": 8, "dropout": 0.1}})
    checkpoint.save(path, small_network, recipe, checkpoint.Facts(1, 1.0, {}, (), (*"0123456789", "reject")))
    epoch = {"epoch": 1, "training_loss": 1, "validation_loss": 1, "validation_accuracy": {"mnist": 0.9}}
    path.with_name("history.jsonl").write_text(json.dumps(epoch) + "\n")
    return path


def test_a_checkpoint_is_shown_on_a_page_with_its_training_and_what_changed_pixels_cost(
    best, taken_for_mnist, tmp_path, capsys
):
    cli.evaluate(best, taken_for_mnist, tmp_path / "seen", adversarial=True, attacked=20)
    said = capsys.readouterr().out
    page = (tmp_path / "seen" / "index.html").read_text()
    figures = json.loads((tmp_path / "seen" / "report.json").read_text())
    assert f"{best} on MNIST's test set: {figures['right']} of 330 right, {figures['accuracy']:.2%}" in said
    assert [one["epsilon"] for one in figures["attacked"]] == [0, 0.05, 0.1, 0.2, 0.3]
    assert all(one["count"] == 20 and f"{one['pgd']:.2%}" in said for one in figures["attacked"])
    assert said.endswith(f"\n{tmp_path / 'seen' / 'index.html'}\n")
    assert "Its training" in page and "HiResCAM" in page and "changed on purpose" in page


def test_without_options_there_is_the_table_alone(best, taken_for_mnist, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli.evaluate(best, taken_for_mnist)
    assert len(capsys.readouterr().out.splitlines()) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_model_file_cannot_be_attacked(digitd, tmp_path):
    done = digitd("evaluate", "--adversarial", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == b""
    assert done.stderr.decode().strip() == (
        "digitd: --adversarial needs gradients, which the shipped model has not; name a checkpoint, "
        "such as runs/mnist/best.pt"
    )


def test_a_folder_that_cannot_be_made_is_told_before_the_work(best, taken_for_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr("training.evaluate.evaluate", lambda *_: pytest.fail("the work was begun"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no folder can be made there"):
        cli.evaluate(best, taken_for_mnist, tmp_path / "file")


def test_a_missing_library_is_one_line_with_the_mend(best, taken_for_mnist, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "training.report", raising=False)
    monkeypatch.delattr("training.report", raising=False)
    with pytest.raises(DigitdError, match=r"training needs jinja2: pip install 'digitd\[training\]'"):
        cli.evaluate(best, taken_for_mnist, tmp_path / "seen")
    assert not (tmp_path / "seen").exists()


def test_a_model_file_is_evaluated_without_torch_and_without_what_draws(digitd, taken_for_mnist, tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'matplotlib', 'jinja2', 'onnx']));"
        "from training import cli, mnist;"
        "mnist.MD5.update((name, __import__('hashlib').md5(open(f'{sys.argv[1]}/{name}', 'rb').read()).hexdigest())"
        " for name in mnist.MD5);"
        "import pathlib; cli.evaluate(None, pathlib.Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, taken_for_mnist], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert b"the shipped model on MNIST's test set" in done.stdout


def test_ones_own_pictures_are_asked_in_place_of_mnists(digitd, tmp_path, stroke_digits):
    import cv2

    for label in (3, 8):
        folder = tmp_path / "own" / str(label)
        folder.mkdir(parents=True)
        for number, crop in enumerate(stroke_digits.crops[stroke_digits.labels == label][:3]):
            page = 235 - cv2.copyMakeBorder(cv2.resize(crop, (84, 84)), 40, 40, 40, 40, cv2.BORDER_CONSTANT) // 2
            cv2.imwrite(str(folder / f"{number}.png"), page)
    (tmp_path / "own" / "3" / "broken.png").write_bytes(b"no picture")
    done = digitd("evaluate", "--folder", tmp_path / "own")
    said = done.stdout.decode()
    assert done.returncode == 0 and " of 6 right" in said and "own" in said.splitlines()[-1]
    assert b"broken.png" in done.stderr and b"Traceback" not in done.stderr
