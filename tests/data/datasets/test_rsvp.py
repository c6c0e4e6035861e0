"""RSVP's dialogues, in a file or a folder of files."""

from __future__ import annotations

import pytest

from earthgptx.data.datasets import DATASETS, available
from earthgptx.errors import MalformedDataset
from tests.fixtures.make_rsvp import make_rsvp


def read(root, split):
    broken = []
    return list(DATASETS["rsvp"].read(root, split, broken.append)), broken


@pytest.mark.parametrize("is_folder", [True, False])
def test_points_regions_and_whole_images(tmp_path, is_folder):
    make_rsvp(tmp_path, "train", is_folder=is_folder)
    assert DATASETS["rsvp"].has(tmp_path, "train")
    assert not DATASETS["rsvp"].has(tmp_path, "val")
    samples, broken = read(tmp_path, "train")
    kinds = sorted(region.mark.kind for sample in samples for region in sample.regions)
    assert kinds == ["box", "point", "point"]
    assert len({sample.id for sample in samples}) == len(samples) == 3
    assert all(sample.sensor == "optical" and sample.image.is_file() for sample in samples)
    assert [item.reason for item in broken] == [f"its image does not exist: {tmp_path}/rsvp/images holds no c.png."]


def test_a_missing_split_is_said(tmp_path):
    make_rsvp(tmp_path, "train")
    with pytest.raises(MalformedDataset, match="val does not exist"):
        read(tmp_path, "val")


def test_dialogues_are_no_labelled_images_which_is_said_where_they_were_named(tmp_path, caplog):
    make_rsvp(tmp_path, "train")
    assert available(tmp_path, "train") == []
    assert not caplog.records
    assert available(tmp_path, "train", names=("rsvp",)) == []
    assert "rsvp holds dialogues" in caplog.text
