"""SAM's own input: the scene in the upper left corner, SAM's mean around it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tiny_model import tiny_config, tiny_processor


@pytest.mark.parametrize(("width", "height"), [(40, 20), (1, 600), (600, 1)])
def test_it_is_padded_with_the_mean_colour(width: int, height: int):
    processor = tiny_processor(tiny_config(encoder="sam"))
    side = processor.masks.large_image
    large = processor.render_large(np.full((height, width, 3), 9, np.uint8))
    assert large.shape == (3, side, side)
    assert (large[:, 0, 0] == 9).all()
    assert (large[:, -1, -1] == (124, 116, 104)).all()
