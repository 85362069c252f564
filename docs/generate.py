"""Brings the texts up to date with the program: `make docs`.

    python docs/generate.py [--model FILE]

Writes docs/cli.md from the commands' own help. In README.md and some of docs/ it renews the block
that follows each comment of these kinds:

    <!-- output: digitd ... -->     what that command prints
    <!-- figures -->                the table of accuracies, from the model file and benchmarks/accuracy.json
    <!-- coverage -->               what share of rows can be accepted at which risk, from the same
    <!-- speed -->                  what is quick or slow beside what, from benchmarks/speed.json
    <!-- speed by kind -->          frames by kind of picture, from the same
    <!-- finetune -->               what fine-tuning is worth, from benchmarks/finetune.json
    <!-- fewshot -->                what five examples are, from benchmarks/fewshot.json
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLI = ROOT / "docs" / "cli.md"
TEXTS = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("results", "training", "speed")))
TAUGHT = ROOT / "benchmarks" / "finetune.json"
FEW = ROOT / "benchmarks" / "fewshot.json"
FIGURES = ROOT / "benchmarks" / "accuracy.json"
SPEED = ROOT / "benchmarks" / "speed.json"

COMMANDS = (
    "read",
    "live",
    "run",
    "model",
    "config",
    "service",
    "bench",
    "doctor",
    "train",
    "evaluate",
    "finetune",
    "export",
    "quantize",
    "verify",
)
GROUPS = {
    "model": ("list", "promote", "rollback"),
    "config": ("check", "show", "default", "schema"),
    "service": ("install", "status", "uninstall"),
}
WIDTH = 80  # columns of the help, whatever the terminal

OUTPUT_BLOCK = re.compile(r"<!-- output: (digitd .+?) -->\n```text\n.*?```\n", re.DOTALL)
COVERAGE_BLOCK = re.compile(r"<!-- coverage -->\n(?:\|.*\n)*")
FIGURES_BLOCK = re.compile(r"<!-- figures -->\n(?:\|.*\n)*")
SPEED_BLOCK = re.compile(r"<!-- speed -->\n(?:\|.*\n)*")
KINDS_BLOCK = re.compile(r"<!-- speed by kind -->\n(?:\|.*\n)*")
TAUGHT_BLOCK = re.compile(r"<!-- finetune -->\n(?:\|.*\n)*")
FEW_BLOCK = re.compile(r"<!-- fewshot -->\n(?:\|.*\n)*")


def digitd(*arguments: str) -> str:
    """What `digitd` prints, run from the project's folder."""
    env = {**os.environ, "COLUMNS": str(WIDTH), "TERMINAL_WIDTH": str(WIDTH), "NO_COLOR": "1"}
    command = [sys.executable, "-c", "from edge.cli import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, encoding="utf-8", env=env, timeout=120)
    if done.returncode:
        sys.exit(f"digitd {shlex.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def cli_reference() -> str:
    """docs/cli.md."""
    parts = ["# digitd on the command line\n", "What each command's `--help` says; written by `make docs`.\n"]
    commands = [(name, *sub) for name in COMMANDS for sub in ((), *((one,) for one in GROUPS.get(name, ())))]
    for command in ((), *commands):
        parts.append(f"## {' '.join(('digitd', *command))}\n")
        parts.append(f"```text\n{digitd(*command, '--help').strip()}\n```\n")
    return "\n".join(parts)


def renewed(text: str, model: Path | None = None) -> str:
    """`text` with its blocks as they should be now. model: in place of the shipped one."""

    def output(block: re.Match[str]) -> str:
        arguments = shlex.split(block[1])[1:]
        with_model = ["--model", str(model.resolve())] if model else []
        return f"<!-- output: {block[1]} -->\n```text\n$ {block[1]}\n{digitd(*arguments, *with_model)}```\n"

    text = OUTPUT_BLOCK.sub(output, text)
    text = COVERAGE_BLOCK.sub(lambda _: f"<!-- coverage -->\n{coverage()}", text)
    text = TAUGHT_BLOCK.sub(lambda _: f"<!-- finetune -->\n{finetune()}", text)
    text = FEW_BLOCK.sub(lambda _: f"<!-- fewshot -->\n{fewshot()}", text)
    text = SPEED_BLOCK.sub(lambda _: f"<!-- speed -->\n{speed()}", text)
    text = KINDS_BLOCK.sub(lambda _: f"<!-- speed by kind -->\n{speed_by_kind()}", text)
    return FIGURES_BLOCK.sub(lambda _: f"<!-- figures -->\n{figures(model)}", text)


def coverage() -> str:
    """The table of how many rows can be accepted at which risk."""
    lines = ["| wrong among the accepted, at most | rows accepted | `--min-confidence` |", "|--:|--:|--:|"]
    measured = json.loads(FIGURES.read_text(encoding="utf-8")).get("confidence") if FIGURES.is_file() else None
    for of in measured["coverage"] if measured else []:
        least = "–" if of["confidence"] is None else f"{of['confidence']:.4f}"
        lines.append(f"| 1 in {1 / of['risk']:,.0f} | {of['share']:.1%} | {least} |")
    return "\n".join(lines) + "\n"


def finetune() -> str:
    """The table of strange hands, one a line."""
    lines = [
        "| examples | of the hand, before | after | rows of six, before | after | MNIST "
        "| both models: of the hand | MNIST |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for of in json.loads(TAUGHT.read_text(encoding="utf-8")) if TAUGHT.is_file() else []:
        lines.append(
            f"| {of['examples']} | {of['before']:.1%} | {of['after']:.1%} | {of['rows before']:.0%} "
            f"| {of['rows after']:.0%} | {of['mnist']:+.2f} | {of['together']:.1%} | {of['mnist together']:+.2f} |"
        )
    return "\n".join(lines) + "\n"


def fewshot() -> str:
    """The table of what a prototypical network was taught by five examples."""
    found = json.loads(FEW.read_text(encoding="utf-8"))
    lines = [
        f"| taught | right, before | after | of other writers | MNIST, {found['mnist']:.2%} before |",
        "|---|--:|--:|--:|--:|",
    ]
    for of in found["letters"]:
        name = of["new"] if " " not in of["new"] else f"all ten letters, {of['new']}"
        lines.append(f"| {name} | – | {of['own']:.0%} | {of['others']:.0%} | {of['mnist']:+.2f} |")
    for of in found["hands"]:
        lines.append(f"| a strange hand's digits | {of['before']:.1%} | {of['after']:.1%} | – | {of['mnist']:+.2f} |")
    return "\n".join(lines) + "\n"


def speed() -> str:
    """The table of what is measured beside something else."""
    from benchmarks.speed import LINES, cells

    lines = ["| what | measured | beside | measured | ratio (quartiles) | goal |", "|---|--:|---|--:|--:|--:|"]
    found = json.loads(SPEED.read_text(encoding="utf-8"))["lines"]
    lines += [f"| {' | '.join(cells(name, found[name]))} |" for name in LINES if name in found]
    return "\n".join(lines) + "\n"


def speed_by_kind() -> str:
    """The table of frames by kind of picture."""
    from benchmarks.accuracy import KINDS

    lines = ["| pictures | ms a frame | slowest tenth | unavoidable | times as long |", "|---|--:|--:|--:|--:|"]
    for kind, found in json.loads(SPEED.read_text(encoding="utf-8"))["kinds"].items():
        least = sum(found["unavoidable_ms"].values())
        lines.append(
            f"| {KINDS[kind][0]} | {found['ms']:.1f} | {found['slowest_tenth_ms']:.1f} | {least:.1f} "
            f"| {found['ms'] / least:.1f} |"
        )
    return "\n".join(lines) + "\n"


def figures(model: Path | None = None) -> str:
    """The table of accuracies; what has not been measured is a dash."""
    from benchmarks.accuracy import KINDS
    from edge.engine import EngineConfig
    from edge.recogniser import Recogniser

    measured = json.loads(FIGURES.read_text(encoding="utf-8"))["kinds"] if FIGURES.is_file() else {}
    mnist = Recogniser(model, EngineConfig("cpu")).card.accuracies.get("mnist test")
    mnist_cells = f"10,000 | {_share(mnist, 2)} | {_interval(mnist, 10_000, 2)}"
    lines = [
        "| pictures | count | digitd | 95 % interval | one threshold, one contour a digit | PP-OCRv6 |",
        "|---|--:|--:|--:|--:|--:|",
        f"| MNIST's test set, single digits | {mnist_cells} | | |",
    ]
    for kind, (title, simple, peer, *_) in KINDS.items():
        found = measured.get(kind)
        share = found["right"] / found["count"] if found else None
        count = found["count"] if found else None
        lines.append(
            f"| {title} | {count or '–'} | {_share(share)} | {_interval(share, count)} | {simple:.0%} | {peer:.0%} |"
        )
    return "\n".join(lines) + "\n"


def _share(share: float | None, places: int = 1) -> str:
    return "–" if share is None else f"**{share:.{places}%}**"


def _interval(share: float | None, count: int | None, places: int = 1) -> str:
    if share is None or count is None:
        return "–"
    from benchmarks.accuracy import wilson

    low, high = wilson(round(share * count), count)
    return f"{low:.{places}%} to {high:.{places}%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="in place of the shipped one")
    model = parser.parse_args().model
    CLI.write_text(cli_reference(), encoding="utf-8")
    for path in TEXTS:
        path.write_text(renewed(path.read_text(encoding="utf-8"), model), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # for benchmarks, which is not installed
    main()
