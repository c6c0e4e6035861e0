"""What outlives a server, what a killed one leaves behind, and that two never share a folder."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from earthgptx.errors import FolderInUse
from earthgptx.serving import shelf
from earthgptx.serving.shelf import Shelf
from tests.serving.conftest import ASK, Dictated, georeferenced, png_bytes, serving, upload

MASKED = "<Region 1>: a ship <pix>"


def test_scenes_answers_and_dialogues_survive_a_restart(tmp_path: Path):
    (tmp_path / "root").mkdir()
    by_path = georeferenced(tmp_path / "root" / "a.tif", size=(600, 280))
    folders = {"data": tmp_path / "data", "root": tmp_path / "root"}
    with serving(Dictated([MASKED]), **folders) as client:
        scenes = [upload(client), client.post("/scenes", json={"path": by_path.name}).json()]
        answer = client.post(f"/scenes/{scenes[0]['id']}/ask", json=ASK).json()
        path = f"/scenes/{scenes[0]['id']}/answers"
        files = ["", f"/{answer['id']}.geojson", f"/{answer['id']}/masks/0.png", f"/{answer['id']}.png"]
        before = [client.get(path + file).content for file in files]
        tile = client.get(f"/scenes/{scenes[1]['id']}/tiles/2/1/0.png").content
    generator = Dictated(["yes"])
    with serving(generator, **folders) as client:
        kept = {one["id"]: one for one in client.get("/scenes").json()["scenes"]}
        assert set(kept) == {one["id"] for one in scenes}
        for scene in scenes:
            assert {k: v for k, v in kept[scene["id"]].items() if k != "expires"} == {
                k: v for k, v in scene.items() if k != "expires"
            }
        assert [client.get(path + file).content for file in files] == before
        assert client.get(f"/scenes/{scenes[1]['id']}/tiles/2/1/0.png").content == tile
        assert client.get(f"/scenes/{scenes[1]['id']}/tiles/2/1/0.png?bands=2").status_code == 200
        goes_on = {"question": "Is it big?", "session": answer["session"]}
        assert client.post(f"/scenes/{scenes[0]['id']}/ask", json=goes_on).status_code == 200
        [asked] = generator.requests
        assert [turn.text for turn in asked.turns] == ["What is marked?", MASKED, "Is it big?"]
        assert len(asked.marks) == 1
        client.delete(f"/scenes/{scenes[0]['id']}")
    with serving(**folders) as client:
        assert [one["id"] for one in client.get("/scenes").json()["scenes"]] == [scenes[1]["id"]]


def test_a_restart_removes_what_has_expired_and_what_is_not_whole(tmp_path: Path):
    with serving(data=tmp_path, scene_seconds=100) as client:
        names = [upload(client)["id"] for _ in range(5)]
    folders = [tmp_path / "scenes" / name for name in names]
    index = json.loads((folders[0] / "index.json").read_text())
    index["used"] -= 101
    (folders[0] / "index.json").write_text(json.dumps(index))  # expired while no server ran
    (folders[1] / "index.json").write_text('{"version": 1, "na')
    (folders[2] / "index.json").unlink()  # it was being opened when its server was killed
    (folders[3] / "shown" / "levels.raw").write_bytes(b"cut short")
    (folders[4] / "answer-lost.json").write_text("{}")
    (folders[4] / "bands-1").mkdir()
    with serving(data=tmp_path, scene_seconds=100) as client:
        assert [one["id"] for one in client.get("/scenes").json()["scenes"]] == [names[4]]
        assert client.get(f"/scenes/{names[4]}/answers").json() == {"answers": []}
        assert [one.name for one in (tmp_path / "scenes").iterdir()] == [names[4]]
        assert {one.name for one in folders[4].iterdir()} == {"index.json", "shown", "upload"}


@pytest.mark.parametrize(
    "change", [{"root_path": "../secret.png"}, {"file": "../../../secret.png"}, {"version": 0}, {"width": -1}]
)
def test_an_index_that_was_tampered_with_leads_nowhere(tmp_path: Path, change: dict):
    (tmp_path / "secret.png").write_bytes(png_bytes())
    (tmp_path / "root").mkdir()
    settings = {"data": tmp_path / "data", "root": tmp_path / "root"}
    with serving(**settings) as client:
        name = upload(client)["id"]
    path = tmp_path / "data" / "scenes" / name / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with serving(**settings) as client:
        for scene in client.get("/scenes").json()["scenes"]:
            tile = client.get(f"/scenes/{scene['id']}/tiles/0/0/0.png?bands=1")
            assert tile.status_code == 415  # the file is looked for among the scene's own


def test_when_a_scene_was_used_is_noted(tmp_path: Path):
    with serving(data=tmp_path) as client:
        scene = upload(client)["id"]
        path = tmp_path / "scenes" / scene / "index.json"
        first = json.loads(path.read_text())["used"]
        client.get(f"/scenes/{scene}")
        client.app.state.serving.scenes.sweep()
        assert json.loads(path.read_text())["used"] > first
        assert not path.with_name("index.json.new").exists()


def test_chats_leave_nothing(tmp_path: Path):
    with serving(data=tmp_path) as client:
        store = client.app.state.serving.scenes
        store.add_upload("image", lambda path: path.write_bytes(png_bytes()), sensor="optical", is_listed=False)
    assert list((tmp_path / "scenes").iterdir()) == []


def test_two_servers_never_share_a_folder(tmp_path: Path):
    with serving(data=tmp_path), pytest.raises(FolderInUse, match="a folder of its own"), serving(data=tmp_path):
        pass
    with serving(data=tmp_path) as client:
        assert isinstance(client, TestClient)


def test_what_killed_servers_left_in_the_temporary_folder_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shelf.tempfile, "tempdir", str(tmp_path))
    killed, young, old, foreign = (tmp_path / f"earthgptx-{n}.scenes" for n in ("killed", "young", "old", "link"))
    for folder in (killed, young, old):
        (folder / "scenes").mkdir(parents=True)
    (killed / "server.lock").touch()
    os.utime(old, (time.time() - 7200,) * 2)
    (tmp_path / "elsewhere").mkdir()
    foreign.symlink_to(tmp_path / "elsewhere")
    running = Shelf(None)
    assert not killed.exists()
    assert not old.exists()
    assert young.exists()  # its server may just have made it
    second = Shelf(None)
    assert running.folder.exists()
    assert foreign.exists()
    running.close()
    second.close()
    assert {one.name for one in tmp_path.iterdir()} == {young.name, foreign.name, "elsewhere"}
