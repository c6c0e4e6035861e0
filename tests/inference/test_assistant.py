"""Sessions look once, keep their dialogue, number their marks, and refuse what cannot be asked."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from earthgptx.data.georeference import Georeference
from earthgptx.data.imagery import Scene
from earthgptx.errors import (
    EarthGPTXError,
    EmptyQuestion,
    MalformedMark,
    MarkOutsideImage,
    MisplacedTokens,
    QuestionTooLong,
    RegionCountMismatch,
    TooManyMarks,
)
from earthgptx.inference.assistant import Assistant, Conversation, Question
from earthgptx.inference.marks_file import read_marks
from earthgptx.inference.questions import check_question
from earthgptx.shapes import Box, Ellipse, Mark, Mask, Point, Polygon, Scribble
from tests.inference.fake_generator import FakeGenerator
from tests.tiny_model import samples_of_all_tasks

UTM = Georeference("EPSG:32631", (0.5, 0.0, 593_000.0, 0.0, -0.5, 5_747_000.0))
MARKS: tuple[Mark, ...] = (Box(4, 5, 20, 15), Point(30, 31), Scribble(((40, 2), (50, 4))))


def scene(georeference: Georeference | None = None) -> Scene:
    return Scene.from_array(np.zeros((40, 60), dtype=np.uint8) + 9, sensor="sar", georeference=georeference)


def session(*texts: str):
    generator = FakeGenerator(texts)
    return Assistant(generator).look(scene()), generator


def test_the_scene_is_encoded_once_for_many_questions():
    asked, generator = session()
    for _ in range(3):
        asked.ask("What is marked?", MARKS)
    assert generator.num_looks == 1
    assert all(request.views is asked.views for request in generator.requests)


def test_settings_reach_the_generator():
    asked, generator = session()
    asked.ask("What?", max_new_tokens=7, temperature=0.3, seed=5)
    assert generator.settings == [(7, 0.3, 5)]


def test_a_question_without_marks_goes_on_with_the_dialogue():
    asked, generator = session("<Region 1>: ship", "yes")
    asked.ask("What is <Region 1>?", MARKS)
    answer = asked.ask("Is <Region 2> like it?")
    assert [turn.text for turn in generator.requests[1].turns] == [
        "What is <Region 1>?",
        "<Region 1>: ship",
        "Is <Region 2> like it?",
    ]
    assert generator.requests[1].marks == MARKS
    assert [region.mark for region in answer.regions] == list(MARKS)
    assert [turn.role for turn in asked.turns] == ["user", "model", "user", "model"]


def test_new_marks_open_a_new_dialogue():
    asked, generator = session()
    asked.ask("What is marked?", MARKS)
    asked.ask("What is marked?", MARKS[:1])
    assert len(generator.requests[1].turns) == 1
    assert asked.marks == MARKS[:1]


def test_reset_forgets_marks_and_turns():
    asked, generator = session()
    asked.ask("What is marked?", MARKS)
    asked.reset()
    answer = asked.ask("What is this?")
    assert generator.requests[1].marks == ()
    assert answer.regions == ()


def test_a_refused_question_leaves_the_dialogue_as_it_was():
    asked, _ = session("<Region 1>: ship")
    asked.ask("What is marked?", MARKS)
    turns = asked.turns
    with pytest.raises(EmptyQuestion):
        asked.ask("  ", [Box(0, 0, 5, 5)])
    assert (asked.turns, asked.marks) == (turns, MARKS)


def test_an_interrupted_question_leaves_the_dialogue_as_it_was():
    asked, _ = session()

    def interrupt(piece: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asked.ask("What is marked?", MARKS, stream=interrupt)
    assert (asked.turns, asked.marks) == ((), ())


def test_streamed_pieces_make_up_the_text():
    asked, _ = session("<Region 1>: storage tank <pix>")
    pieces: list[str] = []
    answer = asked.ask("What is marked?", MARKS[:1], stream=pieces.append)
    assert "".join(pieces) == answer.text


def test_permuted_marks_permute_the_regions():
    for seed in range(5):
        order = random.Random(seed).sample(MARKS, len(MARKS))
        asked, _ = session()
        labels = [region.label for region in asked.ask("What is marked?", order).regions]
        assert labels == [f"the {mark.kind}" for mark in order]


def test_a_batch_equals_its_questions_one_by_one():
    assistant = Assistant(FakeGenerator())
    sessions = [assistant.look(scene()) for _ in range(2)]
    questions = [Question(one, "What is marked?", marks) for one in sessions for marks in (MARKS, MARKS[1:], ())]
    together = assistant.answer(questions)
    for question, answer in zip(questions, together, strict=True):
        alone = assistant.look(question.session.scene).ask(question.text, question.marks)
        assert answer.text == alone.text
        assert answer.scene is question.session.scene
        assert [r.mark for r in answer.regions] == list(question.marks)
    assert sessions[0].turns == ()
    assert assistant.answer([]) == []


def test_one_bad_question_stops_the_batch_before_it_starts():
    generator = FakeGenerator()
    assistant = Assistant(generator)
    one = assistant.look(scene())
    with pytest.raises(RegionCountMismatch):
        assistant.answer([Question(one, "What?", MARKS), Question(one, "What is <Region 1>?")])
    assert generator.requests == []


BAD: list[tuple[str, list[Mark], type[EarthGPTXError], str]] = [
    ("", list(MARKS), EmptyQuestion, "empty"),
    (" \n\t", list(MARKS), EmptyQuestion, "empty"),
    ("a" * 20_000, list(MARKS), QuestionTooLong, r"20,000 .* 4,000"),
    ("What is <Region 5>?", list(MARKS), RegionCountMismatch, "region 5, but 3 marks"),
    ("What is <region> 5?", list(MARKS), RegionCountMismatch, "region 5, but 3 marks"),
    ("segment region 2", list(MARKS[:1]), RegionCountMismatch, "region 2, but 1 mark was"),
    ("segment region 1", [], RegionCountMismatch, "region 1, but no marks"),
    ("What is <Region 0>?", list(MARKS), RegionCountMismatch, "region 0"),
    ("Segment regions 2 and 7.", list(MARKS), RegionCountMismatch, "region 7, but 3 marks"),
    ("Compare region 2 and 7", list(MARKS), RegionCountMismatch, "region 7, but 3 marks"),
    ("regions 5", list(MARKS), RegionCountMismatch, "region 5, but 3 marks"),
    ("Are regions 1, 2, and 4 alike?", list(MARKS), RegionCountMismatch, "region 4, but 3 marks"),
    ("Segment regions 2 & 5.", list(MARKS), RegionCountMismatch, "region 5, but 3 marks"),
    ("What is in each marked region?", [], RegionCountMismatch, "no mark was given"),
    ("What lies under every mark?", [], RegionCountMismatch, "no mark was given"),
    ("What is <image>?", [], MisplacedTokens, "<image>"),
    ("Draw <pix>", [], MisplacedTokens, "<pix>"),
    ("What?", [Point(1, 1)] * 200, TooManyMarks, r"200 .* 64"),
    ("What?", [Box(5, 5, 5, 9)], MalformedMark, "box"),
    ("What?", [Point(float("nan"), 1)], MalformedMark, "point"),
    ("What?", [Ellipse(5, 5, float("inf"), 1)], MalformedMark, "ellipse"),
    ("What?", [Polygon(((0, 0), (9, 9), (9, 0), (0, 9)))], MalformedMark, "polygon"),
    ("What?", [Box(70, 5, 90, 9)], MarkOutsideImage, "60 x 40"),
]


@pytest.mark.parametrize(("text", "marks", "error", "words"), BAD, ids=lambda value: str(value)[:20])
def test_bad_questions_are_refused_with_one_sentence(text, marks, error, words):
    asked, generator = session()
    with pytest.raises(error, match=words) as caught:
        asked.ask(text, marks)
    assert str(caught.value).count("\n") == 0
    assert generator.requests == []


@pytest.mark.parametrize(
    "question",
    [
        "Is the region 200 m to the north a harbor?",
        "What covers the region 35% from the left?",
        "And the region 12.5 km away, and the region 40px below?",
        "Is region 2 like regions 1 and 3, and is region 3 10 m long?",
        "Compare regions 1-3.",
        "Are there 12 ships in region 2?",
    ],
)
def test_a_distance_is_no_region(question: str):
    assert check_question(question, 3) == question


@pytest.mark.parametrize("task", ["image_caption", "scene", "segment_class", "grounded_caption", "count"])
def test_questions_of_tasks_without_marks_need_none(task: str):
    samples = [sample for sample in samples_of_all_tasks() if sample.task == task]
    assert samples
    for sample in samples:
        for turn in sample.turns:
            if turn.role == "user":
                check_question(turn.text.replace("<image>", ""), 0)


def test_bytes_that_are_no_text_are_still_a_question():
    assert check_question("What \udcff is this?", 0) == "What ? is this?"


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_marks_written_as_geojson_are_read_back(tmp_path: Path):
    for georeference in (None, UTM):
        shown = scene(georeference)
        answer = Assistant(FakeGenerator(["<Region 1>: ship <pix>"])).look(shown).ask("What?", MARKS)
        read = read_marks(write(tmp_path / "marks.geojson", answer.to_geojson()), shown)
        assert [mark.kind for mark in read] == [mark.kind for mark in MARKS]
        for mark, original in zip(read, MARKS, strict=True):
            assert np.abs(np.subtract(mark.outline(), original.outline())).max() < 0.01


def test_pixel_marks_stay_pixels_on_a_georeferenced_scene(tmp_path: Path):
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [3, 4]},
        "properties": {"coordinates": "pixels"},
    }
    assert read_marks(write(tmp_path / "a.json", feature), scene(UTM)) == (Point(3, 4),)


def test_a_mask_of_several_parts_with_a_hole_is_read_back(tmp_path: Path):
    array = np.zeros((40, 60), dtype=bool)
    array[4:20, 5:30] = True
    array[8:12, 10:20] = False
    array[30:35, 40:50] = True
    array[35:38, 50:55] = True  # touches the part before in a corner
    for georeference in (None, UTM):
        shown = scene(georeference)
        for drawn in (array, array & (np.arange(60) > 35), array & (np.arange(60) < 35)):
            answer = Assistant(FakeGenerator()).look(shown).ask("What?", [Mask.from_array(drawn)])
            (read,) = read_marks(write(tmp_path / "marks.geojson", answer.to_geojson()), shown)
            assert isinstance(read, Mask)
            assert np.array_equal(read.to_array(), drawn)


def test_marks_across_the_antimeridian_are_read_back(tmp_path: Path):
    plate = Georeference("EPSG:4326", (0.01, 0.0, 179.8, 0.0, -0.01, 10.0))  # column 20 lies on it
    shown, marks = scene(plate), (Box(25, 5, 50, 30), Point(40.5, 12.5), Box(5, 5, 50, 30))
    written = Assistant(FakeGenerator()).look(shown).ask("What?", marks).to_geojson()
    east, west = written["features"][0]["geometry"]["coordinates"][0][0], written["features"][2]["geometry"]
    assert -180 < east[0] < -179
    assert west["type"] == "MultiPolygon"
    *whole, cut = read_marks(write(tmp_path / "marks.geojson", written), shown)
    assert np.abs(np.subtract(whole[0].outline(), marks[0].outline())).max() < 1e-3
    assert np.abs(np.subtract(whole[1].outline(), marks[1].outline())).max() < 1e-3
    assert isinstance(cut, Mask)
    assert cut.bounds() == marks[2]


def test_degrees_need_a_scene_with_a_georeference(tmp_path: Path):
    answer = Assistant(FakeGenerator()).look(scene(UTM)).ask("What?", MARKS)
    with pytest.raises(MalformedMark, match=r"degrees .* no georeference"):
        read_marks(write(tmp_path / "marks.geojson", answer.to_geojson()), scene())


@pytest.mark.parametrize(
    "content",
    [
        [],
        5,
        {"type": "FeatureCollection", "features": []},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}]},
        {"type": "FeatureCollection", "features": [7]},
        {"type": "GeometryCollection", "geometries": []},
        {"type": "Point", "coordinates": "here"},
        {"type": "Point", "coordinates": []},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [4, "N"]}, "properties": [1]},
        {
            "type": "FeatureCollection",
            "crs": "EPSG:3857",
            "features": [{"type": "Point", "coordinates": [4, 51]}],
        },
    ],
)
def test_files_that_hold_no_marks_are_refused(tmp_path: Path, content: object):
    with pytest.raises((MalformedMark, MarkOutsideImage)):
        read_marks(write(tmp_path / "marks.json", content), scene(UTM))


def test_files_that_are_not_json_are_refused(tmp_path: Path):
    path = tmp_path / "marks.json"
    with pytest.raises(MalformedMark, match="no file"):
        read_marks(path, scene())
    for content in (b"", b"\xff\xfe", b"{"):
        path.write_bytes(content)
        with pytest.raises(MalformedMark, match="not JSON"):
            read_marks(path, scene())


def test_a_batch_goes_on_with_conversations_and_streams_each():
    generator = FakeGenerator(["<Region 1>: ship", "yes", "a harbor"])
    assistant = Assistant(generator)
    looked = assistant.look(scene())
    first = Conversation().asked("What is <Region 1>?", MARKS[:1], looked.scene)
    [answer] = assistant.answer([Question(looked, "What is <Region 1>?", MARKS[:1])])
    said: dict[int, str] = {0: "", 1: ""}

    def hear(place: int, piece: str) -> None:
        said[place] += piece

    follow_up = Question(looked, "Is it big?", conversation=first.answered(answer.text))
    answers = assistant.answer([follow_up, Question(looked, "What is this?")], on_text=hear)
    assert said == {0: "yes", 1: "a harbor"}
    assert [one.question for one in answers] == ["Is it big?", "What is this?"]
    assert answers[0].regions[0].mark == MARKS[0]
    turns = [[turn.text for turn in request.turns] for request in generator.requests[1:]]
    assert turns == [["What is <Region 1>?", "<Region 1>: ship", "Is it big?"], ["What is this?"]]
    assert looked.turns == ()  # the session's own dialogue is not touched
