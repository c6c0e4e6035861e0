"""One answer about a scene of any size: what is seen, whose numbers it speaks in, and where its masks lie."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.errors import EmptyImagery, EmptyQuestion, MarkOutsideImage, RegionCountMismatch, TooManyMarks
from earthgptx.geo import big_scene
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.scene_answer import SceneAnswer
from earthgptx.geo.scene_asking import ask_scene, plan_question, shared_windows
from earthgptx.inference.assistant import Assistant, Conversation
from earthgptx.inference.questions import named_regions, narrowed, renumbered
from earthgptx.rasters import fill_rings
from earthgptx.shapes import Box, Ellipse, Mark, Mask, Point, Scribble
from tests.geo.blob_scene import PLACES, Blob, blobs, disc, georeference, write_scene
from tests.geo.seeing_generator import SeeingGenerator
from tests.inference.fake_generator import FakeGenerator

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

SIZE = (1700, 1200)
NEAR = [Blob(300, 300, 9, "red"), Blob(1500, 1000, 9, "green"), Blob(360, 330, 9, "blue")]
SEGMENT = "Segment each marked region."


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_scene, "HELD_PIXELS", 0)


def around(one: Blob, margin: float = 2.0) -> Box:
    reach = one.radius + margin
    return Box(one.x - reach, one.y - reach, one.x + reach, one.y + reach)


def opened(tmp_path: Path, found: list[Blob], size: tuple[int, int] = SIZE, place: str | None = "utm") -> BigScene:
    return BigScene.open(write_scene(tmp_path / "a.tif", found, *size, place), sensor="optical")


def test_marks_are_answered_in_the_users_order_and_numbering(tmp_path: Path):
    generator = SeeingGenerator()
    marks = [around(one) for one in NEAR]
    answer = ask_scene(Assistant(generator), opened(tmp_path, NEAR), "What are they?", marks)
    assert answer.text == "<Region 1>: red\n<Region 2>: green\n<Region 3>: blue"
    assert [region.label for region in answer.regions] == ["red", "green", "blue"]
    assert [region.mark for region in answer.regions] == marks
    assert all(region.confidence == 0.5 for region in answer.regions)
    assert generator.num_looks == 2  # the near ones together
    assert set(generator.sizes) == {(512, 512)}


@pytest.mark.parametrize("place", PLACES)
def test_masks_lie_where_the_objects_are(tmp_path: Path, place: str):
    found = blobs(8, *SIZE)
    scene = opened(tmp_path, found, place=place)
    answer = ask_scene(Assistant(SeeingGenerator()), scene, SEGMENT, [around(one) for one in found])
    content = answer.to_json()
    features = answer.to_geojson()["features"]
    placed = {f["properties"]["region"]: f for f in features if f["properties"]["role"] == "mask"}
    for number, one in enumerate(found, start=1):
        truth = disc(one, *SIZE)
        written = content["masks"][content["regions"][number - 1]["mask"]]
        assert written["region"] == number
        assert (Mask(*written["size"], written["counts"]).to_array() == truth).all()
        assert written["area_px"] == truth.sum()
        feature = placed[number]
        rings = [
            np.array(georeference(place).ring_to_pixels([tuple(at) for at in ring]))
            for polygon in feature["geometry"]["coordinates"]
            for ring in polygon
        ]
        assert (fill_rings(rings, SIZE[1], SIZE[0]) == truth).all()
        metres = 0.25 if place != "degrees" else 1e-5**2 * 111_260 * 68_800
        assert feature["properties"]["area_m2"] == pytest.approx(truth.sum() * metres, rel=4e-3)


@pytest.mark.parametrize("question", ["What is in the whole image?", "Segment all blobs.", "How many?"])
def test_without_marks_the_overview_is_seen(tmp_path: Path, question: str):
    generator = SeeingGenerator()
    answer = ask_scene(Assistant(generator), opened(tmp_path, NEAR), question)
    assert generator.sizes == [(1024, 723)]
    for mask in answer.to_json()["masks"]:
        array = Mask(*mask["size"], mask["counts"]).to_array()
        truth = np.logical_or.reduce([disc(one, *SIZE) for one in NEAR])
        assert (array & truth).sum() / (array | truth).sum() > 0.85


@pytest.mark.parametrize(("question", "view"), [("Zoom out: what are they part of?", "auto"), ("What?", "overview")])
def test_a_question_about_the_whole_sees_all_marks_on_the_overview(tmp_path: Path, question: str, view: Any):
    generator = SeeingGenerator()
    marks = [around(one, 0) for one in NEAR]
    answer = ask_scene(Assistant(generator), opened(tmp_path, NEAR), question, marks, view=view)
    assert generator.sizes == [(1024, 723)]
    assert [region.label for region in answer.regions] == ["red", "green", "blue"]
    assert answer.windows == (Box(0, 0, *SIZE),)


def test_a_question_that_names_regions_is_asked_where_they_are(tmp_path: Path):
    generator = SeeingGenerator()
    marks = [around(one) for one in NEAR]
    scene, assistant = opened(tmp_path, NEAR), Assistant(generator)
    answer = ask_scene(assistant, scene, "What colour is <Region 2>?", marks)
    assert generator.requests[-1].turns[-1].text == "What colour is <Region 1>?"
    assert (answer.text, answer.question) == ("<Region 2>: green", "What colour is <Region 2>?")
    assert [region.label for region in answer.regions] == ["", "green", ""]
    ask_scene(assistant, scene, "Segment <Region 1> and <Region 2>.", marks)
    assert [request.turns[-1].text for request in generator.requests[-2:]] == ["Segment <Region 1>."] * 2
    ask_scene(assistant, scene, "What about region 3?", marks)
    assert generator.requests[-1].turns[-1].text == "What about region 2?"
    answer = ask_scene(assistant, scene, "Compare regions 2 and 3.", marks)
    assert generator.requests[-1].turns[-1].text == "Compare regions 1 and 2."
    assert generator.sizes[-1] == (1024, 723)  # so far apart that only the whole scene holds both
    assert [region.label for region in answer.regions] == ["", "green", "blue"]


def test_a_dialogue_goes_on_in_every_window(tmp_path: Path):
    generator = SeeingGenerator()
    marks = tuple(around(one) for one in NEAR)
    scene, assistant = opened(tmp_path, NEAR), Assistant(generator)
    first = ask_scene(assistant, scene, "What are they?", marks)
    said = Conversation(marks, (Turn("user", first.question), Turn("model", first.text)))
    second = ask_scene(assistant, scene, "And now?", conversation=said)
    assert second.text == first.text
    together, alone = generator.requests[-2:]
    assert [turn.text for turn in together.turns] == [
        "What are they?",
        "<Region 1>: red\n<Region 2>: blue",
        "And now?",
    ]
    assert [turn.text for turn in alone.turns] == ["What are they?", "<Region 1>: green", "And now?"]
    ask_scene(assistant, scene, "Anew?", marks[:1], conversation=said)
    assert len(generator.requests[-1].turns) == 1


@pytest.mark.parametrize("place", [None, "utm", "rotated"])
def test_a_scene_that_is_seen_whole_is_answered_about_as_by_a_session(tmp_path: Path, place: str | None):
    size = (400, 300)
    found = blobs(3, *size)
    path = write_scene(tmp_path / "a.tif", found, *size, place)
    marks: list[Mark] = [around(found[0]), Point(found[1].x, found[1].y), Scribble(((3, 5), (60, 40)))]
    marks += [Ellipse(found[2].x, found[2].y, 12, 9), Mask.from_array(disc(found[2], *size))]
    session = Assistant(SeeingGenerator()).look(Scene.open(path, sensor="optical"))
    for question in (SEGMENT, "What are they?"):
        expected = session.ask(question, marks)
        answer = ask_scene(Assistant(SeeingGenerator()), BigScene.open(path, sensor="optical"), question, marks)
        content = answer.to_json()
        assert content.pop("windows") == [[0, 0, *size]]
        for mask in content["masks"]:
            assert (mask.pop("window"), mask.pop("view")) == ([0, 0, *size], [300, 400])
        assert content == expected.to_json()
        assert sorted_rings(answer.to_geojson()) == sorted_rings(expected.to_geojson())
        assert answer.draw() == expected.draw()


def sorted_rings(collection: dict[str, Any]) -> Any:
    """Rings as sets of vertices: where they begin does not matter."""
    for feature in collection["features"]:
        if feature["geometry"]["type"] == "MultiPolygon":
            rings = feature["geometry"]["coordinates"]
            feature["geometry"]["coordinates"] = [[sorted(map(tuple, ring[1:])) for ring in part] for part in rings]
    return collection


def test_an_answer_is_read_back(tmp_path: Path):
    scene = opened(tmp_path, NEAR)
    answer = ask_scene(Assistant(SeeingGenerator()), scene, SEGMENT, [around(one) for one in NEAR])
    content = json.loads(json.dumps(answer.to_json(), allow_nan=False))
    again = SceneAnswer.from_json(content, scene)
    assert again.to_json() == answer.to_json()
    assert again.to_geojson() == answer.to_geojson()
    assert again.draw() == answer.draw()


def test_the_picture_shows_what_was_seen(tmp_path: Path):
    scene = opened(tmp_path, NEAR)
    alone = ask_scene(Assistant(SeeingGenerator()), scene, SEGMENT, [around(NEAR[0])]).draw()
    assert alone.size == (1024, 1024)  # a window of 512, twice as large
    far = ask_scene(Assistant(SeeingGenerator()), scene, SEGMENT, [around(one) for one in NEAR]).draw()
    assert far.width / far.height == pytest.approx(1700 / 1200, rel=0.01)


def test_prose_says_which_regions_it_is_about(tmp_path: Path):
    marks = [around(one) for one in NEAR]
    generator = FakeGenerator(["Two blobs <pix> of <Region 2>.", "A blob <pix>."])
    answer = ask_scene(Assistant(generator), opened(tmp_path, NEAR), "What?", marks)
    assert answer.text == "Regions 1 and 3: Two blobs <pix> of <Region 3>.\n<Region 2>: A blob <pix>."
    assert len(answer.masks) == 2


def test_masks_follow_the_order_of_the_text(tmp_path: Path):
    marks = [around(NEAR[k]) for k in (1, 0, 2)]
    generator = FakeGenerator(["<Region 1>: x <pix> and <pix>", "<Region 1>: y\n<Region 2>: z <pix>\n<Region 9>: w"])
    answer = ask_scene(Assistant(generator), opened(tmp_path, NEAR), "What?", marks)
    assert answer.text == "<Region 1>: x <pix> and <pix>\n<Region 2>: y\n<Region 3>: z <pix>\n<Region 12>: w"
    assert [mask.region for mask in answer.masks] == [1, 1, 3]
    assert answer.regions[0].mask is answer.masks[0]
    assert answer.regions[2].mask is answer.masks[2]
    assert answer.regions[1].mask is None


def test_text_is_told_as_it_comes(tmp_path: Path):
    marks = [around(one) for one in NEAR]
    scene = opened(tmp_path, NEAR)
    for question, some, num_pieces in (("What?", marks[:1], 2), ("What?", marks, 1), ("Is region 3 it?", marks, 2)):
        told: list[str] = []
        answer = ask_scene(Assistant(FakeGenerator()), scene, question, some, on_text=told.append)
        assert "".join(told) == answer.text
        assert len(told) >= num_pieces


def test_a_question_that_is_stopped_keeps_what_was_answered(tmp_path: Path):
    found = [Blob(100 + 500 * k, 100, 9, "red") for k in range(8)]
    scene = opened(tmp_path, found, (4000, 700))
    marks = [around(one) for one in found]
    answer = ask_scene(Assistant(SeeingGenerator()), scene, "What?", marks, is_stopped=lambda: True)
    assert [region.label for region in answer.regions] == ["red"] * 4 + [""] * 4


def test_mistakes_are_found_before_anything_is_looked_at(tmp_path: Path):
    scene = opened(tmp_path, NEAR)
    for question, marks, error in (
        ("", [], EmptyQuestion),
        ("What is <Region 2>?", [Point(1, 1)], RegionCountMismatch),
        ("What?", [Point(1700, 5)], MarkOutsideImage),
        ("What?", [Point(1, 1)] * 65, TooManyMarks),
    ):
        with pytest.raises(error):
            plan_question(scene, question, marks)


def test_a_window_without_data_is_told_by_its_regions(tmp_path: Path):
    import rasterio

    path = write_scene(tmp_path / "a.tif", NEAR, *SIZE)
    with rasterio.open(path, "r+") as dataset:
        mask = np.full(SIZE[::-1], 255, np.uint8)
        mask[600:, 1000:] = 0
        dataset.write_mask(mask)
    scene = BigScene.open(path, sensor="optical")
    with pytest.raises(EmptyImagery, match=r"^Region 2: The scene holds no data there: 0 of"):
        ask_scene(Assistant(SeeingGenerator()), scene, "What?", [around(one) for one in NEAR])


places = st.tuples(st.integers(0, 29_999), st.integers(0, 29_999), st.integers(0, 6000))


@given(st.lists(places, min_size=1, max_size=20), st.sampled_from(["What?", "What is region 1?", "Overall?"]))
def test_every_mark_is_seen_once_and_lies_in_its_window(found, question):
    bounds = [Box(x, y, min(x + side, 30_000), min(y + side, 30_000)) for x, y, side in found]
    groups = shared_windows(bounds, 30_000, 30_000)
    assert sorted(number for _, numbers in groups for number in numbers) == list(range(1, len(bounds) + 1))
    for window, numbers in groups:
        for box in (bounds[number - 1] for number in numbers):
            assert window.x0 <= box.x0 <= box.x1 <= window.x1
            assert window.y0 <= box.y0 <= box.y1 <= window.y1


@given(st.lists(st.sampled_from(["region {}", "<Region {}>", "regions {} and {}", "{} ships", "x"]), max_size=6))
def test_numbers_of_regions_go_there_and_back(pieces):
    counter = iter(range(1, 99))
    text = ", ".join(re.sub(r"\{\}", lambda _: str(next(counter)), piece) for piece in pieces)
    there = renumbered(text, lambda number: number + 20)
    assert renumbered(there, lambda number: number - 20) == text
    assert named_regions(there) == tuple(number + 20 for number in named_regions(text))


@pytest.mark.parametrize("question", ["How do they relate to each other?", "Which one is nearest?", "Compare them."])
def test_marks_that_are_compared_are_seen_together(tmp_path: Path, question: str):
    generator = SeeingGenerator()
    marks = [around(one) for one in (NEAR[0], NEAR[2], Blob(700, 600, 9, "red"))]
    answer = ask_scene(Assistant(generator), opened(tmp_path, NEAR), question, marks)
    assert generator.num_looks == 1
    [window] = answer.windows
    assert all(window.x0 <= mark.x0 and mark.x1 <= window.x1 for mark in marks)


@pytest.mark.parametrize(
    ("question", "narrow"),
    [
        ("Segment <Region 1>, <Region 2> and <Region 5>.", "Segment <Region 2> and <Region 5>."),
        ("What are regions 1 to 3?", "What are <Region 2>?"),
        ("Is region 2 or region 5 a ship?", "Is region 2 or region 5 a ship?"),
        ("Is <region> 4, <region> 5 one?", "Is <Region 5> one?"),
        ("What?", "What?"),
        ("What is region 1, and is region 2 a ship?", None),
        ("Is <Region 1> a ship?", None),
    ],
)
def test_a_question_is_narrowed_to_some_regions(question: str, narrow: str | None):
    assert narrowed(question, (2, 5)) == narrow


def test_ranges_and_units():
    assert named_regions("Compare regions 2 to 4, and <Region 7>; the region 30 m away is none.") == (2, 3, 4, 7)
    assert renumbered("regions 2 to 4 and region 30 m", lambda n: n + 1) == "regions 3 to 5 and region 30 m"
