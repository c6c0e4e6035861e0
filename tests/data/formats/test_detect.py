"""A user's own folders are recognised by what lies in them, split by their names, and read with what is whole."""

from __future__ import annotations

import json
import pickle
import shutil

import pytest

from earthgptx.data.formats.detect import own_dataset
from earthgptx.data.formats.folder_layout import split_of
from earthgptx.errors import MalformedDataset, UnknownSensor
from tests.fixtures.make_own import (
    SQUARE,
    coco_content,
    make_coco,
    make_faulty_coco,
    make_faulty_yolo,
    make_geojson,
    make_geotiff,
    make_labelme,
    make_yolo,
    picture,
    yolo_line,
)
from tests.fixtures.voc_file import bndbox, voc_object, write_voc

LINE = yolo_line(0, (20, 30, 60, 70))
WHOLE = {"image_id": 1, "category_id": 1, "bbox": [20, 30, 40, 40]}
DOTA = "40 20 60 40 40 60 20 40 plane 0\n"


def own(path):
    found = own_dataset(path, sensor="optical", name="own")
    # The builder hands it to other processes, which multiprocessing does by pickle: our own object, from no file.
    return pickle.loads(pickle.dumps(found))


def everything(found):
    return {split: list(found.read(split)) for split in found.splits}


def ids(found):
    return [item.id for items in everything(found).values() for item in items]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("images/train/a.jpg", "train"),
        ("valid/labels", "val"),
        ("annotations/instances_val2017.json", "val"),
        ("test.json", "test"),
        ("Training", "train"),
        ("train/a_test_of_strength.txt", "test"),
        ("training_data/contest", "train"),
        ("latest/terrain", None),
        ("", None),
    ],
)
def test_splits_are_told_by_names(tmp_path, path, split):
    assert split_of((tmp_path / path).relative_to(tmp_path)) == split


def test_yolo_of_ultralytics_and_of_roboflow(tmp_path):
    yaml = "path: .\ntrain: images/train\nval: images/val\nnames: {0: ship}\n"
    make_yolo(tmp_path / "a", {"train/1": [LINE], "train/2": [LINE], "val/3": [LINE]}, yaml=yaml)
    found = own(tmp_path / "a")
    assert (found.format, found.splits, found.holds_dialogues) == ("YOLO", ("train", "val"), False)
    assert ids(found) == ["own/train/1", "own/train/2", "own/val/3"]
    (tmp_path / "a" / "data.yaml").write_text("names: {0: ship}", encoding="utf-8")  # names of folders tell it, too
    assert ids(own(tmp_path / "a")) == ids(found)
    for split, folder in (("train", "train"), ("val", "valid"), ("test", "test")):
        picture(tmp_path / "b" / folder / "images" / f"{split}.jpg")
        write(tmp_path / "b" / folder / "labels" / f"{split}.txt", LINE)
    write(tmp_path / "b" / "data.yaml", "train: ../train/images\nnames: ['Large Ship']\n")
    found = own(tmp_path / "b")
    assert ids(found) == ["own/train/train", "own/val/val", "own/test/test"]
    assert next(found.read("test")).objects[0].label == "large ship"
    assert ids(own(tmp_path / "b" / "data.yaml")) == ids(found)


def make_north_and_south(root, yaml):
    make_yolo(root, {"north/1": [LINE], "north/2": [LINE], "south/3": [LINE]}, yaml=f"names: [ship]\n{yaml}")
    found = own(root)
    return {split: [item.path.stem for item in items] for split, items in everything(found).items()}


@pytest.mark.parametrize(
    "yaml",
    [
        "train: images/north\nval: images/south",
        "path: .\ntrain: [images/north]\nvalid: ./images/south",
        "path: ../somewhere/else\ntrain: images/north\nval: images/south/",
        "path: /home/them/set\ntrain: ../images/north\nval: images/south\ntest:",
        "train: north.txt\nval: [south.txt]",
    ],
)
def test_a_data_yaml_tells_the_splits(tmp_path, yaml):
    (tmp_path / "north.txt").write_text("./images/north/1.jpg\n/home/them/images/north/2.jpg\n", encoding="utf-8")
    (tmp_path / "south.txt").write_text("images\\south\\3.jpg\r\n", encoding="utf-8")
    assert make_north_and_south(tmp_path, yaml) == {"train": ["1", "2"], "val": ["3"]}


