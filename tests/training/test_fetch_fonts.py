"""Fonts are taken out of their packages, one of a family, and what cannot be had is said in a line."""

import os
import tarfile
from pathlib import Path

import matplotlib
import pytest
from fontTools.ttLib import TTFont

from edge.errors import ConfigError
from training import fetch_fonts, row_dataset
from training.recipe import RowRecipe, Writers
from training.synth import banks

DEJAVU = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A folder of packages that the `npm` on the path gives out as the registry would."""
    packages, programs = tmp_path / "packages", tmp_path / "bin"
    packages.mkdir()
    programs.mkdir()
    program = programs / "npm"
    program.write_text(f"#!/bin/sh\ncp {packages}/$(basename $3).tgz . || exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return packages


def package(folder, name, **fonts):
    """Write a family's package: fonts by the ends of their names."""
    with tarfile.open(folder / f"{name}.tgz", "w:gz") as archive:
        for end, source in fonts.items():
            path = folder / "packed"
            font = TTFont(source)
            font.flavor = "woff"
            font.save(path)
            archive.add(path, f"package/files/{name}-{end.replace('_', '-')}.woff")


def test_of_a_family_the_usual_upright_latin_font_is_kept(npm, tmp_path):
    sans, bold, slanted = (DEJAVU / f"DejaVuSans{end}.ttf" for end in ("", "-Bold", "-Oblique"))
    package(npm, "two-words", latin_700_normal=bold, latin_400_normal=sans, latin_400_italic=slanted)
    assert fetch_fonts.fetch(tmp_path, "Two Words") is None
    font = TTFont(tmp_path / "two-words.ttf")
    assert font.flavor is None and font["name"].getDebugName(4) == "DejaVu Sans"
    (style,) = banks.of_fonts([tmp_path], printed=False)
    assert not style.printed and all(len(ways) == 1 for ways in style.digits)
    (npm / "two-words.tgz").unlink()
    assert fetch_fonts.fetch(tmp_path, "Two Words") is None  # it is there


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_a_family_that_cannot_be_had_is_named_in_a_line_and_leaves_nothing(npm, tmp_path, content):
    if content is not None:
        (npm / "gone.tgz").write_bytes(content)
    line = fetch_fonts.fetch(tmp_path, "Gone")
    assert line and line.startswith("Gone: not fetched") and "\n" not in line
    assert not list(tmp_path.glob("*.ttf"))


def test_the_list_names_each_family_once():
    import tomllib

    kinds = tomllib.loads(fetch_fonts.LISTED.read_text())
    families = [family for kind in kinds.values() for family in kind]
    assert set(kinds) == {"handwriting", "printed"} and len(set(families)) == len(families) > 400


def test_a_recipe_of_fonts_that_are_not_there_says_how_to_get_them(tmp_path):
    recipe = RowRecipe(reads="rows", name="none", writers=Writers(handwriting=0.1), handwriting=(tmp_path,))
    with pytest.raises(ConfigError, match=rf"{tmp_path}: no font of digits there; `make fonts` fetches some"):
        row_dataset.fonts_of(recipe, recipe.handwriting, held_out=False, printed=False)
