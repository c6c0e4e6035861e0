"""The demo's path from a scene to its files and page, with a fake model in place of nano."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from earthgptx.data.georeference import Georeference
from earthgptx.data.imagery import Scene
from earthgptx.data.sample_scenes import SampleMark, SampleScene, rendered_scene
from earthgptx.inference.answer import Answer, AnsweredMask, AnsweredRegion
from earthgptx.shapes import Box, Ellipse, Mark, Point, Scribble

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def demo(monkeypatch):
    """The recipe as a module, imported the way Python starts it: with its own folder on the path."""
    monkeypatch.syspath_prepend(str(RECIPES))
    for name in ("demo", "demo_page"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import demo

    yield demo
    for name in ("demo", "demo_page"):
        sys.modules.pop(name, None)


class FakeSession:
    """Answers by looking at the question's words; names every region a ship and masks its mark."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.asked: list[tuple[str, tuple[Mark, ...]]] = []

    def ask(self, text, marks=()):
        self.asked.append((text, tuple(marks)))
        has_masks = "segment" in text
        words = "ship" if marks else "3 <ships> & more"
        arrays = [mark.to_mask(self.scene.height, self.scene.width) for mark in marks] if has_masks else []
        regions = tuple(
            AnsweredRegion(
                number=number,
                mark=mark,
                label="" if has_masks else words,
                confidence=0.0 if has_masks else 0.75,
                mask=arrays[number - 1] if has_masks else None,
            )
            for number, mark in enumerate(marks, start=1)
        )
        masks = tuple(AnsweredMask(array, k, None, 0.9) for k, array in enumerate(arrays, start=1))
        return Answer(scene=self.scene, question=text, text=words, regions=regions, masks=masks)

    def reset(self):
        self.asked.append(("reset", ()))


class FakeAssistant:
    def look(self, scene):
        self.session = FakeSession(scene)
        return self.session


class Tags(HTMLParser):
    """Collects tags and checks that they nest."""

    VOID = frozenset({"meta", "img", "input", "br"})

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def sample(tmp_path):
    """A small georeferenced scene with one mark of each kind of the demo."""
    import rasterio
    from rasterio.transform import Affine

    pixels = np.random.default_rng(0).integers(0, 255, (3, 60, 80), dtype=np.uint8)
    profile = {"driver": "GTiff", "width": 80, "height": 60, "count": 3, "dtype": "uint8"}
    where = {"crs": "EPSG:32631", "transform": Affine(4.5, 0, 592317.0, 0, -4.5, 5750102.0)}
    with rasterio.open(tmp_path / "port.tif", "w", **profile, **where) as dataset:
        dataset.write(pixels)
    marks = (
        Box(5, 5, 20, 15),
        Point(40.5, 30.5),
        Ellipse(60, 40, 6, 6),
        Scribble(((10, 40), (20, 50), (30, 45))),
    )
    return SampleScene(
        name="port",
        file="port.tif",
        sensor="optical",
        title="A <port>",
        ground="4.5 m a pixel",
        subject="ship",
        marks=tuple(
            SampleMark(mark, truth) for mark, truth in zip(marks, ("ship", "ship", "tank", "ship"), strict=True)
        ),
        attribution="Nobody & Co.",
    )


def test_each_question_starts_its_own_dialogue_with_marks_where_they_matter(demo, sample, tmp_path):
    assistant = FakeAssistant()
    demo.ask_all(assistant, sample, tmp_path)
    questions = [(text, len(marks)) for text, marks in assistant.session.asked]
    assert [count for text, count in questions if text != "reset"] == [4, 4, 0, 0]
    assert [text for text, _ in questions].count("reset") == 3
    assert "<Region 1>, <Region 2>, <Region 3> and <Region 4>" in questions[2][0]
    assert "ships" in questions[-1][0]


