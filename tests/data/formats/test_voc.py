"""Pascal VOC's XML: boxes from 1 with their last pixel, turned boxes, outlines, and what is wrong with a file."""

from __future__ import annotations

import math

import pytest

from earthgptx.data.formats import voc
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_own import SIZE, SQUARE, picture
from tests.fixtures.voc_file import bndbox, voc_object, write_voc

WHOLE = bndbox((21, 31, 60, 70))  # the square: pixels 21 to 60 counted from 1


def read(root, **options):
    options = {"dataset": "own", "split": "train", "sensor": "optical", "name_of": str.lower} | options
    return list(voc.read_folder(root / "Annotations", root / "JPEGImages", **options))


def make(root, name, *objects, size=SIZE, file_name=None, **options):
    picture(root / "JPEGImages" / f"{name}.jpg")
    write_voc(root / "Annotations" / f"{name}.xml", file_name or f"{name}.jpg", size, objects, **options)


def only(root, **options):
    (image,) = read(root, **options)
    (item,) = image.objects
    return item


def test_boxes_count_from_one_and_include_their_last_pixel(tmp_path):
    make(tmp_path, "a", voc_object("Ship", WHOLE))
    assert only(tmp_path).box == Box(20, 30, 60, 70)
    assert only(tmp_path).label == "ship"
    assert only(tmp_path, is_inclusive=False).box == Box(21, 31, 60, 70)


def test_a_whole_image_is_a_box(tmp_path):
    make(tmp_path, "a", voc_object("x", bndbox((1, 1, SIZE[0], SIZE[1]))))
    assert only(tmp_path).box == Box(0, 0, *SIZE)


@pytest.mark.parametrize(
    "element",
    [
        "<robndbox><cx>40</cx><cy>50</cy><w>20</w><h>10</h><angle>0.785398163</angle></robndbox>",
        "<rotated_bndbox><rotated_bbox_cx>40</rotated_bbox_cx><rotated_bbox_cy>50</rotated_bbox_cy>"
        "<rotated_bbox_w>20</rotated_bbox_w><rotated_bbox_h>10</rotated_bbox_h>"
        "<rotated_bbox_theta>45</rotated_bbox_theta></rotated_bndbox>",
    ],
)
def test_turned_boxes_by_centre_size_and_angle(tmp_path, element):
    make(tmp_path, "a", voc_object("ship", element))
    item = only(tmp_path)
    assert item.rotated is not None
    assert item.rotated.area == pytest.approx(200)
    half = (20 + 10) / 2 * math.sqrt(0.5)
    assert (item.box.x0, item.box.y1) == pytest.approx((40 - half, 50 + half))
    first, second = item.rotated.points[:2]
    assert (second[0] - first[0], second[1] - first[1]) == pytest.approx((20 * math.sqrt(0.5),) * 2)


@pytest.mark.parametrize(
    "tags",
    [
        ["x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4"],
        [f"{axis}_{place}" for place in ("left_top", "right_top", "right_bottom", "left_bottom") for axis in "xy"],
    ],
)
def test_turned_boxes_by_corners_beside_upright_ones(tmp_path, tags):
    flat = [40, 30, 50, 40, 40, 50, 30, 40]
    corners = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(tags, flat, strict=True))
    make(tmp_path, "a", voc_object("ship", WHOLE, f"<robndbox>{corners}</robndbox>"))
    item = only(tmp_path)
    assert item.box == Box(20, 30, 60, 70)
    assert item.rotated.points == ((40, 30), (50, 40), (40, 50), (30, 40))


@pytest.mark.parametrize(
    "outline",
    [
        "<segm>" + "".join(f"<point>{x:.0f},{y:.0f}</point>" for x, y in SQUARE) + "</segm>",
        "<polygon>"
        + "".join(f"<x{k}>{x}</x{k}><y{k}>{y}</y{k}>" for k, (x, y) in enumerate(SQUARE, start=1))
        + "</polygon>",
    ],
)
def test_outlines(tmp_path, outline):
    make(tmp_path, "a", voc_object("ship", outline), voc_object("ship", bndbox((11, 11, 90, 90)), outline))
    (image,) = read(tmp_path)
    assert [item.box for item in image.objects] == [Box(20, 30, 60, 70), Box(10, 10, 90, 90)]
    assert all(item.polygons[0].points == tuple(SQUARE) for item in image.objects)


def test_difficult_and_unnamed_objects(tmp_path):
    make(tmp_path, "a", voc_object("ship", "<difficult>1</difficult>", WHOLE), voc_object("DontCare", WHOLE))
    assert len(read(tmp_path)[0].objects) == 2
    assert len(read(tmp_path, with_difficult=False)[0].objects) == 1
    assert len(read(tmp_path, passed_over=("DontCare",))[0].objects) == 1