def test_no_image_is_in_two_splits_of_a_data_yaml(tmp_path):
    assert make_north_and_south(tmp_path, "train: images/north\nval: images/north") == {"train": ["1", "2", "3"]}


def test_what_a_data_yaml_names_and_is_not_there_is_left_to_the_folders(tmp_path):
    assert make_north_and_south(tmp_path, "train: images/east\nval: 7") == {"train": ["1", "2", "3"]}


def test_images_that_a_list_names_and_are_not_there_are_reported(tmp_path):
    (tmp_path / "all.txt").write_text("images/north/1.jpg\nimages/north/9.jpg\nimages/north/1.jpg\n", encoding="utf-8")
    make_yolo(tmp_path, {"north/1": [LINE]}, yaml="names: [ship]\ntrain: all.txt")
    broken = []
    assert [image.id for image in own(tmp_path).read("train", broken.append)] == ["own/train/north/1"]
    assert [item.reason.split(":")[0] for item in broken] == [
        "it is listed 2 times, and read once.",
        "its image does not exist",
    ]


def test_a_yaml_of_something_else_does_not_matter(tmp_path):
    make_yolo(tmp_path, {"a": [LINE]})
    write(tmp_path / "compose.yaml", "x: !custom [")
    assert ids(own(tmp_path)) == ["own/train/a"]
    write(tmp_path / "data.yaml", "names: [")
    with pytest.raises(MalformedDataset, match=r"data\.yaml is not YAML"):
        own(tmp_path)


def test_yolo_in_one_folder_with_a_list_of_names(tmp_path):
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", LINE)
    with pytest.raises(MalformedDataset, match=r"no class names; looked for a data\.yaml"):
        own(tmp_path)
    write(tmp_path / "classes.txt", "ship\n")
    found = own(tmp_path)
    assert (found.format, ids(found)) == ("YOLO", ["own/train/a"])


@pytest.mark.parametrize("place", ["a.json", "annotations/instances_train2017.json", "train/_annotations.coco.json"])
@pytest.mark.parametrize("images", ["images", "train", "train2017", "images/train", "."])
def test_coco_wherever_file_and_images_lie(tmp_path, place, images):
    path = make_coco(tmp_path, coco_content(("Big-Ship",), [WHOLE], num_images=1), place=place, images=images)
    for found in (own(tmp_path), own(path)):
        assert found.format == "COCO"
        assert ids(found) == ["own/train/1"]
        assert next(found.read("train")).objects[0].label == "big ship"


def test_coco_of_several_files(tmp_path):
    for split in ("train", "val"):
        content = coco_content(("ship",), [WHOLE], num_images=1)
        make_coco(tmp_path, content, place=f"annotations/{split}.json", images=split)
    assert [image.path.parent.name for items in everything(own(tmp_path)).values() for image in items] == [
        "train",
        "val",
    ]
    make_coco(tmp_path, coco_content(("ship",), [WHOLE], num_images=1), place="annotations/more_train.json")
    assert ids(own(tmp_path)) == [
        "own/train/annotations/more_train/1",
        "own/train/annotations/train/1",
        "own/val/1",
    ]


def test_voc_with_lists_and_with_folders(tmp_path):
    objects = [voc_object("ship", bndbox((21, 31, 60, 70)))]
    for name in ("a", "b", "c"):
        picture(tmp_path / "v" / "JPEGImages" / f"{name}.jpg")
        write_voc(tmp_path / "v" / "Annotations" / f"{name}.xml", f"{name}.jpg", (160, 120), objects)
    assert ids(own(tmp_path / "v")) == ["own/train/a", "own/train/b", "own/train/c"]
    write(tmp_path / "v" / "ImageSets" / "Main" / "train.txt", "c\na\n")
    write(tmp_path / "v" / "ImageSets" / "Main" / "val.txt", "b\n")
    found = own(tmp_path / "v")
    assert (found.format, ids(found)) == ("Pascal VOC", ["own/train/c", "own/train/a", "own/val/b"])
    lists = tmp_path / "v" / "ImageSets" / "Main"
    (lists / "train.txt").rename(lists / "trainval.txt")
    assert ids(own(tmp_path / "v")) == ["own/val/b"]  # a part of which is val
    (lists / "val.txt").rename(lists / "test.txt")
    assert ids(own(tmp_path / "v")) == ["own/train/c", "own/train/a", "own/test/b"]
    for split in ("train", "test"):
        shutil.copytree(tmp_path / "v" / "Annotations", tmp_path / "w" / split / "Annotations")
        shutil.copytree(tmp_path / "v" / "JPEGImages", tmp_path / "w" / split / "JPEGImages")
    assert len(ids(own(tmp_path / "w"))) == len(set(ids(own(tmp_path / "w")))) == 6


