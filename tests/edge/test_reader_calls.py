"""How often the reader asks its models: no more often than it must, and all at once."""

import cv2
import numpy as np

from edge import Reader
from edge.engine import EngineConfig
from edge.imaging.ink import find_local_inks
from tests.edge.pages import TEXTS, texts_of


class Counting:
    """A session that counts what it is asked to run."""

    def __init__(self, session):
        self.session, self.batches = session, []

    def run(self, outputs, inputs, *rest):
        self.batches.append(len(inputs["crops"]))
        return self.session.run(outputs, inputs, *rest)


def counted(reader):
    """What is asked of the reader's model of single digits from now on."""
    engine = reader.recogniser._engine
    engine._session = Counting(engine._session)
    return engine._session


def strips_shown(reader, monkeypatch):
    """What the row model is shown from now on."""
    asked = []
    own = reader.row_model.log_probs
    monkeypatch.setattr(reader.row_model, "log_probs", lambda strips: (asked.extend(strips), own(strips))[1])
    return asked


def test_rows_that_the_row_model_is_sure_of_ask_no_other(pages):
    reader = Reader(engine=EngineConfig("cpu"))
    counting = counted(reader)
    unasked = []
    for page, text in zip(pages, TEXTS, strict=True):
        before = len(counting.batches)
        right = texts_of(reader.read(page.image)) == [text]
        unasked += [right] * (len(counting.batches) == before)
    assert len(unasked) > 5 and all(unasked)


def test_all_digits_of_a_picture_are_judged_in_one_call(pages, monkeypatch):
    for name in ("SURE", "SURE_AGAIN"):
        monkeypatch.setattr(f"edge.whole.{name}", 2.0)  # of a probability, which none reaches
    reader = Reader(engine=EngineConfig("cpu"))
    counting = counted(reader)
    width = max(page.image.shape[1] for page in pages[:4])
    sheet = np.vstack(
        [np.pad(p.image, ((0, 0), (0, width - p.image.shape[1])), constant_values=235) for p in pages[:4]]
    )
    rows = reader.read(sheet)
    assert len(rows) == 4
    assert len(counting.batches) == 1 and counting.batches[0] >= sum(len(row.text) for row in rows)
    reader.read(pages[5].image)
    assert len(counting.batches) == 2
    reader.read(np.full((100, 100), 255, np.uint8))
    assert len(counting.batches) == 2  # nothing to judge, nothing to run


def test_rows_that_two_looks_agree_on_ask_no_other(pages, monkeypatch):
    monkeypatch.setattr("edge.whole.SURE", 2.0)
    reader = Reader(engine=EngineConfig("cpu"))
    counting = counted(reader)
    rows = [reader.read(page.image) for page in pages]
    assert len(counting.batches) < len(pages) / 2
    assert sum(texts_of(row) == [text] for row, text in zip(rows, TEXTS, strict=True)) >= len(pages) - 1


def test_edges_and_dirt_beside_a_sure_row_are_not_looked_at_but_what_may_be_a_digit_is(pages, monkeypatch):
    reader = Reader(engine=EngineConfig("cpu"))
    asked = strips_shown(reader, monkeypatch)
    page = pages[0].image
    alone = texts_of(reader.read(page))
    shown = len(asked)
    sheet = np.pad(page, ((0, 400), (0, 400)), constant_values=235)
    below = page.shape[0]
    tall = int(reader.read(page)[0].digits[0].box[3])
    for x in range(60, sheet.shape[1] - 60, 6 * tall):
        cv2.circle(sheet, (x, below + 60), max(5, tall // 5), 20, -1)  # dirt
        cv2.rectangle(sheet, (x + tall // 3, below + 58), (x + tall // 3 + 2, below + 60), 20, -1)  # with a speck
    cv2.rectangle(sheet, (40, below + 150), (sheet.shape[1] - 40, below + 160), 20, -1)  # an edge
    asked.clear()
    assert texts_of(reader.read(sheet)) == alone and len(asked) == shown
    middle = sheet.shape[1] // 2
    cv2.line(sheet, (middle, below + 250), (middle, below + 250 + tall), 20, max(3, tall // 9))
    asked.clear()
    assert len(reader.read(sheet)) >= len(alone) and len(asked) == shown + 1


def test_what_no_digits_can_be_made_of_at_first_sight_is_not_looked_at_again(monkeypatch):
    """A row overwritten with another, of which the row model finds every text very unlikely."""
    reader = Reader(engine=EngineConfig("cpu"))
    asked = strips_shown(reader, monkeypatch)
    sheet = np.full((300, 900), 235, np.uint8)
    cv2.putText(sheet, "4071263", (40, 90), cv2.FONT_HERSHEY_SIMPLEX, 2, 20, 4)
    for text, left in (("8893460", 30), ("0643988", 50)):
        cv2.putText(sheet, text, (left, 220), cv2.FONT_HERSHEY_SIMPLEX, 2, 20, 4)
    assert texts_of(reader.read(sheet)) == ["4071263"] and len(asked) == 2


def test_what_is_hardly_a_row_is_looked_at_again_unless_a_sure_one_of_as_many_digits_stands_beside(monkeypatch):
    """Digits overwritten with others, of which the row model finds no text likely."""
    reader = Reader(engine=EngineConfig("cpu"))
    asked = strips_shown(reader, monkeypatch)
    sheet = np.full((300, 900), 235, np.uint8)
    for text, left in (("8893460", 30), ("0643988", 35)):
        cv2.putText(sheet, text, (left, 220), cv2.FONT_HERSHEY_SIMPLEX, 2, 20, 4)
    reader.read(sheet)
    assert len(asked) > 1
    for beside, shown in (("4071", 6), ("40712639", 2)):
        page = cv2.putText(sheet.copy(), beside, (40, 90), cv2.FONT_HERSHEY_SIMPLEX, 2, 20, 4)
        asked.clear()
        assert beside in texts_of(reader.read(page)) and len(asked) == shown


def test_a_row_that_is_likely_but_not_sure_is_looked_through_again_alone(pages, monkeypatch):
    """In ink like its own; where nothing is likely, all of the picture is, in ink of both kinds."""
    reader = Reader(engine=EngineConfig("cpu"))
    asked = strips_shown(reader, monkeypatch)
    sought = []

    def seeking(grey, lights=(False, True)):
        sought.append(list(lights))
        return find_local_inks(grey, lights)

    monkeypatch.setattr("edge.reader.find_local_inks", seeking)
    row = pages[1].image
    sheet = np.pad(row, ((0, 300), (0, 500)), constant_values=235)
    for x in (60, 200, 340):  # crosses, of which nothing is read for sure
        cv2.putText(sheet, "xX", (x, row.shape[0] + 150), cv2.FONT_HERSHEY_SIMPLEX, 2, 20, 4)
    for picture, light in ((sheet, False), (255 - sheet, True)):
        asked.clear()
        texts = texts_of(reader.read(picture))
        as_whole = len(asked)
        with monkeypatch.context() as patch:
            patch.setattr("edge.reader._CONTENT", 1.1)  # of a probability, which none reaches
            asked.clear()
            assert TEXTS[1] in texts_of(reader.read(picture)) and TEXTS[1] in texts
            alone = len(asked) - as_whole
            patch.setattr("edge.reader._LIKELY", (1.1, 3))
            asked.clear()
            assert TEXTS[1] in texts_of(reader.read(picture))
        assert alone == 1 < len(asked) - as_whole
        assert sought == [[light], [False, True]]
        sought.clear()