def test_a_missing_size_and_a_stale_file_name(tmp_path):
    make(tmp_path, "a", voc_object("ship", WHOLE), size=(0, 0), file_name="IMG_1.png")
    (image,) = read(tmp_path)
    assert (image.width, image.height) == SIZE
    assert image.path.name == "a.jpg"
    (tmp_path / "JPEGImages" / "a.jpg").rename(tmp_path / "JPEGImages" / "IMG_1.jpg")
    (image,) = read(tmp_path)
    assert (image.id, image.path.name) == ("own/train/a", "IMG_1.jpg")


def test_files_in_other_encodings(tmp_path):
    make(tmp_path, "a", voc_object("café", WHOLE), encoding="iso-8859-1", declares=True)
    assert only(tmp_path).label == "café"


@pytest.mark.parametrize(
    ("name", "encoding", "declared"),
    [
        ("café", "cp1252", None),
        ("café", "cp1252", "utf-8"),
        ("café", "utf-8", "nonsense"),
        ("café", "utf-16", "utf-16"),
        ("飞机", "gbk", None),
        ("飞机", "gbk", "GBK"),
        ("镕", "gbk", "GB2312"),  # a letter that GBK has and GB 2312 has not
        ("飞机", "utf-8-sig", "utf-8"),
    ],
)
def test_files_that_are_not_in_the_encoding_that_they_declare(tmp_path, name, encoding, declared):
    make(tmp_path, "a", voc_object(name, WHOLE))
    path = tmp_path / "Annotations" / "a.xml"
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    path.write_bytes((head + path.read_text(encoding="utf-8")).encode(encoding))
    assert only(tmp_path).label == name


def test_images_and_files_in_nested_folders_and_with_upper_case_endings(tmp_path):
    make(tmp_path, "a", voc_object("ship", WHOLE))
    (tmp_path / "JPEGImages" / "deep").mkdir()
    (tmp_path / "JPEGImages" / "a.jpg").rename(tmp_path / "JPEGImages" / "deep" / "a.JPG")
    (tmp_path / "Annotations" / "a.xml").rename(tmp_path / "Annotations" / "a.XML")
    (image,) = read(tmp_path)
    assert (image.id, image.path.name) == ("own/train/a", "a.JPG")
    assert len(image.objects) == 1


def test_a_name_listed_twice_is_read_once(tmp_path):
    make(tmp_path, "a", voc_object("ship", WHOLE))
    broken = []
    assert len(read(tmp_path, names=["a", "a"], on_broken=broken.append)) == 1
    assert [item.reason for item in broken] == ["the annotation file is listed a second time."]


def test_images_that_nobody_labelled_are_counted(tmp_path, caplog):
    make(tmp_path, "a", voc_object("ship", WHOLE))
    picture(tmp_path / "JPEGImages" / "b.jpg")
    with caplog.at_level("INFO"):
        read(tmp_path)
    assert "1 images more than there are annotation files" in caplog.text


def test_exactly_the_broken_items_are_set_aside(tmp_path):
    make(
        tmp_path,
        "a",
        voc_object("ship", WHOLE),
        voc_object("ship", bndbox((401, 1, 440, 9))),
        voc_object("ship"),
        voc_object("ship", "<bndbox><xmin>1</xmin><ymin>x</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"),
        voc_object("ship", "<segm><point>1,1</point><point>5,5</point></segm>"),
        voc_object("ship", bndbox((9, 9, 5, 5))),
        "<object></object>",
    )
    make(tmp_path, "b", voc_object("ship", WHOLE))
    (tmp_path / "JPEGImages" / "b.jpg").unlink()
    (tmp_path / "Annotations" / "c.xml").write_text("<annotation>", encoding="utf-8")
    (tmp_path / "Annotations" / "d.xml").write_text("<html></html>", encoding="utf-8")
    broken = []
    (image,) = read(tmp_path, on_broken=broken.append, names=["a", "b", "c", "d", "e"])
    assert len(image.objects) == 1
    found = [(item.item.rsplit("/", 1)[-1], item.reason) for item in broken]
    wanted = [
        ("a.xml object 2", "outside"),
        ("a.xml object 3", "neither"),
        ("a.xml object 4", "not a box"),
        ("a.xml object 5", "2 points"),
        ("a.xml object 6", "encloses nothing"),
        ("a.xml object 7", "has no <name>"),
        ("b.xml", "its image does not exist"),
        ("c.xml", "not XML"),
        ("d.xml", "<html>"),
        ("e.xml", "does not exist"),
    ]
    assert [item for item, _ in found] == [item for item, _ in wanted]
    for (_, reason), (_, words) in zip(found, wanted, strict=True):
        assert words in reason


def test_split_lists(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("\ufeffa\nb.jpg 1\n\n0_100_30.5_x\n", encoding="utf-8")
    assert voc.split_names(path) == ["a", "b", "0_100_30.5_x"]
    with pytest.raises(MalformedDataset, match="does not exist"):
        voc.split_names(tmp_path / "val.txt")
