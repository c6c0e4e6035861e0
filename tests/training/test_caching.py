"""Images are opened once; a file that has changed since is opened again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from earthgptx.data.freeform import FIXED_MARKS
from earthgptx.data.orientation import oriented
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.feature_store import FeatureStore, feature_key, file_stamp
from earthgptx.processing.processor import Processor
from earthgptx.shapes import Box
from earthgptx.training.caching import fill_store, open_store, wanted_windows
from tests.tiny_model import picture, tiny_model, tiny_processor


def fill(store: FeatureStore, images: list[LabelledImage], model: EarthGPTX, processor: Processor) -> None:
    fill_store(store, images, [wanted_windows(image, processor, 0) for image in images], model, processor)


def test_a_changed_file_is_noticed_and_an_old_name_is_taken_at_its_word(tmp_path: Path):
    model, processor, path = tiny_model(), tiny_processor(), tmp_path / "1.png"
    Image.fromarray(picture((40, 30))).save(path)
    image = LabelledImage("vhr10/train/1", path, "vhr10", "optical", 40, 30, (), (), None)
    store = open_store(tmp_path / "features", model)
    fill(store, [image], model, processor)
    first = store.image_keys[image.id]
    fill(store, [image], model, processor)
    assert len((store.folder / "images.jsonl").read_text().splitlines()) == 1
    Image.fromarray(255 - picture((40, 30))).save(path)
    assert store.known_key(image.id, file_stamp(path)) is None
    fill(store, [image], model, processor)
    second = store.image_keys[image.id]
    assert first != second
    assert len(store.index) == 2
    store._lock.close()
    with (store.folder / "images.jsonl").open("a") as file:
        file.write(json.dumps(["early", "abc"]) + "\n")
    again = open_store(tmp_path / "features", model)
    assert again.image_keys == {image.id: second, "early": "abc"}
    assert again.known_key(image.id, file_stamp(path)) == second
    assert again.known_key(image.id, (1, 1)) is None
    assert again.known_key("early", file_stamp(path)) == "abc"


def test_a_turned_image_is_cached_with_its_pixels_turned(tmp_path: Path):
    model, processor, path = tiny_model(), tiny_processor(), tmp_path / "1.png"
    Image.fromarray(picture((40, 30))).save(path)
    Image.fromarray(picture((40, 30))[::-1]).save(tmp_path / "2.png")
    image = LabelledImage("vhr10/train/1", path, "vhr10", "optical", 40, 30, (), (), None)
    other = LabelledImage("vhr10/train/2", tmp_path / "2.png", "vhr10", "optical", 40, 30, (), (), None)
    store = open_store(tmp_path / "features", model)
    fill(store, [image, oriented(image, 2), other], model, processor)
    assert store.image_keys["vhr10/train/1~2"] == store.image_keys["vhr10/train/2"]
    assert store.image_keys["vhr10/train/1"] != store.image_keys["vhr10/train/2"]


def test_what_another_folder_holds_is_read_and_never_written(tmp_path: Path):
    model, processor, path = tiny_model(), tiny_processor(), tmp_path / "1.png"
    Image.fromarray(picture((40, 30))).save(path)
    Image.fromarray(picture((40, 30), 1)).save(tmp_path / "2.png")
    image = LabelledImage("vhr10/train/1", path, "vhr10", "optical", 40, 30, (), (), None)
    other = LabelledImage("vhr10/train/2", tmp_path / "2.png", "vhr10", "optical", 40, 30, (), (), None)
    lower = open_store(tmp_path / "lower", model)
    fill(lower, [image], model, processor)
    before = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in lower.folder.iterdir()}
    layered = open_store(tmp_path / "own", model, [tmp_path / "lower"])  # while the other still writes
    fill(layered, [image, other], model, processor)
    assert len(layered.index) == 1
    keys = [feature_key(layered.image_keys[one.id], Box(0, 0, 40, 40)) for one in (other, image, other)]
    found = layered.read(keys)
    assert torch.equal(found.vit[1], lower.read(keys[1:2]).vit[0])
    assert torch.equal(found.vit[0], found.vit[2])
    assert not torch.equal(found.vit[0], found.vit[1])
    assert {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in lower.folder.iterdir()} == before
    Image.fromarray(255 - picture((40, 30))).save(path)  # what lies below is stale now
    fill(layered, [image], model, processor)
    assert layered.image_keys[image.id] != lower.image_keys[image.id]
    assert len(layered.index) == 2


def test_a_folder_without_features_cannot_be_read_from(tmp_path: Path):
    with pytest.raises(BrokenCheckpoint, match="holds no features"):
        open_store(tmp_path / "own", tiny_model(), [tmp_path / "nothing"])


def test_boxes_alone_ask_for_fewer_windows():
    objects = (LabelledObject(box=Box(300, 300, 320, 320), label="ship"),)
    image = LabelledImage("vhr10/train/1", Path("1.png"), "vhr10", "optical", 448, 400, objects, (), None)
    every, boxes = (wanted_windows(image, tiny_processor(), 0, marks) for marks in (FIXED_MARKS, ("box",)))
    assert set(boxes) < set(every)