def test_dota_labelme_geojson(tmp_path):
    for split in ("train", "val"):
        picture(tmp_path / "d" / split / "images" / "P1.png")
        write(tmp_path / "d" / split / "labelTxt" / "P1.txt", f"imagesource:x\ngsd:1\n{DOTA}")
    found = own(tmp_path / "d")
    assert (found.format, ids(found)) == ("DOTA", ["own/train/P1", "own/val/P1"])

    (tmp_path / "l").mkdir()
    path = make_labelme(tmp_path / "l", "a", [{"label": "ship", "shape_type": "polygon", "points": SQUARE}])
    for place in (tmp_path / "l", path):
        found = own(place)
        assert (found.format, ids(found)) == ("LabelMe", ["own/train/a"])

    make_geotiff(tmp_path / "g" / "harbour.tif")
    ring = [[500_000 + 2 * x, 5_800_000 - 2 * y] for x, y in [*SQUARE, SQUARE[0]]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    make_geojson(tmp_path / "g" / "labels.geojson", [{"properties": {"class": "Ship"}, "geometry": geometry}])
    for place in (tmp_path / "g", tmp_path / "g" / "labels.geojson"):
        found = own(place)
        assert (found.format, ids(found)) == ("GeoJSON", ["own/train/harbour"])
    make_geotiff(tmp_path / "g" / "other.tif")
    with pytest.raises(MalformedDataset, match=r"needs its GeoTIFF beside it: labels\.tif"):
        own(tmp_path / "g")


@pytest.mark.parametrize("name", ["talk.json", "talk.jsonl"])
def test_dialogues(tmp_path, name):
    picture(tmp_path / "images" / "a.jpg")
    turns = [{"from": "human", "value": "What is marked?"}, {"from": "gpt", "value": "<Region 1>: a ship"}]
    record = {"image": "a.jpg", "bbox": [[20, 30, 40, 40]], "conversations": turns}
    text = json.dumps([record]) if name.endswith("json") else json.dumps(record)
    for place in (write(tmp_path / name, text), tmp_path):
        found = own(place)
        assert (found.format, found.holds_dialogues) == ("dialogues", True)
        (sample,) = found.read("train")
        assert sample.id.startswith("own/train/")
        assert len(sample.regions) == 1


def test_folders_of_one_split_keep_their_ids_apart(tmp_path):
    for place in ("north", "south"):
        picture(tmp_path / place / "images" / "1.jpg")
        write(tmp_path / place / "labels" / "1.txt", LINE)
    write(tmp_path / "classes.txt", "ship")
    assert ids(own(tmp_path)) == ["own/train/north/labels/1", "own/train/south/labels/1"]


def test_a_strangers_sets_are_read_with_what_is_whole(tmp_path):
    for make, counts, num_broken in ((make_faulty_yolo, [2, 1, 0], 9), (make_faulty_coco, [2, 1], 7)):
        root = tmp_path / make.__name__
        make(root)
        broken = []
        images = list(own(root).read("train", broken.append))
        assert [len(image.objects) for image in images] == counts
        assert len(broken) == num_broken
        assert all(item.reason.endswith(".") and item.source == "own" for item in broken)
        with pytest.raises(MalformedDataset):
            list(own(root).read("train"))


def test_what_is_not_recognised_is_said(tmp_path):
    with pytest.raises(MalformedDataset, match="does not exist"):
        own(tmp_path / "nowhere")
    with pytest.raises(UnknownSensor, match="'lidar'"):
        own_dataset(tmp_path, sensor="lidar", name="own")
    picture(tmp_path / "a.jpg")
    write(tmp_path / "readme.txt", "Ships of the north.\n")
    write(tmp_path / "notes.json", '{"by": "me"}')
    for place in (tmp_path, tmp_path / "notes.json", tmp_path / "readme.txt"):
        with pytest.raises(MalformedDataset, match=r"looked for COCO .*VOC.*YOLO.*DOTA.*LabelMe.*GeoJSON.*dialogues"):
            own(place)
    write(tmp_path / "labels.json", '{"images": [')
    for place in (tmp_path, tmp_path / "labels.json"):
        with pytest.raises(MalformedDataset, match=r"labels\.json is not JSON"):
            own(place)
