"""Scenes that are too large to be decoded: tiles by windows, one answer from several of them, masks where they lie."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient
from PIL import Image
from rasterio.transform import Affine
from rasterio.windows import Window

from earthgptx.data.imagery import Scene
from earthgptx.errors import ImageTooLarge
from earthgptx.geo.asking import Looked
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.windows import Frame
from earthgptx.inference.assistant import Assistant
from earthgptx.serving import opening
from earthgptx.serving.opening import checked_file
from earthgptx.serving.seen import Seen
from earthgptx.serving.settings import Settings
from earthgptx.serving.windowed_picture import write_overview
from earthgptx.shapes import Box, Mask
from tests.fixtures.make_imagery import png_header
from tests.serving.conftest import Dictated, serving, upload, wait_until

WIDTH, HEIGHT = 5_000, 4_100  # over what is held in memory by `BigScene`
EMPTY = 700  # columns at the right
MASKED = "<Region 1>: a ship <pix>"
PLACE = {"crs": "EPSG:32631", "transform": Affine(0.5, 0, 590_000, 0, -0.5, 5_750_000)}
NEAR, FAR = ([100, 200, 130, 230], [4_100, 3_900, 4_130, 3_940])
PAIR = [{"kind": "box", "coordinates": FAR}, {"kind": "box", "coordinates": NEAR}]


def write_large(path: Path, *, overviews: tuple[int, ...] = (2, 4, 8, 16)) -> Path:
    """A tiled TIFF whose red is the column and whose green the row; the last columns hold no data."""
    about = {"driver": "GTiff", "dtype": "uint8", "count": 3, "width": WIDTH, "height": HEIGHT, "nodata": 0}
    with rasterio.open(path, "w", tiled=True, compress="deflate", photometric="rgb", **about, **PLACE) as dataset:
        for top in range(0, HEIGHT, 512):
            rows = min(512, HEIGHT - top)
            part = np.full((3, rows, WIDTH), 77, np.uint8)
            part[0] = (np.arange(WIDTH) * 200 // WIDTH + 20)[None]
            part[1] = (np.arange(top, top + rows) * 200 // HEIGHT + 20)[:, None]
            part[:, :, WIDTH - EMPTY :] = 0
            dataset.write(part, window=Window(0, top, WIDTH, rows))
        if overviews:
            dataset.build_overviews(overviews)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    write_large(folder / "large.tif")
    return folder


@pytest.fixture
def generator() -> Dictated:
    return Dictated()


@pytest.fixture
def client(root: Path, generator: Dictated) -> Iterator[TestClient]:
    with serving(generator, root=root, max_pixels=1_000_000) as client:
        yield client


def by_path(client: TestClient, path: str = "large.tif") -> dict[str, Any]:
    response = client.post("/scenes", json={"path": path, "sensor": "optical"})
    assert response.status_code == 201, response.text
    return response.json()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_a_large_scene_opens_by_path_and_by_upload(client: TestClient, root: Path):
    for scene in (by_path(client), upload(client, (root / "large.tif").read_bytes(), "large.tif")):
        assert (scene["width"], scene["height"], scene["max_zoom"]) == (WIDTH, HEIGHT, 5)
        assert (scene["crs"], scene["ground_sample_distance"], scene["num_bands"]) == ("EPSG:32631", 0.5, 3)
        assert "5,000 x 4,100 pixels are read by windows" in scene["notes"][-1]


@pytest.mark.parametrize("overviews", [(2, 4, 8, 16), ()])
def test_tiles_of_every_zoom_show_their_place(tmp_path: Path, overviews: tuple[int, ...]):
    scene = BigScene.open(write_large(tmp_path / "a.tif", overviews=overviews), sensor="optical")
    picture = write_overview(scene, tmp_path / "shown")
    assert picture.max_zoom == 5
    for zoom in range(6):
        step = 2 ** (5 - zoom)
        for x, y in ((0, 0), ((WIDTH // 2) // (256 * step), (HEIGHT - 1) // (256 * step))):
            tile = pixels(picture.tile(zoom, x, y))
            columns, rows = min(256, -(-WIDTH // step) - 256 * x), min(256, -(-HEIGHT // step) - 256 * y)
            left, top = 256 * x * step, 256 * y * step
            wanted = (np.arange(left, left + 256 * step, step) + step / 2) * 200 / WIDTH + 20
            seen = int(np.clip((WIDTH - EMPTY - left) // step - 1, 0, columns))
            assert np.abs(tile[0, :seen, 0] - wanted[:seen]).max() <= 2, (zoom, x)
            down = (np.arange(top, top + rows * step, step) + step / 2) * 200 / HEIGHT + 20
            assert np.abs(tile[:rows, 0, 1] - down).max() <= 2, (zoom, y)
            assert (tile[:rows, :seen, 3] == 255).all()
            assert (tile[rows:, :, 3] == 0).all()
            assert (tile[:, columns:, 3] == 0).all()
    whole = pixels(picture.tile(0, 0, 0))
    assert (whole[:, -(-(WIDTH - EMPTY) // 32) + 1 :, 3] == 0).all()  # no data


def test_tiles_over_http(client: TestClient):
    tiles = f"/scenes/{by_path(client)['id']}/tiles"
    assert pixels(client.get(f"{tiles}/5/3/2.png").content)[..., 3].all()
    for query in ("bands=3", "bands=3,2,1", "low=10&high=90"):
        assert client.get(f"{tiles}/5/3/2.png?{query}").status_code == 200
        assert client.get(f"{tiles}/0/0/0.png?{query}").status_code == 200
    assert client.get(f"{tiles}/5/3/2.png?bands=4").status_code == 415
    for place in ("5/20/0", "5/0/17", "6/0/0", "0/1/0"):
        assert client.get(f"{tiles}/{place}.png").json()["error"]["code"] == "tile_outside_scene"
    thumbnail = pixels(client.get(tiles.replace("tiles", "thumbnail.png")).content)
    assert thumbnail.shape == (129, 157, 4)


def test_marks_far_apart_get_one_answer_in_the_user_s_numbering(client: TestClient, generator: Dictated):
    generator.texts = [MASKED, "<Region 1>: a tank <pix>"]
    scene = by_path(client)
    path = f"/scenes/{scene['id']}"
    answer = client.post(f"{path}/ask", json={"question": "What is marked?", "marks": PAIR}).json()
    assert answer["text"] == "<Region 1>: a ship <pix>\n<Region 2>: a tank <pix>"
    assert [region["label"] for region in answer["regions"]] == ["a ship", "a tank"]
    assert [region["mark"] for region in answer["regions"]] == PAIR
    assert answer["image"]["path"] == "large.tif"
    assert len(generator.requests) == 2
    assert all(max(request.views.pixels.shape) <= 1024 for request in generator.requests)
    for mark, mask in zip((FAR, NEAR), answer["masks"], strict=True):
        x0, y0, x1, y1 = mask["window"]
        assert x0 <= mark[0] < mark[2] <= x1
        assert y0 <= mark[1] < mark[3] <= y1
        whole = Mask(*mask["size"], mask["counts"])
        assert (whole.height, whole.width, whole.area) == (HEIGHT, WIDTH, mask["area_px"])
        assert mask["box"] == [x0, y0, x0 + 1, y1]  # the dictated mask is the window's first column
    for number, mask in enumerate(answer["masks"]):
        response = client.get(f"{path}/answers/{answer['id']}/masks/{number}.png")
        assert response.headers["x-mask-window"] == ",".join(f"{side:g}" for side in mask["window"])
        assert pixels(response.content).shape == (*mask["view"], 2)
    collection = client.get(f"{path}/answers/{answer['id']}.geojson").json()
    assert collection["answer"]["image"]["path"] == "large.tif"
    west, south, east, north = scene["bounds_wgs84"]
    for feature in collection["features"]:
        flat = np.array(json.loads(json.dumps(feature["geometry"]["coordinates"])), dtype=float).reshape(-1, 2)
        assert (flat >= (west, south)).all()
        assert (flat <= (east, north)).all()
    assert pixels(client.get(f"{path}/answers/{answer['id']}.png").content).shape[1] <= 2048


def test_a_dialogue_about_a_large_scene_goes_on(client: TestClient, generator: Dictated):
    generator.texts = ["<Region 1>: a ship", "yes", "Water."]
    path = f"/scenes/{by_path(client)['id']}/ask"
    first = client.post(path, json={"question": "What is marked?", "marks": PAIR[:1]}).json()
    second = client.post(path, json={"question": "Is it big?", "session": first["session"]}).json()
    assert second["words"] == "yes"
    assert [turn.text for turn in generator.requests[1].turns] == [
        "What is marked?",
        "<Region 1>: a ship",
        "Is it big?",
    ]
    client.post(path, json={"question": "What is in the image?"})
    assert generator.requests[2].views.pixels.shape == (840, 1024, 3)  # the overview


def test_a_window_that_was_seen_is_not_encoded_again(client: TestClient, generator: Dictated):
    scene = by_path(client)
    path = f"/scenes/{scene['id']}/ask"
    for marks, num_looks in ((PAIR, 2), (PAIR, 2), (PAIR[:1], 2), ([], 3), ([], 3)):
        assert client.post(path, json={"question": "What is there?", "marks": marks}).status_code == 200
        assert generator.num_looks == num_looks
    seen = client.app.state.serving.worker.seen
    wait_until(lambda: seen.num_bytes == sum({id(r.views): r.views.pixels.nbytes for r in generator.requests}.values()))
    client.delete(f"/scenes/{scene['id']}")
    assert seen.window(scene["id"], Box(0, 0, WIDTH, HEIGHT)) is None


def test_windows_are_asked_about_together_with_what_else_waits(root: Path):
    is_open = threading.Event()
    generator = Dictated([], pause=lambda: is_open.wait(20) and None)
    with serving(generator, root=root, max_pixels=1_000_000, batch_size=3) as client, ThreadPoolExecutor(9) as pool:
        large, small = by_path(client), upload(client)
        worker = client.app.state.serving.worker

        def ask(scene: dict[str, Any], marks: list[Any]) -> Any:
            body = {"question": "What is there?", "marks": marks}
            return pool.submit(client.post, f"/scenes/{scene['id']}/ask", json=body)

        asked = [ask(small, [])]
        wait_until(lambda: generator.batches == [1])
        for scene, marks in ((large, PAIR), (small, []), (large, PAIR[:1])):
            asked.append(ask(scene, marks))
            wait_until(lambda: worker.num_waiting == len(asked) - 1)
        is_open.set()
        assert [one.result().status_code for one in asked] == [200] * 4
    # The question about two windows waits for those about one; what is left of it is a batch of its own.
    assert generator.batches == [1, 3, 1]
    assert [len(request.marks) for request in generator.requests] == [0, 0, 1, 1, 1]


def test_windows_are_kept_within_their_bytes():
    seen = Seen(num_scenes=1, window_bytes=3_000_000)
    generator = Dictated()
    boxes = [Box(x, 0, x + 512, 512) for x in range(0, 3 * 512, 512)]

    def looked(box: Box) -> Looked:
        scene = Scene.from_array(np.zeros((512, 512, 3), np.uint8), sensor="optical")
        return Looked(Assistant(generator).look(scene), Frame(box, 512, 512))

    seen.know("a")
    for box in boxes:
        seen.keep_window("a", box, looked(box))
        seen.keep_window("never known", box, looked(box))
    seen.make_room()
    assert seen.num_bytes == 3 * 512 * 512 * 3  # 2.4 MB
    assert seen.window("a", boxes[0])
    more = Box(0, 512, 1024, 1024)
    seen.keep_window("a", more, looked(more))
    seen.make_room()
    assert seen.num_bytes == 3 * 512 * 512 * 3
    assert [seen.window("a", box) is not None for box in (*boxes, more)] == [True, False, True, True]
    assert seen.window("never known", boxes[0]) is None


def test_words_are_streamed_and_geojson_in_degrees_is_read(client: TestClient, generator: Dictated):
    generator.texts = [MASKED]
    scene = by_path(client)
    with rasterio.open(client.app.state.serving.settings.root / "large.tif") as dataset:
        x, y = dataset.xy(214.5, 114.5)
        [lon], [lat] = rasterio.warp.transform(dataset.crs, "EPSG:4326", [x], [y])
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [lon, lat]}}
    body = {
        "question": "What is marked?",
        "marks": {"type": "FeatureCollection", "features": [feature]},
        "coordinates": "wgs84",
        "stream": True,
    }
    text = client.post(f"/scenes/{scene['id']}/ask", json=body).text
    *words, last = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert "".join(one["text"] for one in words).strip() == "<Region 1>: a ship"
    assert np.allclose(last["regions"][0]["mark"]["coordinates"], [115, 215], atol=1e-3)
    placed = client.post(f"/scenes/{scene['id']}/marks", json={"marks": body["marks"], "coordinates": "wgs84"})
    assert placed.json()["marks"] == [last["regions"][0]["mark"]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"marks": [{"kind": "box", "coordinates": [9_000, 9_000, 9_050, 9_050]}]}, "mark_outside_image"),
        ({"question": "What is <Region 3>?"}, "region_count_mismatch"),
        ({"marks": [{"kind": "box", "coordinates": [4_800, 100, 4_830, 130]}]}, "empty_imagery"),
    ],
    ids=range(3),
)
def test_what_cannot_be_asked_of_a_large_scene_is_refused(client: TestClient, change: dict, code: str):
    path = f"/scenes/{by_path(client)['id']}/ask"
    response = client.post(path, json={"question": "What is marked?", "marks": PAIR} | change)
    assert (response.status_code, response.json()["error"]["code"]) == (422, code)
    assert "/" not in response.json()["error"]["message"]


def test_a_large_scene_survives_a_restart(root: Path, tmp_path: Path):
    settings = {"root": root, "data": tmp_path, "max_pixels": 1_000_000}
    with serving(Dictated([MASKED]), **settings) as client:
        scene = by_path(client)
        path = f"/scenes/{scene['id']}"
        answer = client.post(f"{path}/ask", json={"question": "What is marked?", "marks": PAIR[:1]}).json()
        places = ("tiles/0/0/0.png", "tiles/5/3/2.png", f"answers/{answer['id']}/masks/0.png")
        before = [client.get(f"{path}/{place}").content for place in places]
    with serving(**settings) as client:
        [kept] = client.get("/scenes").json()["scenes"]
        assert kept | {"expires": ""} == scene | {"expires": ""}
        assert [client.get(f"{path}/{place}").content for place in places] == before


def test_what_cannot_be_read_by_windows_is_refused(
    client: TestClient, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    response = client.post("/scenes", files={"file": ("a.png", png_header(1_100, 1_000))})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "image_too_large")
    assert "GeoTIFF" in response.json()["error"]["message"]
    few = Settings(max_pixels=1_000, max_windowed_pixels=1_000_000)
    with pytest.raises(ImageTooLarge, match="20,500,000 pixels, over the limit 1,000,000"):
        checked_file(root / "large.tif", root, few)
    monkeypatch.setattr(opening, "MOST_WITHOUT_OVERVIEWS", 20_000_000)
    bare = write_large(tmp_path / "bare.tif", overviews=())
    with pytest.raises(ImageTooLarge, match="no overviews"):
        checked_file(bare, tmp_path, Settings(max_pixels=1_000))
    assert checked_file(root / "large.tif", root, Settings(max_pixels=1_000)).num_bands == 3


def test_a_question_about_many_windows_ends_when_nobody_waits(root: Path):
    class Slow(Dictated):
        def generate(self, requests: Any, **settings: Any) -> Any:
            time.sleep(0.3)
            return super().generate(requests, **settings)

    generator = Slow()
    corners = [(x, y) for x in range(100, 4_200, 500) for y in range(100, 4_000, 600)][:48]
    marks = [{"kind": "box", "coordinates": [x, y, x + 20, y + 20]} for x, y in corners]
    with serving(generator, root=root, max_pixels=1_000_000, answer_seconds=1) as client:
        path = f"/scenes/{by_path(client)['id']}/ask"
        response = client.post(path, json={"question": "What is marked?", "marks": marks})
        assert (response.status_code, response.json()["error"]["code"]) == (504, "answer_took_too_long")
        assert len(generator.requests) < len(marks)
