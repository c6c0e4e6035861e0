"""Open Images: fractions, groups, masks of another size, attributes and relations, read image by image."""

from __future__ import annotations

import subprocess
import sys
from types import GeneratorType

import pytest

from earthgptx.data.datasets import available, openimages
from earthgptx.data.formats.row_index import RowIndex
from earthgptx.data.sample import Relation
from earthgptx.errors import MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_openimages import BOXES, FIRST, SECOND, make_openimages


def read(root, split):
    broken = []
    return list(openimages.read(root, split, broken.append)), broken


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_objects_masks_attributes_and_relations(tmp_path, split):
    make_openimages(tmp_path, split)
    (first, second), _ = read(tmp_path, split)
    assert [image.id for image in (first, second)] == [f"openimages/{split}/{name}" for name in (FIRST, SECOND)]
    man, guitar = first.objects  # neither the group nor the broken ones
    assert (man.label, guitar.label) == ("man", "guitar")
    assert man.box.iou(Box(20, 20, 80, 90)) == pytest.approx(1)
    assert (man.attributes, guitar.attributes) == (("occluded",), ("depicted",))
    assert first.relations == (Relation(0, "interacts with", 1),)
    (table,) = second.objects
    assert table.label == "kitchen & dining room table, of any kind"
    assert table.attributes == ("wooden",)


def test_a_mask_of_half_the_resolution_is_scaled(tmp_path):
    make_openimages(tmp_path)
    (first, second), _ = read(tmp_path, "train")
    man, guitar = first.objects
    assert not guitar.has_mask
    mask = man.mask(first.height, first.width)
    # 30 x 35 pixels without 5 x 5, twice as large each way; corners are cut by at most a pixel.
    assert abs(int(mask.sum()) - 4 * (30 * 35 - 25)) <= 8
    assert not mask[41:49, 41:49].any()
    assert mask[22:88, 22:39].all()
    assert second.objects[0].mask(100, 200).sum() > 0.99 * 100 * 200


def test_what_is_broken_is_reported_and_the_absent_are_counted(tmp_path):
    make_openimages(tmp_path)
    _, broken = read(tmp_path, "train")
    expected = [
        ("bbox.csv line 5", "class /m/none has no description"),
        ("bbox.csv line 6", "encloses nothing"),
        ("05580497.png", "mask of 100 x 50 pixels is empty"),
        ("00000000.png", "does not exist"),
        ("9a041d52.png", "none of the image's 0 boxes of /m/04bcr3"),
        (f"image {FIRST}, relation 3", "none of the image's 0 boxes"),
        (f"image {FIRST}, relation 4", "attribute /m/unknown has no description"),
        ("train", "1 of the 3 images that it names are not there"),
    ]
    for item, (where, words) in zip(broken, expected, strict=True):
        assert item.item.endswith(where)
        assert words in item.reason
    with pytest.raises(MalformedDataset, match="line 5"):
        list(openimages.read(tmp_path, "train"))


def test_a_part_of_the_images_is_enough_to_train_on(tmp_path):
    make_openimages(tmp_path)
    path = tmp_path / "openimages" / "oidv6-train-annotations-bbox.csv"
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*rows[:3], *rows[6:]]), encoding="utf-8")  # without the broken ones
    for name in ("oidv6-train-annotations-vrd.csv", "train-annotations-object-segmentation.csv"):
        (path.parent / name).unlink()
    broken = []
    images = list(openimages.read(tmp_path, "train", broken.append))
    assert [item.reason for item in broken] == ["1 of the 3 images that it names are not there."]
    assert available(tmp_path, "train", names=("openimages", "openimages")) == images


def test_boxes_of_an_image_in_two_places_are_reported(tmp_path):
    make_openimages(tmp_path)
    path = tmp_path / "openimages" / "oidv6-train-annotations-bbox.csv"
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*rows, rows[1]]), encoding="utf-8")
    images, broken = read(tmp_path, "train")
    assert len(images) == 2
    assert "has boxes of this image in two places" in broken[-2].reason


@pytest.mark.parametrize("fault", [b'"' + b"x" * 200_000, b"\0\0", b"\xff\xfe\x00\xd8"])
@pytest.mark.parametrize("name", ["oidv6-train-annotations-bbox", "oidv7-class-descriptions-boxable"])
def test_what_is_no_csv_is_refused(tmp_path, name, fault):
    make_openimages(tmp_path)
    path = tmp_path / "openimages" / f"{name}.csv"
    path.write_bytes(path.read_bytes() + fault)
    with pytest.raises(MalformedDataset, match=f"{name}.csv is n"):
        read(tmp_path, "train")


