"""YOLO's text labels: boxes, oriented boxes and segments, class names, and what is wrong with a line."""

from __future__ import annotations

import pytest

from earthgptx.data.formats import yolo
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_own import SQUARE, YOLO_NAMES, make_faulty_yolo, make_yolo, yolo_corners, yolo_line


def read(root, **options):
    options = {"dataset": "own", "split": "train", "sensor": "infrared", "name_of": str.lower} | options
    options.setdefault("names", dict(enumerate(YOLO_NAMES)))
    return list(yolo.read_folder(root / "labels", root / "images", **options))


def approx(box):
    return pytest.approx((box.x0, box.y0, box.x1, box.y1), abs=1e-3)


def corners(box):
    return (box.x0, box.y0, box.x1, box.y1)


def test_boxes_are_fractions_of_the_image(tmp_path):
    make_yolo(tmp_path, {"a": [yolo_line(1, (20, 30, 60, 70)), "", "  "], "deep/b": []})
    first, second = read(tmp_path)
    assert (first.id, second.id) == ("own/train/a", "own/train/deep/b")
    (item,) = first.objects
    assert corners(item.box) == approx(Box(20, 30, 60, 70))
    assert item.label == "storage_tank"
    assert second.objects == ()


def test_eight_numbers_are_corners_unless_the_folder_holds_segments(tmp_path):
    turned = [(40, 30), (50, 40), (40, 50), (30, 40)]
    make_yolo(tmp_path, {"a": [yolo_corners(0, turned)]})
    (item,) = read(tmp_path)[0].objects
    assert item.rotated is not None
    assert not item.has_mask
    assert corners(item.box) == approx(Box(30, 30, 50, 50))
    make_yolo(tmp_path, {"b": [yolo_corners(0, [*SQUARE, (10, 50)])]})
    (item,) = read(tmp_path)[0].objects
    assert item.rotated is None
    assert item.polygons[0].area == pytest.approx(200, rel=1e-3)
    (item,) = read(tmp_path, kind="oriented")[0].objects
    assert item.rotated is not None


def test_exactly_the_broken_items_are_set_aside(tmp_path, caplog):
    broken = []
    with caplog.at_level("INFO"):
        images = read(make_faulty_yolo(tmp_path), on_broken=broken.append)
    assert [(image.id, len(image.objects)) for image in images] == [
        ("own/train/a", 2),
        ("own/train/b", 1),
        ("own/train/bare", 0),
    ]
    found = [(item.item.rsplit("/", 1)[-1], item.reason) for item in broken]
    wanted = [
        ("lost.txt", "its image does not exist"),
        ("b.txt line 2", "class 7 has no name: there are 2"),
        ("b.txt line 3", "outside the image of 160 x 120"),
        ("b.txt line 4", "not 3"),
        ("b.txt line 5", "40 is no fraction"),
        ("b.txt line 6", "encloses nothing"),
        ("b.txt line 7", "not a class and fractions"),
        ("b.txt line 8", "finite"),
        ("torn.jpg", "cannot be read"),
    ]
    assert [item for item, _ in found] == [item for item, _ in wanted]
    for (_, reason), (_, words) in zip(found, wanted, strict=True):
        assert words in reason
    assert "1 of 4 images" in caplog.text


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("data.yaml", "names: [ship, tank]", {0: "ship", 1: "tank"}),
        ("data.yaml", "names:\n  0: ship\n  5: tank\n", {0: "ship", 5: "tank"}),
        ("data.yaml", "names: {'1': 3}", {1: "3"}),
        ("classes.txt", "ship\n\nlarge tank\n", {0: "ship", 2: "large tank"}),
        ("obj.names", "ship\r\ntank", {0: "ship", 1: "tank"}),
    ],
)
def test_class_names(tmp_path, name, text, names):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert yolo.class_names(tmp_path / name) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: [", "not YAML"),
        ("- a", "holds no fields"),
        ("nc: 3", "names no classes"),
        ("names: ship", "neither a list"),
        ("names: {a: b}", "neither a list"),
    ],
)
def test_class_names_that_are_none(tmp_path, text, message):
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(MalformedDataset, match=message):
        yolo.class_names(tmp_path / "data.yaml")
    with pytest.raises(MalformedDataset, match="do not exist"):
        yolo.class_names(tmp_path / "classes.txt")


def test_a_yaml_cannot_run_code(tmp_path):
    (tmp_path / "data.yaml").write_text("names: !!python/object/apply:os.getcwd []", encoding="utf-8")
    with pytest.raises(MalformedDataset, match="not YAML"):
        yolo.class_names(tmp_path / "data.yaml")


def test_labels_in_other_encodings_and_with_upper_case_endings(tmp_path):
    make_yolo(tmp_path, {"a": [yolo_line(0, (20, 30, 60, 70))]})
    path = tmp_path / "labels" / "a.txt"
    path.with_suffix(".TXT").write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    path.unlink()
    assert len(read(tmp_path)[0].objects) == 1
    (tmp_path / "classes.txt").write_bytes("船\r\n飞机".encode("gbk"))
    assert yolo.class_names(tmp_path / "classes.txt") == {0: "船", 1: "飞机"}


def test_images_that_differ_only_by_their_ending_are_reported(tmp_path):
    make_yolo(tmp_path, {"a": []})
    (tmp_path / "images" / "a.png").write_bytes((tmp_path / "images" / "a.jpg").read_bytes())
    broken = []
    assert len(read(tmp_path, on_broken=broken.append)) == 1
    assert "same name" in broken[0].reason
