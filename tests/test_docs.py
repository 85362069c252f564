"""The texts say what the program does: help, options, outputs, figures, links, and make's targets."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

by_name = pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code(text: str) -> str:
    """What of a Markdown text is code: fenced blocks and `spans`."""
    fences = re.findall(r"^```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return "\n".join(fences + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.M)))


def test_the_cli_reference_is_what_the_commands_say(generate: ModuleType) -> None:
    assert generate.CLI.read_text(encoding="utf-8") == generate.cli_reference(), "run `make docs`"


def test_the_cli_reference_holds_every_command(generate: ModuleType) -> None:
    listed = generate.digitd("--help").partition("Commands:\n")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^  (\w+) ", listed, re.MULTILINE)) == sorted(generate.COMMANDS)


@by_name
def test_commands_and_options_in_the_texts_exist(path: Path, generate: ModuleType) -> None:
    reference = generate.CLI.read_text(encoding="utf-8")
    for line in re.findall(r"\bdigitd ((?:--)?[a-z].*)", code(path.read_text(encoding="utf-8"))):
        command, *words = re.split(r"\s*#", line)[0].split()
        if command.startswith("-"):
            assert command in reference, line
            continue
        if command not in generate.COMMANDS:
            assert path == generate.CLI, f"{path.name} names `digitd {command}`"  # there, digitd also stands in prose
            continue
        section = "".join(re.findall(rf"^## digitd {command}\b.*?(?=^## |\Z)", reference, re.DOTALL | re.MULTILINE))
        for option in (word for word in words if re.match(r"--?[a-z]", word)):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", section), f"{command} has no {option}"


def test_outputs_in_the_texts_are_the_programs(generate: ModuleType) -> None:
    def texts_alone(text: str) -> str:
        return re.sub(r"\s*\d+\.\d+", " #", text)  # probabilities and times differ a little between machines

    for path in generate.TEXTS:
        text = path.read_text(encoding="utf-8")
        assert any(
            block.search(text) for block in (generate.OUTPUT_BLOCK, generate.TAUGHT_BLOCK, generate.SPEED_BLOCK)
        ), path
        assert texts_alone(text) == texts_alone(generate.renewed(text)), f"{path.name}: run `make docs`"


def test_figures_in_the_readme_are_those_measured(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    block = generate.FIGURES_BLOCK.search(README.read_text(encoding="utf-8"))
    assert block is not None and block[0] == "<!-- figures -->\n" + generate.figures(), "run `make docs`"


def test_the_readmes_python_reads_both_rows() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["40718", "862935"], done.stderr


@by_name
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.is_file(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings], target


@by_name
def test_targets_of_make_in_the_texts_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    helped = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert makefile.count(".PHONY: " + " ".join(helped)) == 1, "targets with help are those that are phony, in order"
    variables = re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE)
    for line in re.findall(r"(?:^|`)make((?: [\w-]+(?:=\S*)?)*)", code(path.read_text(encoding="utf-8")), re.MULTILINE):
        for word in line.split():
            name, given, _ = word.partition("=")
            assert name in (variables if given else helped), f"make {word}"
