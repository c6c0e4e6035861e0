"""Questions over HTTP: as JSON, word by word, with a history, in pixels and in degrees."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.serving.conftest import ASK, BOX, Dictated, georeferenced, serving, upload

MASKED = "<Region 1>: a ship <pix>"


@pytest.fixture
def client() -> Iterator[TestClient]:
    with serving(Dictated()) as client:
        yield client


def events(text: str) -> list[tuple[str, dict]]:
    """(name, data) of a stream's events."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    lines = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    return [(block["event"], json.loads(block["data"])) for block in lines]


def test_the_real_model_answers(tiny: TestClient):
    scene = upload(tiny)
    answer = tiny.post(f"/scenes/{scene['id']}/ask", json=ASK).json()
    assert answer["scene"] == scene["id"]
    assert answer["image"]["path"] == "port.png"
    assert [region["mark"] for region in answer["regions"]] == [BOX]
    again = tiny.post(f"/scenes/{scene['id']}/ask", json=ASK | {"stream": True})
    *words, (name, last) = events(again.text)
    assert name == "answer"
    assert {name for name, _ in words} <= {"word"}
    assert last["text"] == answer["text"]
    assert last["id"] != answer["id"]


def test_an_answer_is_streamed_word_by_word_and_kept():
    with serving(Dictated([MASKED])) as client:
        scene = upload(client)["id"]
        response = client.post(f"/scenes/{scene}/ask", json=ASK, headers={"Accept": "text/event-stream"})
        assert response.headers["content-type"].startswith("text/event-stream")
        *words, (name, answer) = events(response.text)
        assert name == "answer"
        assert "".join(data["text"] for _, data in words).strip() == "<Region 1>: a ship"
        assert answer["regions"][0]["label"] == "a ship"
        assert client.get(f"/scenes/{scene}/answers").json() == {"answers": [answer]}
        path = f"/scenes/{scene}/answers/{answer['id']}"
        assert client.get(path + ".json").json() == answer
        drawn = Image.open(io.BytesIO(client.get(path + ".png").content))
        assert drawn.width >= 200
        collection = client.get(path + ".geojson")
        assert collection.headers["content-type"] == "application/geo+json"
        assert [feature["properties"]["role"] for feature in collection.json()["features"]] == ["mark", "mask"]
        mask = np.asarray(Image.open(io.BytesIO(client.get(path + "/masks/0.png").content)))
        assert mask.shape == (150, 200, 2)
        assert (mask[..., 1] > 0).sum() == 150  # the dictated mask is the first column
        assert client.get(path + "/masks/1.png").json()["error"]["code"] == "unknown_answer"
        assert client.delete(f"/scenes/{scene}/answers").status_code == 204
        assert client.get(f"/scenes/{scene}/answers").json() == {"answers": []}
        assert client.get(path + ".json").status_code == 404


def test_a_session_goes_on_and_others_do_not_hear_it():
    generator = Dictated(["<Region 1>: a ship", "yes", "no"])
    with serving(generator) as client:
        scene = upload(client)["id"]
        first = client.post(f"/scenes/{scene}/ask", json=ASK).json()
        client.post(f"/scenes/{scene}/ask", json={"question": "Is it big?", "session": first["session"]})
        client.post(f"/scenes/{scene}/ask", json={"question": "Is it big?"})
    turns = [[turn.text for turn in request.turns] for request in generator.requests]
    assert turns == [["What is marked?"], ["What is marked?", "<Region 1>: a ship", "Is it big?"], ["Is it big?"]]
    assert [len(request.marks) for request in generator.requests] == [1, 1, 0]
    assert generator.num_looks == 1


def test_the_oldest_answers_and_dialogues_make_room():
    with serving(max_answers=2, max_dialogues=1) as client:
        scene = upload(client)["id"]
        answers = [client.post(f"/scenes/{scene}/ask", json=ASK).json() for _ in range(3)]
        kept = client.get(f"/scenes/{scene}/answers").json()["answers"]
        assert [answer["id"] for answer in kept] == [answer["id"] for answer in answers[1:]]
        gone = client.post(f"/scenes/{scene}/ask", json=ASK | {"session": answers[0]["session"]})
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "unknown_dialogue")


