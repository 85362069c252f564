"""The contact sheet shows every label, and what is not shown is counted."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import UsageError
from tests.training.own_pictures.pictures import made, one_line
from training.own_pictures import save_sheet, sheet


def test_the_sheet_shows_every_label_and_how_many_are_not_shown(tmp_path: Path) -> None:
    few, many = (
        sheet(made({"0": 3, "1": 20}), columns=20, lines=1),
        sheet(made({"0": 3, "1": 150}), columns=20, lines=1),
    )
    assert few.shape == many.shape and few.dtype == np.uint8
    dark = [(plane < 128).any(2).sum(0) for plane in (few, many)]
    assert dark[0][-120:].sum() == 0 < dark[1][-120:].sum()  # "and 130 more"
    save_sheet(made({"七": 2, "八": 0}), tmp_path / "sheet.png")
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    with pytest.raises(UsageError) as error:
        save_sheet(made({"0": 1}), tmp_path / "nowhere" / "sheet.png")
    one_line(error, "cannot be written")