def test_labels_and_masks_are_joined_by_region(demo, sample, tmp_path):
    asked = demo.ask_all(FakeAssistant(), sample, tmp_path)
    for region, item in zip(asked.regions.regions, sample.marks, strict=True):
        assert region.label == "ship"
        assert (region.mask == item.mark.to_mask(60, 80)).all()


def test_the_geojson_lies_on_the_marks(demo, sample, tmp_path):
    asked = demo.ask_all(FakeAssistant(), sample, tmp_path)
    files = demo.write_files(asked, tmp_path)
    collection = json.loads((tmp_path / "port.geojson").read_text())
    georeference = asked.scene.georeference
    assert isinstance(georeference, Georeference)
    marks = [feature for feature in collection["features"] if feature["properties"]["role"] == "mark"]
    assert len(marks) == 4
    lon, lat = marks[1]["geometry"]["coordinates"]
    assert georeference.from_wgs84(lon, lat) == pytest.approx((40.5, 30.5), abs=1e-3)
    assert 4.0 < lon < 4.6
    assert 51.7 < lat < 52.0
    assert all((tmp_path / file).stat().st_size > 0 for file in files)


def test_the_page_is_whole_by_itself(demo, sample, tmp_path):
    asked = demo.ask_all(FakeAssistant(), sample, tmp_path)
    infrared = demo.ask_all(FakeAssistant(), rendered_scene(tmp_path), tmp_path)
    entries = [demo.entry_of(one, demo.write_files(one, tmp_path)) for one in (asked, infrared)]
    page = demo.build_page(entries, model="nano", facts="two cores")
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.count["article"] == 2
    assert tags.count["img"] == 4
    assert "script" not in tags.count
    assert not re.search(r'(src|href)="https?:', page)
    assert "A &lt;port&gt;" in page
    assert "3 &lt;ships&gt; &amp; more" in page
    assert "Nobody &amp; Co." in page
    assert 'rendered">rendered<' in page
    # Three ships of the port; the fake calls cars, people and bicycles ships too.
    assert "3 of 8 regions" in " ".join(page.split())
    assert "prefers-color-scheme: dark" in page


def test_without_the_labelled_sets_the_infrared_scene_is_the_rendered_one(demo, tmp_path):
    scene, folder = demo.infrared_scene(tmp_path, tmp_path / "nowhere")
    assert "rendered" in scene.title
    assert Image.open(folder / scene.file).size == (640, 512)


def test_a_real_thermal_image_takes_its_place(demo, tmp_path):
    root = tmp_path / "hituav"
    (root / "val").mkdir(parents=True)
    (root / "annotations").mkdir()
    Image.new("L", (640, 512), 90).save(root / "val" / demo.REAL_INFRARED)
    boxes = [
        (10, 10, 40, 20, 1),
        (100, 10, 42, 22, 1),
        (200, 50, 10, 14, 0),
        (300, 50, 8, 20, 2),
        (9, 99, 9, 9, 4),
    ]
    content = {
        "images": [{"filename": demo.REAL_INFRARED, "height": 512, "width": 640, "id": 7}],
        "categories": [
            {"id": k, "name": name} for k, name in enumerate(("Person", "Car", "Bicycle", "OtherVehicle", "DontCare"))
        ],
        "annotation": [
            {
                "id": k,
                "image_id": 7,
                "bbox": list(box[:4]),
                "category_id": box[4],
                "segmentation": [],
                "area": 1,
            }
            for k, box in enumerate(boxes)
        ],
    }
    (root / "annotations" / "val.json").write_text(json.dumps(content))
    scene, folder = demo.infrared_scene(tmp_path, tmp_path)
    assert folder == root / "val"
    assert "rendered" not in scene.title
    assert {item.truth for item in scene.marks} == {"car", "person", "bicycle"}
    assert [item.mark.kind for item in scene.marks] == ["box", "ellipse", "point", "scribble"]
    assert scene.marks[0].mark == Box(100, 10, 142, 32)  # the larger of the cars