def test_marks_in_degrees_land_on_their_pixels(tmp_path: Path):
    generator = Dictated()
    with serving(generator) as client:
        scene = upload(client, georeferenced(tmp_path / "a.tif").read_bytes(), "a.tif")["id"]
        pixels = {"question": "What is marked?", "marks": [{"kind": "box", "coordinates": [20, 30, 44, 54]}]}
        first = client.post(f"/scenes/{scene}/ask", json=pixels).json()
        collection = client.get(f"/scenes/{scene}/answers/{first['id']}.geojson").json()
        degrees = {"question": "What is marked?", "marks": collection, "coordinates": "wgs84"}
        assert client.post(f"/scenes/{scene}/ask", json=degrees).status_code == 200
    (one,), (other,) = (request.marks for request in generator.requests)
    assert other.kind == "box"
    assert np.allclose(one.outline(), other.outline(), atol=1e-3)


FEATURE = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [10, 20]}}


def test_geojson_in_pixels(client: TestClient):
    scene = upload(client)["id"]
    body = {"question": "What is marked?", "marks": {"type": "FeatureCollection", "features": [FEATURE]}}
    answer = client.post(f"/scenes/{scene}/ask", json=body).json()
    assert answer["regions"][0]["mark"] == {"kind": "point", "coordinates": [10, 20]}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"question": " "}, 422, "empty_question"),
        ({"question": "x" * 4001}, 422, "question_too_long"),
        ({"question": "What is <Region 2>?"}, 422, "region_count_mismatch"),
        ({"question": "a <pix>"}, 422, "misplaced_tokens"),
        ({"marks": [BOX] * 65}, 422, "too_many_marks"),
        ({"marks": [{"kind": "box", "coordinates": [900, 900, 950, 950]}]}, 422, "mark_outside_image"),
        ({"marks": [{"kind": "box", "coordinates": ["a"]}]}, 422, "malformed_mark"),
        ({"marks": [{"kind": "mask", "size": [10**9, 10**9], "counts": "0"}]}, 422, "malformed_mark"),
        ({"marks": {"type": "Topology"}}, 422, "malformed_mark"),
        ({"coordinates": "wgs84"}, 422, "malformed_mark"),
        ({"marks": FEATURE, "coordinates": "wgs84"}, 422, "malformed_mark"),
        ({"marks": FEATURE | {"geometry": {"type": "Point", "coordinates": []}}}, 422, "malformed_mark"),
        ({"coordinates": "furlongs"}, 422, "malformed_request"),
        ({"session": "0123"}, 404, "unknown_dialogue"),
        ({"max_new_tokens": 0}, 422, "malformed_request"),
        ({"max_new_tokens": 10**6}, 400, "malformed_request"),
        ({"temperature": 0.001}, 400, "malformed_request"),
        ({"temperature": -1}, 422, "malformed_request"),
        ({"unheard": 1}, 422, "malformed_request"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(client: TestClient, change: dict, status: int, code: str):
    scene = upload(client)["id"]
    response = client.post(f"/scenes/{scene}/ask", json=ASK | change)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert error["message"].endswith((".", "?"))
    assert "\n" not in error["message"]
    assert error["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"question": "What is marked?", "marks": [{"kind": "point", "coordinates": [NaN, 1]}]}',
        b'{"question": "What?", "marks": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [NaN, 1]}}}',
        b'{"question": "What is marked?", "temperature": NaN}',
        b'{"question": "What is marked?", "marks": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"question": "What?", "marks": ' + b'{"type":"FeatureCollection","features":[' * 400 + b"]}" * 400 + b"}",
        b"\xff\xfe",
        b"{",
        b"null",
    ],
    ids=range(8),
)
def test_hostile_json_is_refused(client: TestClient, body: bytes):
    scene = upload(client)["id"]
    response = client.post(f"/scenes/{scene}/ask", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    assert response.json()["error"]["message"]


RING = [[10, 10], [60, 10], [60, 50], [10, 50], [10, 10]]
HOLE = [[20, 20], [40, 20], [40, 40], [20, 40], [20, 20]]


def collection(*geometries: object, **members: object) -> dict:
    features = [{"type": "Feature", "properties": None, "geometry": geometry} for geometry in geometries]
    return {"type": "FeatureCollection", "features": features, **members}


@pytest.mark.parametrize(
    ("geometry", "kind"),
    [
        ({"type": "Polygon", "coordinates": [RING]}, "box"),
        ({"type": "Polygon", "coordinates": [RING[::-1]]}, "box"),
        ({"type": "Polygon", "coordinates": [RING, HOLE]}, "mask"),
        ({"type": "MultiPolygon", "coordinates": [[HOLE], [[[x + 60, y] for x, y in HOLE]]]}, "mask"),
        ({"type": "Polygon", "coordinates": [[[x, y, 12.5] for x, y in RING]]}, "box"),
        ({"type": "LineString", "coordinates": RING}, "scribble"),
    ],
    ids=["box", "wrong winding", "hole", "parts", "3-D", "line"],
)
def test_geojson_of_every_build_is_a_mark(client: TestClient, geometry: dict, kind: str):
    scene = upload(client)["id"]
    response = client.post(f"/scenes/{scene}/ask", json=ASK | {"marks": collection(geometry)})
    assert response.status_code == 200, response.text
    assert response.json()["regions"][0]["mark"]["kind"] == kind


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        (collection({"type": "Polygon", "coordinates": []}), "filled list"),
        (collection({"type": "Polygon", "coordinates": [[]]}), "3 different vertices"),
        (collection({"type": "GeometryCollection", "geometries": []}), "filled list"),
        (collection(None), "feature should be"),
        (collection(5), "feature should be"),
        ({"type": "FeatureCollection", "features": [5, FEATURE]}, "feature should be"),
        ({"type": "FeatureCollection", "features": [None] * 65}, "at most 64"),
        (collection({"type": "Polygon", "coordinates": [[[x + 900, y] for x, y in RING]]}), "outside the 200 x 150"),
        (collection({"type": "Polygon", "coordinates": [[*RING[:2], RING[3], RING[2], RING[0]]]}), "cross"),
        (collection({"type": "Point", "coordinates": [1e300, 1]}), "outside|limit"),
    ],
    ids=range(10),
)
def test_geojson_that_marks_nothing_is_refused(client: TestClient, marks: dict, words: str):
    scene = upload(client)["id"]
    response = client.post(f"/scenes/{scene}/ask", json=ASK | {"marks": marks})
    assert response.status_code == 422
    assert re.search(words, response.json()["error"]["message"]), response.text


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        (collection({"type": "Point", "coordinates": [593_010, 5_746_990]}), "outside"),
        (
            collection({"type": "Polygon", "coordinates": [[[179, 51], [-179, 51], [-179, 52], [179, 52], [179, 51]]]}),
            "",
        ),
        (collection({"type": "Point", "coordinates": [4.35, 95]}), "outside"),
        (
            collection({"type": "Point", "coordinates": [4.35, 51.86]}, crs={"properties": {"name": "EPSG:28992"}}),
            "28992",
        ),
    ],
    ids=["metres", "antimeridian", "beyond the pole", "unknown system"],
)
def test_geojson_in_degrees_that_lies_elsewhere_is_refused(tmp_path: Path, marks: dict, words: str):
    with serving() as client:
        scene = upload(client, georeferenced(tmp_path / "a.tif").read_bytes(), "a.tif")["id"]
        response = client.post(f"/scenes/{scene}/ask", json=ASK | {"marks": marks, "coordinates": "wgs84"})
    assert response.status_code == 422, response.text
    assert words in response.json()["error"]["message"]
