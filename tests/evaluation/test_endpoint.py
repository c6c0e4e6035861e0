"""A general model at a made-up endpoint: what it is sent, how its words are read; nothing is paid for twice."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from earthgptx.cli import app
from earthgptx.data.imagery import Scene
from earthgptx.data.recaption.client import ChatEndpoint, Patience
from earthgptx.data.recaption.cost import Prices
from earthgptx.errors import BudgetSpent, EndpointFailed
from earthgptx.evaluation import runs
from earthgptx.evaluation.endpoint import EndpointAnswerer, Manner, as_our_lines, in_coordinates, picture_of, words_of
from earthgptx.inference.assistant import Question
from earthgptx.shapes import Box, Ellipse, Mark, Point, Polygon, Scribble
from tests.evaluation.fake_assistant import one_hot
from tests.fixtures.make_all import make_all
from tests.fixtures.misbehaving_endpoint import EndpointState, Step, endpoint, error

MARKS: tuple[Mark, ...] = (Box(10, 20, 60, 80), Point(150, 40), Scribble(((100, 100), (150, 120), (180, 110))))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    path = tmp_path / "scene.png"
    Image.fromarray(np.full((150, 200, 3), 90, np.uint8)).save(path)
    return Scene.open(path, sensor="optical")


def words(text: str) -> Callable[[dict[int, str]], str]:
    return lambda _: text


def answerer(state: EndpointState, kept: Path, **manner: object) -> EndpointAnswerer:
    chat = ChatEndpoint(state.url, "key", patience=Patience(attempts=2, timeout=5), pause=lambda _: None)
    return EndpointAnswerer(chat, "general", Manner(**manner), kept)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "num_marks", "lines"),
    [
        ("<Region 1>: ship\n<Region 2>: harbor", 2, "<Region 1>: ship\n<Region 2>: harbor"),
        ("**Region 1:** A ship\n\n- Region 2: the *harbor*", 2, "<Region 1>: ship\n<Region 2>: *harbor"),
        ("1. ship\n2) storage tank", 2, "<Region 1>: ship\n<Region 2>: storage tank"),
        ("Here they are:\n<Region 2>: ship\n<Region 1>: car", 2, "<Region 1>: car\n<Region 2>: ship"),
        ("<Region 1>: ship\n<Region 1>: car\n<Region 9>: bus", 2, "<Region 1>: ship"),
        ("A ship.", 1, "<Region 1>: ship."),
        ("I cannot tell.", 2, "I cannot tell."),
        ("", 1, ""),
        ("  A port seen from above. ", 0, "A port seen from above."),
    ],
)
def test_a_general_model_s_lines_are_read_without_changing_its_words(said: str, num_marks: int, lines: str):
    assert as_our_lines(said, num_marks) == lines


def test_coordinates_are_those_of_the_picture_that_is_sent(scene: Scene):
    sent = words_of(scene, "What is it?", MARKS, Manner(way="coordinates", side=400))
    assert "The picture is 400 pixels wide and 300 high" in sent
    assert "<Region 1>: what lies in the box from (20, 40) to (120, 160)" in sent
    assert "<Region 2>: what lies at the point (300, 80)" in sent
    assert "<Region 3>: what lies under the stroke through (200, 200), (300, 240), (360, 220)" in sent
    assert in_coordinates(Ellipse(50, 40, 20, 10)) == "what lies in the ellipse in the box from (30, 30) to (70, 50)"
    assert in_coordinates(Polygon(((0, 0), (9, 0), (0, 9)))).endswith("the corners (0, 0), (9, 0), (0, 9)")
    long = Scribble(tuple((float(k), 3.0) for k in range(500)))
    assert in_coordinates(long).count("(") <= 12


def test_marks_are_drawn_in_one_way_and_not_in_the_other(scene: Scene):
    drawn, bare = (
        np.asarray(Image.open(io.BytesIO(picture_of(scene, MARKS, Manner(way=way, side=400)))))
        for way in ("marks", "coordinates")
    )
    assert drawn.shape == bare.shape == (300, 400, 3)
    assert (bare == 90).all()
    assert (drawn[40:160, 18:122] != 90).any()  # the box's outline
    assert (drawn[80, 300] != 90).any()  # the point
    assert (drawn[220:245, 290:310] != 90).any()  # the stroke
    assert "number" in words_of(scene, "What is it?", MARKS, Manner())
    assert "(20, 40)" not in words_of(scene, "What is it?", MARKS, Manner())


def test_an_answer_is_read_as_an_assistant_s_and_kept(scene: Scene, tmp_path: Path):
    with endpoint([Step(content=words("Region 1: a ship\nRegion 2: storage tank"))]) as state:
        one = answerer(state, tmp_path / "kept", classes=("ship", "car"), prices=Prices(2, 10))
        question = Question(session=one.look(scene), text="What are they?", marks=MARKS)
        [answer] = one.answer([question], max_new_tokens=50)
        assert [region.label for region in answer.regions] == ["ship", "storage tank", ""]
        assert answer.masks == ()
        assert one.spent.cost == pytest.approx((1000 * 2 + 200 * 10) / 1e6)
        [request] = state.requests
        assert request["model"] == "general"
        assert (request["max_tokens"], request["temperature"]) == (50, 0.0)
        sent = request["messages"][1]["content"][0]["text"]
        assert "This is an optical image" in sent
        assert "Choose among these names: ship, car." in sent
        picture = base64.b64decode(state.pictures()[0].partition(",")[2])
        assert Image.open(io.BytesIO(picture)).size == (896, 672)
        again = answerer(state, tmp_path / "kept", classes=("ship", "car"))
        [same] = again.answer([question], max_new_tokens=50)
        assert same.text == answer.text
        assert len(state.requests) == 1
        assert again.spent.answers == 0


def test_a_refused_question_has_no_answer_and_the_others_do(scene: Scene, tmp_path: Path):
    with endpoint([error(400, "no such picture"), Step(content=words("ship"))]) as state:
        one = answerer(state, tmp_path, concurrency=1)
        asked = [Question(session=one.look(scene), text=f"What is it, {k}?", marks=MARKS[:1]) for k in range(2)]
        first, second = one.answer(asked)
        assert [first.regions[0].label, second.regions[0].label] == ["", "ship"]
        assert one.num_unanswered == 1


def test_trouble_of_all_questions_ends_the_run(scene: Scene, tmp_path: Path):
    with endpoint([error(401, "bad key")]) as state:
        one = answerer(state, tmp_path)
        with pytest.raises(EndpointFailed, match="the key was refused"):
            one.answer([Question(session=one.look(scene), text="What is it?", marks=MARKS[:1])])
    with endpoint([error(400, "no")] * 20) as state:
        one = answerer(state, tmp_path, concurrency=1)
        asked = [Question(session=one.look(scene), text=f"What is it, {k}?", marks=MARKS[:1]) for k in range(20)]
        with pytest.raises(EndpointFailed, match="10 questions in a row got no answer"):
            one.answer(asked)


def test_a_budget_is_kept(scene: Scene, tmp_path: Path):
    with endpoint([Step(content=words("ship"))] * 9) as state:
        one = answerer(state, tmp_path, concurrency=1, prices=Prices(0, 1000), budget=0.3)
        asked = [Question(session=one.look(scene), text=f"What is it, {k}?", marks=MARKS[:1]) for k in range(9)]
        with pytest.raises(BudgetSpent, match=r"the budget of 0\.3: 0\.2000 are spent"):
            one.answer(asked, max_new_tokens=200)  # an answer is billed with 200 tokens, 0.2
        assert len(state.requests) == 1


def test_the_command_scores_an_endpoint_by_the_same_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_all(tmp_path / "data", "val")
    monkeypatch.setattr(runs, "load_minilm", lambda: one_hot)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    out = tmp_path / "report.json"
    with endpoint() as state:
        state.script = [Step(content=words("\n".join(f"{k}. ship" for k in range(1, 9))))] * 200
        command = ["evaluate-endpoint", "roc", "--data", str(tmp_path / "data"), "--endpoint", state.url]
        command += ["--model", "general", "--way", "coordinates", "--dataset", "ssdd", "--out", str(out)]
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        report = json.loads(out.read_text())
        assert report["metrics"]["accuracy"] == pytest.approx(100)
        assert report["settings"]["model"] == "general"
        assert report["settings"]["way"] == "coordinates"
        num_asked = len(state.requests)
        assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
        assert len(state.requests) == num_asked  # measured again, paid for once


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("grounding",), "chat completions give none"),
        (("nothing",), "There is no benchmark 'nothing'"),
        (("roc", "--endpoint", "ftp://x"), "'ftp://x' is no endpoint"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path):
    usual = ["--data", str(tmp_path), "--endpoint", "http://127.0.0.1:9/v1", "--model", "m"]
    result = CliRunner().invoke(app, ["evaluate-endpoint", words[0], *usual, *words[1:]], catch_exceptions=False)
    assert result.exit_code == 2
    assert sentence in result.stderr
