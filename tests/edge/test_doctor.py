"""`digitd doctor`: the facts, and a mend for each problem."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import doctor
from edge.commands.doctor import lines

Digitd = Callable[..., subprocess.CompletedProcess[bytes]]


def test_all_is_told_and_all_is_well_here(digitd: Digitd) -> None:
    done = digitd("doctor", "--json", "--provider", "cpu")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"") and report["can_read"] is True
    facts = report["facts"]
    assert set(facts) >= {"system", "packages", "opencv", "model", "provider", "self_test"}
    assert {"digitd", "numpy", "opencv-python"} <= set(facts["packages"])
    assert facts["provider"]["obtained"] == ["CPUExecutionProvider"]
    assert facts["model"]["card"]["labels"] and facts["opencv"]["codecs"]["JPEG"] != "NO"
    assert "FFMPEG" in facts["opencv"]["video_backends"] and facts["system"]["usable_cores"] >= 1
    assert facts["self_test"]["wrong"] == [] and facts["self_test"]["right"] >= 5


def test_on_paper_each_part_has_its_line(digitd: Digitd) -> None:
    said = digitd("doctor").stdout.decode()
    for topic in ("system", "packages", "OpenCV", "model", "provider", "cameras", "self-test"):
        assert f" {topic} " in said
    assert said.splitlines()[-1] in ("All is well.", "digitd can read; see WARNING above.")


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_a_model_that_cannot_be_used_is_a_problem_with_its_mend(
    content: bytes | None, digitd: Digitd, tmp_path: Path
) -> None:
    model = tmp_path / "m.onnx"
    if content is not None:
        model.write_bytes(content)
    done = digitd("doctor", "--model", model)
    said = done.stdout.decode()
    assert done.returncode == 78 and done.stderr == b""
    problem, mend = next(
        (line, after)
        for line, after in zip(said.splitlines(), said.splitlines()[1:], strict=False)
        if line.startswith("PROBLEM")
    )
    assert str(model) in problem and "->" in mend
    assert said.endswith("see PROBLEM above.\n")


def test_packages_that_overwrite_each_other_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"onnxruntime": "1.30", "onnxruntime-gpu": "1.31", "opencv-python": "5.0", "opencv-python-headless": "5.0"}
    monkeypatch.setattr(doctor, "_installed", there.get)
    report = doctor.Report()
    doctor._packages(report)
    warnings = [finding for finding in report.findings if finding.level == "warning"]
    assert len(warnings) == 2 and report.can_read
    assert {finding.mend for finding in warnings} == {
        "pip uninstall onnxruntime onnxruntime-gpu, then pip install onnxruntime-gpu",
        "pip uninstall opencv-python opencv-python-headless, then pip install opencv-python",
    }


def test_cameras_are_named_in_order_and_those_not_to_be_opened_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices, names = tmp_path / "dev", tmp_path / "names"
    devices.mkdir()
    for device in ("video10", "video2", "video-not"):
        (devices / device).touch()
        (names / device).mkdir(parents=True)
        (names / device / "name").write_text(f"Camera {device}\n")
    (devices / "video3").touch()
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: path.name != "video10")
    assert list(doctor.cameras_seen(devices, names)) == [
        {"device": str(devices / "video2"), "name": "Camera video2", "readable": True},
        {"device": str(devices / "video3"), "name": "unnamed", "readable": True},
        {"device": str(devices / "video10"), "name": "Camera video10", "readable": False},
    ]


def test_a_part_that_fails_keeps_none_from_being_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: object) -> None:
        raise OSError("no such thing")

    monkeypatch.setattr(doctor, "_opencv", fails)
    report = doctor.examine(tmp_path / "gone.onnx", "cpu")
    topics = [finding.topic for finding in report.findings]
    assert not report.can_read and {"system", "packages", "OpenCV", "model", "cameras", "self-test"} <= set(topics)
    assert any("OSError: no such thing" in line for line in lines(report))


def test_the_samples_rows_are_grouped_by_picture_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("a.png\t12\nb.png\t3\na.png\t45\nfilm.avi\t6\n")
    assert doctor.sample_labels(tmp_path) == [("a.png", ["12", "45"]), ("b.png", ["3"])]