def test_a_damaged_mask_is_reported(tmp_path):
    make_openimages(tmp_path)
    for path in (tmp_path / "openimages" / "masks").rglob("*.png"):
        path.write_bytes(path.read_bytes()[:-30])
    images, broken = read(tmp_path, "train")
    assert not any(item.has_mask for image in images for item in image.objects)
    assert sum("is damaged or cut short" in item.reason for item in broken) == 3


def test_boxes_alone_are_enough(tmp_path):
    make_openimages(tmp_path)
    folder = tmp_path / "openimages"
    (folder / "masks").rename(folder / "elsewhere")
    (folder / "oidv6-train-annotations-vrd.csv").unlink()
    (folder / "oidv7-class-descriptions-boxable.csv").rename(folder / "class-descriptions-boxable.csv")
    images, broken = read(tmp_path, "train")
    assert sum(len(image.objects) for image in images) == 3
    assert not any(item.has_mask for image in images for item in image.objects)
    assert len(broken) == 3
    (folder / "class-descriptions-boxable.csv").unlink()
    with pytest.raises(MalformedDataset, match=r"oidv7-class-descriptions-boxable\.csv does not exist"):
        read(tmp_path, "train")


def test_a_missing_column_is_named(tmp_path):
    make_openimages(tmp_path)
    path = tmp_path / "openimages" / "oidv6-train-annotations-bbox.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("XMax,", "X,"), encoding="utf-8")
    with pytest.raises(MalformedDataset, match="no column XMax"):
        read(tmp_path, "train")


PEAK = """
import sys, tracemalloc
from pathlib import Path
from earthgptx.data.datasets import openimages

root = Path(sys.argv[1])
list(openimages.read(root, "train", lambda item: None))  # what is imported or cached once does not count
tracemalloc.start()
assert len(list(openimages.read(root, "train", lambda item: None))) == 2
print(tracemalloc.get_traced_memory()[1])
"""


def peak_of_reading(root):
    """Bytes at the most, in a process of its own: others leave behind what a count would take for the reader's."""
    child = subprocess.run([sys.executable, "-c", PEAK, str(root)], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    return int(child.stdout)


def test_memory_stays_flat_however_many_rows_there_are(tmp_path):
    make_openimages(tmp_path)
    path = tmp_path / "openimages" / "oidv6-train-annotations-bbox.csv"
    few = peak_of_reading(tmp_path)
    _, code, at, flags = BOXES[-1]
    with path.open("a", encoding="utf-8") as lines:
        lines.writelines(f"{number:016x},xclick,{code},1,{at},{flags}\n" for number in range(6000))
    assert peak_of_reading(tmp_path) < few + 1_000_000  # held as mappings, the rows would take 10 MB


def test_images_come_one_by_one(tmp_path):
    make_openimages(tmp_path)
    images = openimages.read(tmp_path, "train")
    assert isinstance(images, GeneratorType)
    path = tmp_path / "openimages" / "oidv6-train-annotations-bbox.csv"
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*rows[:3], *rows[6:]]), encoding="utf-8")  # without the broken ones
    for name in ("oidv6-train-annotations-vrd.csv", "train-annotations-object-segmentation.csv"):
        (path.parent / name).unlink()
    assert next(images).id.endswith(FIRST)
    images.close()


def test_rows_are_found_by_key_in_any_order(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('a,b,c\n1,x,"p, q"\n2,y,r\n"3",x,s\n\n4,x y,t', encoding="utf-8-sig")
    with RowIndex(path, "b") as index:
        assert [row["c"] for row in index.rows("x")] == ["p, q", "s"]
        assert [row["a"] for row in index.rows("x y")] == ["4"]
        assert index.rows("z") == []
    with pytest.raises(MalformedDataset, match="no column 'd'; it has a, b, c"):
        RowIndex(path, "d")
    with pytest.raises(MalformedDataset, match="does not exist"):
        RowIndex(tmp_path / "y.csv", "a")
    path.write_text("a,b\n", encoding="utf-8")
    with RowIndex(path, "a") as empty:
        assert empty.rows("1") == []
