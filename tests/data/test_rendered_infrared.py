"""The rendered night: seeded, within its frame, and with objects where it says they are."""

from __future__ import annotations

import numpy as np
import pytest

from earthgptx.data.rendered_infrared import HEIGHT, WIDTH, render_night


@pytest.fixture(scope="module", params=[0, 1, 20])
def night(request):
    return render_night(seed=request.param)


def patch(night, box):
    grey = np.asarray(night.image)
    return grey[int(box.y0) : int(box.y1) + 1, int(box.x0) : int(box.x1) + 1]


def test_the_picture_has_a_thermal_cameras_frame(night):
    assert night.image.mode == "L"
    assert night.image.size == (WIDTH, HEIGHT) == (640, 512)


def test_every_object_lies_inside_and_has_its_size(night):
    sizes = {"car": (20, 60), "person": (8, 22), "bicycle": (15, 32)}
    assert {label for label, _ in night.objects} == set(sizes)
    for label, box in night.objects:
        assert 0 <= box.x0 < box.x1 <= WIDTH
        assert 0 <= box.y0 < box.y1 <= HEIGHT
        low, high = sizes[label]
        assert low <= max(box.width, box.height) <= high


def test_people_are_hot_and_bicycles_cold(night):
    assert all(patch(night, box).max() > 200 for box in night.boxes_of("person"))
    assert all(patch(night, box).min() < 105 for box in night.boxes_of("bicycle"))
    assert all(patch(night, box).min() < 95 for box in night.boxes_of("car"))  # cold glass


def test_a_seed_is_a_picture(night):
    assert (np.asarray(render_night(seed=3).image) == np.asarray(render_night(seed=3).image)).all()
    assert (np.asarray(render_night(seed=3).image) != np.asarray(render_night(seed=4).image)).any()
