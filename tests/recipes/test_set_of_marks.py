"""The plate of docs/recaption.md: made by rule, readable, small, and the one that is committed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from recipes.set_of_marks import plate

COMMITTED = Path(__file__).parents[2] / "docs" / "set_of_marks.webp"


def test_the_committed_plate_is_the_one_that_is_drawn():
    drawn = plate()
    with Image.open(COMMITTED) as committed:
        assert committed.size == drawn.size
        difference = np.abs(np.asarray(committed.convert("RGB"), dtype=int) - np.asarray(drawn, dtype=int))
    assert difference.mean() < 12  # what compression leaves of the speckle
    assert COMMITTED.stat().st_size < 150_000
