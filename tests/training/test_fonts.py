"""Labels of any script are drawn where a font is there, and told by their code points where none is."""

import io
import warnings

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure

from training.fonts import DEFAULT, covered, drawable

NUMERALS = list("零一二三四五六七八九")


@pytest.fixture
def fonts(monkeypatch):
    """`fonts(paths)`: those are the fonts of this machine, beside matplotlib's own."""
    manager = font_manager.fontManager
    own = [entry for entry in manager.ttflist if entry.name.startswith(("DejaVu", "STIX", "Last Resort"))]
    monkeypatch.setattr(manager, "ttflist", own)

    def install(paths=()):
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: [str(path) for path in paths])
        manager._findfont_cached.cache_clear()

    install()
    yield install
    manager._findfont_cached.cache_clear()


def made_font(path, family, chars):
    """A font that draws each of `chars` as a bar."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 700), (500, 700), (500, 0)):
        pen.lineTo(point)
    pen.closePath()
    bar = pen.glyph()
    names = [".notdef", *(f"u{ord(char):X}" for char in chars)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(char): name for char, name in zip(chars, names[1:], strict=True)})
    builder.setupGlyf(dict.fromkeys(names, bar))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def drawn(texts, families):
    figure = Figure()
    for number, text in enumerate(texts):
        figure.text(0.1, number / 20, text, fontfamily=families, parse_math=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO())


def test_what_the_default_font_draws_is_left_to_it(fonts):
    labels = ["0", "reject", "٣", "é", "β"]
    assert drawable(labels) == (labels, [DEFAULT])


def test_without_a_font_code_points_stand_for_labels_and_the_others_stay(fonts):
    texts, families = drawable(["7", *NUMERALS[:2], "十二", "a一"])
    assert texts == ["7", "U+96F6", "U+4E00", "U+5341 U+4E8C", "U+0061 U+4E00"]
    assert families == [DEFAULT]
    drawn(texts, families)
    with pytest.raises(UserWarning, match="missing"):
        drawn(["一"], families)  # as it would be without


def test_a_font_that_was_installed_since_matplotlib_looked_is_found(fonts, tmp_path):
    path = made_font(tmp_path / "han.ttf", "Made Han", NUMERALS)
    fonts([path])
    texts, families = drawable(["7", *NUMERALS])
    assert texts == ["7", *NUMERALS] and families == [DEFAULT, "Made Han"]
    assert font_manager.findfont(font_manager.FontProperties(family=["Made Han"])) == str(path)
    drawn(texts, families)
    assert drawable(NUMERALS) == (NUMERALS, families)  # and again


def test_the_font_that_draws_most_is_taken_and_others_fill_in(fonts, tmp_path):
    few = made_font(tmp_path / "few.ttf", "A Few", [*NUMERALS[:3], "あ"])
    most = made_font(tmp_path / "most.ttf", "Most", NUMERALS[:9])
    fonts([few, most])
    texts, families = drawable([*NUMERALS, "あ"])
    assert families == [DEFAULT, "Most", "A Few"]
    assert texts == [*NUMERALS[:9], "U+4E5D", "あ"]
    drawn(texts, families)


def test_a_font_that_draws_boxes_for_everything_is_none(fonts):
    assert any(entry.name.startswith("Last Resort") for entry in font_manager.fontManager.ttflist)
    assert drawable(["一"])[0] == ["U+4E00"]


def test_a_broken_font_is_passed_over(fonts, tmp_path):
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"\0\1\0\0 no font")
    fonts([broken, tmp_path / "gone.ttf", made_font(tmp_path / "han.ttf", "Made Han", NUMERALS)])
    assert drawable(NUMERALS)[0] == NUMERALS


@pytest.mark.parametrize("label", ["\n", "a\tb", "\x00", "\u202e1", "\ud800", "\U0010fffd"])
def test_what_cannot_be_seen_becomes_its_code_points(fonts, label):
    (text,), families = drawable([label])
    assert text.startswith("U+") and text.isprintable() and len(text) < 40
    drawn([text], families)


def test_a_long_label_is_cut(fonts):
    assert drawable(["a" * 400])[0] == ["a" * 11 + "…"]
    assert len(drawable(["一" * 400])[0][0]) < 40


def test_a_font_of_this_machine_is_found_for_what_the_default_lacks():
    default = font_manager.findfont(DEFAULT)
    others = [chr(code) for code in (*range(0x900, 0x1200), *range(0x3041, 0x30FF), *range(0x4E00, 0x4E80))]
    lacking = [char for char in others if char.isprintable() and not covered(default, char)]
    for path in font_manager.findSystemFonts():
        if "LastResort" not in path and (chars := sorted(covered(path, lacking))):
            break
    else:
        pytest.skip("needs a font that draws what DejaVu Sans does not")
    texts, families = drawable(chars[:5])
    assert texts == chars[:5] and len(families) > 1
    drawn(texts, families)


def test_chinese_numerals_are_drawn_without_a_warning_whatever_fonts_are_here():
    texts, families = drawable(NUMERALS)
    drawn(texts, families)
    assert all(text == label or text == f"U+{ord(label):04X}" for text, label in zip(texts, NUMERALS, strict=True))
