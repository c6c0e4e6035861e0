"""Images are opened once; a file that has changed since is opened again."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from earthgptx.data.orientation import oriented
from earthgptx.data.sample import LabelledImage
from earthgptx.model.feature_store import file_stamp
from earthgptx.training.caching import fill_store, open_store
from tests.tiny_model import picture, tiny_model, tiny_processor


def test_a_changed_file_is_noticed_and_an_old_name_is_taken_at_its_word(tmp_path: Path):
    model, processor, path = tiny_model(), tiny_processor(), tmp_path / "1.png"
    Image.fromarray(picture((40, 30))).save(path)
    image = LabelledImage("vhr10/train/1", path, "vhr10", "optical", 40, 30, (), (), None)
    store = open_store(tmp_path / "features", model)
    fill_store(store, [image], model, processor, seed=0)
    first = store.image_keys[image.id]
    fill_store(store, [image], model, processor, seed=0)
    assert len((store.folder / "images.jsonl").read_text().splitlines()) == 1
    Image.fromarray(255 - picture((40, 30))).save(path)
    assert store.known_key(image.id, file_stamp(path)) is None
    fill_store(store, [image], model, processor, seed=0)
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
    fill_store(store, [image, oriented(image, 2), other], model, processor, seed=0)
    assert store.image_keys["vhr10/train/1~2"] == store.image_keys["vhr10/train/2"]
    assert store.image_keys["vhr10/train/1"] != store.image_keys["vhr10/train/2"]
