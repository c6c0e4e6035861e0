"""SAR-AIRcraft-1.0: seven types as on disk, and the split lists."""

from __future__ import annotations

from earthgptx.data.datasets import DATASETS, sar_aircraft
from earthgptx.shapes import Box
from tests.fixtures.make_sar_aircraft import make_sar_aircraft


def test_every_type_has_its_label(tmp_path):
    make_sar_aircraft(tmp_path, "train")
    first, empty = sar_aircraft.read(tmp_path, "train")
    labels = ["a220", "a320/a321", "a330", "arj21", "boeing 737", "boeing 787", "other airplane"]
    assert [item.label for item in first.objects] == labels
    assert first.objects[0].box == Box(0, 10, 18, 30)
    assert empty.objects == ()


def test_splits_are_the_lists(tmp_path):
    make_sar_aircraft(tmp_path, "test")
    assert [image.id for image in sar_aircraft.read(tmp_path, "test")] == [
        "sar_aircraft/test/0000201",
        "sar_aircraft/test/0000202",
    ]
    assert not DATASETS["sar_aircraft"].has(tmp_path, "val")


def test_a_listed_image_without_annotation_is_said(tmp_path):
    make_sar_aircraft(tmp_path, "val")
    (tmp_path / "SAR-AIRcraft-1.0" / "Annotations" / "0000101.xml").unlink()
    broken = []
    assert len(list(sar_aircraft.read(tmp_path, "val", broken.append))) == 1
    assert "annotation file does not exist" in broken[0].reason
