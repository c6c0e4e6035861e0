"""Scenes: what is taken and what is refused, tiles on the pixel grid, and how they go."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from earthgptx.data.imagery import Scene
from earthgptx.errors import TileOutsideScene
from earthgptx.serving.pyramid import Pyramid, write_pyramid
from tests.fixtures.make_imagery import png_header, write_tiff
from tests.serving.conftest import georeferenced, png_bytes, serving, upload, wait_until
from tests.tiny_model import picture


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with serving(max_pixels=1_000_000, max_upload_bytes=2**21, data=tmp_path_factory.mktemp("data")) as client:
        yield client


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_a_scene_says_what_it_is(client: TestClient, tmp_path: Path):
    file = georeferenced(tmp_path / "port_sar.tif", size=(600, 280))
    scene = upload(client, file.read_bytes(), "../../etc/port_sar.tif")
    assert scene["name"] == "port_sar.tif"
    assert (scene["width"], scene["height"], scene["num_bands"]) == (600, 280, 4)
    assert (scene["sensor"], scene["crs"], scene["ground_sample_distance"]) == ("sar", "EPSG:32631", 0.5)
    west, south, east, north = scene["bounds_wgs84"]
    assert 4.3 < west < east < 4.4
    assert 51.8 < south < north < 51.9
    assert (scene["tile_size"], scene["max_zoom"]) == (256, 2)
    assert scene["created"] < scene["expires"]
    assert client.get(f"/scenes/{scene['id']}").json()["id"] == scene["id"]
    assert scene["id"] in [one["id"] for one in client.get("/scenes").json()["scenes"]]
    assert client.delete(f"/scenes/{scene['id']}").status_code == 204
    for response in (client.get(f"/scenes/{scene['id']}"), client.delete(f"/scenes/{scene['id']}")):
        assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_scene")


def test_without_a_place_on_the_map(client: TestClient):
    scene = upload(client, sensor="infrared")
    assert scene["sensor"] == "infrared"
    assert (scene["is_georeferenced"], scene["crs"], scene["bounds_wgs84"]) == (False, None, None)
    assert scene["max_zoom"] == 0


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [
        (b"", "a.png", 415, "unreadable_imagery"),
        (b"not an image at all", "a.png", 415, "unreadable_imagery"),
        (SVG, "a.svg", 415, "unreadable_imagery"),
        (SVG, "a.png", 415, "unreadable_imagery"),
        (png_bytes()[:-400], "a.png", 415, "unreadable_imagery"),
        (png_bytes()[:20], "a.png", 415, "unreadable_imagery"),
        (png_header(60_000, 60_000), "a.png", 413, "image_too_large"),
        (b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40, "a.tif", 415, "unreadable_imagery"),
        (b'<VRTDataset rasterXSize="9" rasterYSize="9"/>', "a.vrt", 415, "unreadable_imagery"),
        (b"%PDF-1.7\n" + png_bytes(), "a.png", 415, "unreadable_imagery"),
        (b"\0" * (2**21 + 10), "a.png", 415, "unreadable_imagery"),
        (b"\0" * (2**21 + 70_000), "a.png", 413, "upload_too_large"),
    ],
    ids=range(12),
)
def test_hostile_uploads_are_refused_and_leave_nothing(
    client: TestClient, content: bytes, name: str, status: int, code: str
):
    before = len(client.get("/scenes").json()["scenes"])
    response = client.post("/scenes", files={"file": (name, content)})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert "/" not in response.json()["error"]["message"]  # no path of this machine
    assert len(client.get("/scenes").json()["scenes"]) == before


def test_a_file_that_is_two_kinds_is_what_its_first_bytes_say(client: TestClient):
    scene = upload(client, png_bytes() + b"PK\x03\x04<script>alert(1)</script>", "a.html")
    tile = client.get(f"/scenes/{scene['id']}/tiles/0/0/0.png")
    assert tile.headers["content-type"] == "image/png"
    assert tile.headers["x-content-type-options"] == "nosniff"
    assert b"script" not in tile.content  # pictures are drawn anew, never passed on


def test_a_bomb_of_bands_is_refused_by_its_header(client: TestClient, tmp_path: Path):
    import rasterio

    path = tmp_path / "bomb.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=900, height=900, count=60, dtype="uint8", SPARSE_OK="TRUE", interleave="pixel"
    ):
        pass
    response = client.post("/scenes", files={"file": ("bomb.tif", path.read_bytes())})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "image_too_large")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"data": {"sensor": "auto"}}, 400, "malformed_request"),
        ({"files": {"image": ("a.png", png_bytes())}}, 400, "malformed_request"),
        ({"files": {"file": ("a.png", png_bytes())}, "data": {"sensor": "sonar"}}, 422, "unknown_sensor"),
        ({"files": {"file": ("a.png", b"x"), "more": ("b.png", b"x")}}, 400, "malformed_request"),
        ({"json": {"path": "a.tif"}}, 403, "path_outside_root"),
        ({"json": {}}, 400, "malformed_request"),
        ({"content": b"\x89PNG", "headers": {"Content-Type": "image/png"}}, 400, "malformed_request"),
        ({"content": b"abc", "headers": {"Content-Type": "multipart/form-data"}}, 400, "malformed_request"),
        ({"content": b"abc", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400, "malformed_request"),
    ],
    ids=range(9),
)
def test_malformed_forms_are_refused(client: TestClient, request_: dict, status: int, code: str):
    response = client.post("/scenes", **request_)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_only_files_below_the_root_are_opened(tmp_path: Path):
    root, outside = tmp_path / "root", tmp_path / "secret.png"
    (root / "ports").mkdir(parents=True)
    (root / "ports" / "a.png").write_bytes(png_bytes())
    outside.write_bytes(png_bytes())
    (root / "link.png").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    with serving(root=root) as client:
        taken = client.post("/scenes", json={"path": "ports/a.png", "sensor": "sar"})
        assert (taken.status_code, taken.json()["sensor"]) == (201, "sar")
        for path in ("../secret.png", str(outside), "link.png", "folder/secret.png", "ports/../../secret.png", "a\0"):
            response = client.post("/scenes", json={"path": path})
            assert (response.status_code, response.json()["error"]["code"]) == (403, "path_outside_root"), path
        for path in ("no.png", "ports", "."):
            assert client.post("/scenes", json={"path": path}).status_code == 415
        client.delete(f"/scenes/{taken.json()['id']}")
    assert (root / "ports" / "a.png").exists()  # it is the user's


def test_scenes_expire_and_their_files_are_swept(tmp_path: Path):
    with serving(data=tmp_path, scene_seconds=1) as client:
        folder = tmp_path / "scenes"
        scene = upload(client)["id"]
        assert [one.name for one in folder.iterdir()] == [scene]
        store = client.app.state.serving.scenes
        store.get(scene).used = time.time() - 2
        assert client.get(f"/scenes/{scene}").status_code == 404
        assert store.sweep() == 1
        assert list(folder.iterdir()) == []


def test_a_root_with_names_that_no_file_can_have(tmp_path: Path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "secret.png").write_bytes(png_bytes())
    (tmp_path / "secret.png").chmod(0)
    with serving(root=tmp_path) as client:
        for path in ("a" * 300 + ".png", "a/" * 400, "circle", "secret.png/a.png"):
            response = client.post("/scenes", json={"path": path})
            assert (response.status_code, response.json()["error"]["code"]) == (415, "unreadable_imagery"), path
        if os.getuid():  # root may read all
            assert client.post("/scenes", json={"path": "secret.png"}).status_code == 415


def test_a_file_may_not_lead_out_of_the_root(tmp_path: Path):
    root = tmp_path / "root"
    root.mkdir()
    georeferenced(root / "a.tif")
    georeferenced(tmp_path / "secret.ovr", size=(150, 140))
    with serving(root=root) as client:
        assert client.post("/scenes", json={"path": "a.tif"}).status_code == 201
        (root / "a.tif.ovr").symlink_to(tmp_path / "secret.ovr")  # GDAL would read reduced pixels from there
        response = client.post("/scenes", json={"path": "a.tif"})
        assert (response.status_code, response.json()["error"]["code"]) == (415, "unreadable_imagery")
        assert str(tmp_path) not in response.text


@pytest.mark.parametrize("name", ["shown", "index.json", "answer-x.json", "upload", "..", "."])
def test_a_client_s_name_for_its_file_never_meets_ours(client: TestClient, name: str):
    scene = upload(client, name=name)
    assert client.get(f"/scenes/{scene['id']}/tiles/0/0/0.png").status_code == 200
    client.delete(f"/scenes/{scene['id']}")


def test_bands_of_a_file_that_was_replaced_are_refused(tmp_path: Path):
    georeferenced(tmp_path / "a.tif", size=(100, 80))
    with serving(root=tmp_path) as client:
        scene = client.post("/scenes", json={"path": "a.tif"}).json()["id"]
        tile = f"/scenes/{scene}/tiles/0/0/0.png"
        georeferenced(tmp_path / "a.tif", size=(90, 80))
        response = client.get(tile, params={"bands": "1"})
        assert (response.status_code, response.json()["error"]["code"]) == (415, "unreadable_imagery")
        (tmp_path / "a.tif").unlink()
        gone = client.get(tile, params={"bands": "1"})
        assert gone.status_code == 415
        assert str(tmp_path) not in gone.text
        assert client.get(tile).status_code == 200  # what is shown lies with the scene


def test_pixels_without_data_are_transparent(tmp_path: Path):
    layers = np.random.default_rng(0).integers(100, 4000, (3, 400, 600), dtype=np.uint16)
    layers[:, :, 301:] = 0
    file = write_tiff(tmp_path / "a.tif", layers, nodata=0)
    alpha = np.full((90, 70), 255, np.uint8)
    alpha[:, :20] = 0
    stream = io.BytesIO()
    Image.fromarray(np.dstack([picture((70, 90)), alpha])).save(stream, "PNG")
    with serving() as client:
        scene = upload(client, file.read_bytes(), "a.tif", sensor="optical")["id"]
        near = pixels(client.get(f"/scenes/{scene}/tiles/2/1/0.png").content)
        assert (near[:, : 301 - 256, 3] == 255).all()
        assert (near[:, 301 - 256 :, 3] == 0).all()
        far = pixels(client.get(f"/scenes/{scene}/tiles/0/0/0.png").content)
        assert (far[:100, :76, 3] == 255).all()
        assert (far[:100, 76:, 3] == 0).all()
        inside = far[:100, :75, :3].astype(float).mean()
        assert abs(far[:100, 75, :3].mean() - inside) < 25  # the border of the data is no darker than the rest
        assert pixels(client.get(f"/scenes/{scene}/thumbnail.png").content)[50, 140, 3] == 0
        other = pixels(client.get(f"/scenes/{scene}/tiles/2/1/0.png?bands=2").content)
        assert (other[..., 3] == near[..., 3]).all()
        with_alpha = upload(client, stream.getvalue(), "a.png")["id"]
        shown = pixels(client.get(f"/scenes/{with_alpha}/tiles/0/0/0.png").content)
        assert (shown[:90, :70, 3] == alpha).all()


def test_scenes_that_are_being_opened_take_room_too(monkeypatch: pytest.MonkeyPatch):
    gate = threading.Event()
    original = Scene.open

    def slow(*arguments: object, **settings: object) -> Scene:
        assert gate.wait(20)
        return original(*arguments, **settings)

    with serving(max_scenes=1) as client, ThreadPoolExecutor() as pool:
        monkeypatch.setattr("earthgptx.serving.opening.Scene.open", slow)
        first = pool.submit(upload, client)
        wait_until(lambda: client.app.state.serving.scenes._num_reserved == 1)
        response = client.post("/scenes", files={"file": ("a.png", png_bytes())})
        assert (response.status_code, response.json()["error"]["code"]) == (429, "too_many_scenes")
        gate.set()
        assert first.result()["id"]


def test_no_more_scenes_than_there_is_room_for():
    with serving(max_scenes=2) as client:
        first = upload(client)["id"]
        upload(client)
        response = client.post("/scenes", files={"file": ("a.png", png_bytes())})
        assert (response.status_code, response.json()["error"]["code"]) == (429, "too_many_scenes")
        client.delete(f"/scenes/{first}")
        upload(client)


def test_tiles_are_what_the_model_sees(client: TestClient, tmp_path: Path):
    file = georeferenced(tmp_path / "a.tif", size=(600, 280))
    scene = upload(client, file.read_bytes(), "a.tif")
    shown = Scene.open(file).pixels
    tiles = f"/scenes/{scene['id']}/tiles"
    corner = pixels(client.get(f"{tiles}/2/2/1.png").content)
    assert corner.shape == (256, 256, 4)
    assert (corner[:24, :88, :3] == shown[256:, 512:]).all()
    assert (corner[:24, :88, 3] == 255).all()
    assert corner[24:, :, 3].max() == corner[:, 88:, 3].max() == 0
    whole = pixels(client.get(f"{tiles}/0/0/0.png").content)
    assert (whole[..., 3] > 0).sum() == 150 * 70
    assert abs(whole[:70, :150, :3].mean() - shown.mean()) < 1
    assert pixels(client.get(f"/scenes/{scene['id']}/thumbnail.png").content).shape == (70, 150, 3)
    for place in ("2/3/0", "2/0/2", "3/0/0", "-1/0/0", "0/-1/0"):
        response = client.get(f"{tiles}/{place}.png")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "tile_outside_scene")
    assert client.get(f"{tiles}/a/0/0.png").status_code == 422


def test_levels_and_bands_can_be_chosen(client: TestClient, tmp_path: Path):
    file = georeferenced(tmp_path / "a.tif", size=(100, 80), bands=5)
    scene = upload(client, file.read_bytes(), "a.tif")
    tile = f"/scenes/{scene['id']}/tiles/0/0/0.png"
    shown = Scene.open(file).pixels.astype(float)
    stretched = pixels(client.get(tile, params={"low": 50, "high": 150}).content)[:80, :100, :3]
    assert np.abs(stretched - np.clip((shown - 50) * 2.55, 0, 255)).max() <= 1
    for _ in range(2):
        for bands in ((1, 2, 3), (5,), (3, 2, 1), (4, 4, 4)):
            response = client.get(tile, params={"bands": ",".join(map(str, bands))})
            assert (pixels(response.content)[:80, :100, :3] == Scene.open(file, bands=bands).pixels).all()
    for query in ("bands=9", "bands=1,2", "bands=a", "bands=", "bands=0", "low=9&high=9", "low=nan", "high=9999"):
        assert client.get(f"{tile}?{query}").status_code in (400, 415, 422), query


@settings(max_examples=25)
@given(width=st.integers(1, 700), height=st.integers(1, 700))
def test_a_pyramid_halves_down_to_one_tile(tmp_path_factory: pytest.TempPathFactory, width: int, height: int):
    scene = picture((width, height))
    pyramid = write_pyramid(scene, tmp_path_factory.mktemp("p") / "levels")
    assert (pyramid.levels[0] == scene).all()
    assert max(pyramid.levels[-1].shape[:2]) <= 256 or pyramid.max_zoom == 0
    for above, level in zip(pyramid.levels, pyramid.levels[1:], strict=False):
        assert level.shape[:2] == tuple((side + 1) // 2 for side in above.shape[:2])
        assert abs(float(level.mean()) - float(above.mean())) < 8
    assert pixels(pyramid.tile(0, 0, 0)).shape == (256, 256, 4)


def test_a_tile_beyond_the_grid():
    with pytest.raises(TileOutsideScene, match="grid of 1 x 1 tiles"):
        Pyramid((picture((9, 9)),)).tile(0, 1, 0)
