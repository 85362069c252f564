"""What there is to know of digitd on this machine, and what to do about what is wrong with it."""

import os
import platform
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edge.cores import usable_cores
from edge.errors import ConfigError, DigitdError
from edge.sources.files import PICTURES

if TYPE_CHECKING:
    from edge.model_card import ModelCard

Level = Literal["ok", "note", "warning", "problem"]

SAMPLES = Path(__file__).parent / "samples"
ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
OPENCVS = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)


@dataclass(frozen=True)
class Finding:
    """level: `problem` where digitd cannot read; `warning` where it can, and something is amiss; `note` where
    something is merely not there. mend: what to do about it.
    """

    topic: str
    level: Level
    what: str
    mend: str | None = None


@dataclass
class Report:
    """findings: in the order looked at. facts: the same and more, by topic, for programs."""

    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def can_read(self) -> bool:
        return all(finding.level != "problem" for finding in self.findings)

    def add(self, topic: str, level: Level, what: str, mend: str | None = None) -> None:
        self.findings.append(Finding(topic, level, what, mend))

    def to_json(self) -> dict[str, Any]:
        return {
            "can_read": self.can_read,
            "findings": [asdict(finding) for finding in self.findings],
            "facts": self.facts,
        }


def examine(model: Path | None = None, provider: str = "auto", row_model: Path | None = None) -> Report:
    """Looks at everything; a part that fails is a finding and keeps none of the others from being looked
    at.
    """
    report = Report()
    parts: tuple[tuple[str, Callable[[], None]], ...] = (
        ("system", lambda: _system(report)),
        ("packages", lambda: _packages(report)),
        ("OpenCV", lambda: _opencv(report)),
        ("model", lambda: _models(report, model, row_model, provider)),
        ("cameras", lambda: _cameras(report)),
        ("self-test", lambda: _self_test(report, model, row_model, provider)),
    )
    for topic, look in parts:
        try:
            look()
        except ConfigError as error:
            what, _, mend = str(error).rpartition("; ")
            report.add(topic, "problem", what or mend, mend if what else None)
        except Exception as error:
            mend = "reinstall digitd (pip install --force-reinstall digitd)"
            report.add(topic, "problem", f"{type(error).__name__}: {error}".splitlines()[0], mend)
    return report


def _system(report: Report) -> None:
    cores = usable_cores()
    facts = {
        "os": platform.platform(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "usable_cores": cores,
    }
    report.facts["system"] = facts
    report.add(
        "system",
        "ok",
        f"Python {facts['python']} on {facts['os']}, {cores} of {facts['cores']} cores usable by this process",
    )


def _packages(report: Report) -> None:
    versions = {name: _installed(name) for name in ("digitd", "numpy", "typer", *OPENCVS, *ONNX_RUNTIMES)}
    there = {name: version for name, version in versions.items() if version}
    report.facts["packages"] = there
    report.add("packages", "ok", ", ".join(f"{name} {version}" for name, version in there.items()))
    for kind, module in ((OPENCVS, "cv2"), (ONNX_RUNTIMES, "onnxruntime")):
        several = [name for name in kind if name in there]
        if len(several) > 1:
            keep = next((name for name in several if name in ("opencv-python", "onnxruntime-gpu")), several[0])
            report.add(
                "packages",
                "warning",
                f"{' and '.join(several)} are both installed, and each has overwritten files of {module}",
                f"pip uninstall {' '.join(several)}, then pip install {keep}",
            )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _opencv(report: Report) -> None:
    import cv2

    build = cv2.getBuildInformation()
    codecs = {name: _build_fact(build, name) for name in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF")}
    registry = cv2.videoio_registry
    # A backend may be known and still not be there: the plug-ins are looked for when first asked.
    there = {registry.getBackendName(backend) for backend in registry.getBackends() if registry.hasBackend(backend)}
    backends = sorted(there)
    gui = _build_fact(build, "GUI")
    report.facts["opencv"] = {
        "version": cv2.__version__,
        "codecs": codecs,
        "video_backends": backends,
        "gui": gui,
        "threads": cv2.getNumThreads(),
    }
    video = ", ".join(backends) or "none"
    has_codecs = ", ".join(name for name, fact in codecs.items() if fact != "NO")
    report.add(
        "OpenCV",
        "ok",
        f"{cv2.__version__}; video by {video}; {has_codecs} (JPEG by {codecs['JPEG']}); "
        f"windows by {gui}; {cv2.getNumThreads()} threads",
    )
    if codecs["JPEG"] == "NO" or codecs["PNG"] == "NO":
        report.add("OpenCV", "problem", "built without JPEG or PNG", "pip install --force-reinstall opencv-python")
    if "FFMPEG" not in backends:
        report.add(
            "OpenCV",
            "warning",
            "no FFMPEG: films and network streams cannot be read",
            "pip install opencv-python",
        )
    if sys.platform == "linux" and "V4L2" not in backends:
        report.add("OpenCV", "warning", "no V4L2: cameras cannot be opened", "pip install opencv-python")


def _build_fact(build: str, name: str) -> str:
    found = re.search(rf"^\s*{name}:\s*(.+?)\s*$", build, re.MULTILINE)
    return found[1] if found else "NO"


def _models(report: Report, model: Path | None, row_model: Path | None, provider: str) -> None:
    from edge.engine import EngineConfig, read_card
    from edge.model_files import ModelFiles
    from edge.model_store import shipped

    named = ModelFiles(model, row_model)
    files = named.chosen()
    path, row_path = files.digits or shipped("digits"), files.rows or shipped("rows", provider)
    report.facts["model"] = {"file": str(path), "origin": _origin(named.digits, files.digits)}
    report.facts["row_model"] = {"file": str(row_path), "origin": _origin(named.rows, files.rows)}
    report.facts["provider"] = {"asked": provider}
    reader = named.reader(EngineConfig(provider=provider))
    recogniser = reader.recogniser
    _describe(report, "model", path, recogniser.card)
    _describe(report, "row_model", row_path, read_card(row_path))
    if reader.row_model is None:
        by_choice = recogniser.card.alone
        why = "it was taught a hand that the row model does not know" if by_choice else "the row model has other labels"
        mend = f"to have both, name {row_path} with --row-model" if by_choice else _SURER
        report.add(
            "model", "note", f"rows are read character by character, by {recogniser.card.name} alone: {why}", mend
        )
    report.facts["provider"].update(obtained=list(recogniser.providers), note=recogniser.note)
    report.add("provider", "ok", f"asked for {provider}, runs on {', '.join(recogniser.providers)}")
    if recogniser.note:
        report.add("provider", "note", recogniser.note, None)


_SURER = "for surer rows, promote a row model of the same labels, each a single character"


def _origin(named: Path | None, chosen: Path | None) -> str:
    return "named" if named else "promoted" if chosen else "shipped"


def _describe(report: Report, fact: str, path: Path, card: "ModelCard") -> None:
    report.facts[fact].update(card=asdict(card), bytes=path.stat().st_size)
    accuracies = ", ".join(f"{test} {share:.2%}" for test, share in card.accuracies.items())
    report.add(
        "model",
        "ok",
        f"{path} ({report.facts[fact]['origin']}, {path.stat().st_size // 1024} KiB): {card.name}, "
        f"labels {' '.join(card.labels)}; {accuracies or 'no accuracies stated'}; licence {card.licence}",
    )


def _cameras(report: Report) -> None:
    if sys.platform != "linux":
        report.add("cameras", "note", "not looked for on this system", None)
        return
    cameras = list(cameras_seen())
    report.facts["cameras"] = cameras
    for camera in cameras:
        if camera["readable"]:
            report.add("cameras", "ok", f"{camera['device']}: {camera['name']}")
        else:
            report.add(
                "cameras",
                "warning",
                f"{camera['device']}: {camera['name']}: this user may not open it",
                "sudo usermod -aG video $USER, then log in again",
            )
    if not cameras:
        report.add("cameras", "note", "none seen (no /dev/video*)", "plug one in, to read live; pictures need none")


def cameras_seen(
    devices: Path = Path("/dev"), names: Path = Path("/sys/class/video4linux")
) -> Iterator[dict[str, Any]]:
    """Linux's video devices in their order: device, name, readable (whether this user may open it)."""
    for device in sorted(devices.glob("video*"), key=lambda path: (len(path.name), path.name)):
        if not re.fullmatch(r"video\d+", device.name):
            continue
        try:
            mode = device.stat().st_mode
            name = (names / device.name / "name").read_text(errors="replace").strip()
        except OSError:
            mode, name = stat.S_IFCHR, "unnamed"
        if not stat.S_ISDIR(mode):
            readable = os.access(device, os.R_OK | os.W_OK)
            yield {"device": str(device), "name": name, "readable": readable}


def _self_test(report: Report, model: Path | None, row_model: Path | None, provider: str) -> None:
    if any(finding.topic == "model" and finding.level == "problem" for finding in report.findings):
        report.add("self-test", "note", "left out, for there is no model to read with", None)
        return
    from edge.engine import EngineConfig
    from edge.model_card import REJECT
    from edge.model_files import ModelFiles
    from edge.sources.picture import load

    reader = ModelFiles(model, row_model).reader(EngineConfig(provider=provider))
    if {*reader.recogniser.card.labels} - {REJECT} != {*"0123456789"}:
        report.add(
            "self-test", "note", "left out, for the bundled samples are digits, and the model's labels others", None
        )
        return
    right, wrong, start = 0, [], time.perf_counter()
    for name, expected in sample_labels():
        try:
            texts = [row.text for row in reader.read(load(SAMPLES / name))]
        except DigitdError as error:
            report.add("self-test", "problem", str(error), "reinstall digitd")
            return
        if texts == expected:
            right += 1
        else:
            wrong.append(f"{name} as {' '.join(texts) or 'nothing'} in place of {' '.join(expected)}")
    ms = 1000 * (time.perf_counter() - start)
    report.facts["self_test"] = {"right": right, "wrong": wrong, "ms": round(ms, 1)}
    said = f"{right} of {right + len(wrong)} bundled samples read right in {ms:.0f} ms"
    if wrong:
        mend = (
            "with the shipped models: reinstall digitd; with your own: it reads worse than the shipped one; "
            "`digitd model list` shows which is in use, `digitd model rollback` takes it back"
        )
        report.add("self-test", "warning", f"{said}; {'; '.join(wrong)}", mend)
    else:
        report.add("self-test", "ok", said)


def sample_labels(folder: Path = SAMPLES) -> list[tuple[str, list[str]]]:
    """(file name, texts of its rows from top to bottom) of each picture in `labels.tsv`: one line a row of digits,
    the file's name, a tab, the text.
    """
    rows: dict[str, list[str]] = {}
    for line in (folder / "labels.tsv").read_text(encoding="utf-8").splitlines():
        name, _, text = line.partition("\t")
        if Path(name).suffix.lower() in PICTURES:
            rows.setdefault(name, []).append(text)
    return list(rows.items())
