"""`earthgptx serve`: a process that answers, logs JSON, ends when told to, and refuses settings that cannot work."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
import uvicorn

from earthgptx.inference import loading, vllm_engine
from earthgptx.model.weights.checkpoint import save_trained
from earthgptx.serving import app
from earthgptx.serving.shelf import Shelf
from tests.serving.conftest import ASK, upload
from tests.test_cli import refused, run
from tests.tiny_model import tiny_model


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A tiny model, a free port, a folder for uploads."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "data").mkdir()
    own = {"MODEL": save_trained(tiny_model(), tmp_path / "tiny"), "PORT": port, "DATA": tmp_path / "data"}
    rest = {name: value for name, value in os.environ.items() if not name.startswith("EARTHGPTX_")}
    return rest | {f"EARTHGPTX_{name}": str(value) for name, value in own.items()}


def is_ready(address: str) -> bool:
    try:
        return httpx.get(address + "/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_a_server_lives_and_ends(environment: dict[str, str]):
    address = f"http://127.0.0.1:{environment['EARTHGPTX_PORT']}"
    process = subprocess.Popen(
        [sys.executable, "-m", "earthgptx", "serve"], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + 120
        while not is_ready(address):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end
            time.sleep(0.1)
        with httpx.Client(base_url=address, timeout=60) as client:
            assert client.get("/api/about").json()["model"] == "tiny"
            scene = upload(client)["id"]
            assert client.post(f"/scenes/{scene}/ask", json=ASK).status_code == 200
            assert "server" not in client.get("/").headers
        assert list(Path(environment["EARTHGPTX_DATA"]).iterdir())
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
    assert [one.name for one in Path(environment["EARTHGPTX_DATA"], "scenes").iterdir()] == [scene]  # for the next one
    greeting, *lines = log.splitlines()
    assert address in greeting
    asked = [line for line in map(json.loads, lines) if line.get("path") == f"/scenes/{scene}/ask"]
    assert [(line["status"], line["method"]) for line in asked] == [(200, "POST")]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "http", "EARTHGPTX_PORT"),
        ("HOST", "0.0.0.0", "EARTHGPTX_TOKEN"),
        ("MODEL", "no-such-model", "no-such-model"),
        ("DEVICE", "abacus", "abacus"),
        ("ENGINE", "steam", "must be torch or vllm, not steam"),
        ("ENGINE", "vllm", "needs EARTHGPTX_DEVICE=cuda, not cpu"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
):
    monkeypatch.setenv(f"EARTHGPTX_{name}", value)
    refused(run("serve"), words)


def test_a_folder_of_another_server_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]
):
    monkeypatch.setenv("EARTHGPTX_MODEL", environment["EARTHGPTX_MODEL"])
    monkeypatch.setenv("EARTHGPTX_DATA", str(tmp_path / "shared"))
    other = Shelf(tmp_path / "shared")
    refused(run("serve"), "a folder of its own")
    other.close()


@pytest.mark.parametrize(("package", "extra"), [("uvicorn", "serve"), ("vllm", "vllm")])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, package: str, extra: str):
    monkeypatch.setenv("EARTHGPTX_ENGINE", "vllm")
    monkeypatch.setenv("EARTHGPTX_DEVICE", "cuda")
    monkeypatch.setitem(sys.modules, package, None)
    refused(run("serve"), f"earthgptx[{extra}]")


def test_the_model_is_loaded_as_the_settings_say(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]):
    for name, value in {**environment, "EARTHGPTX_ENGINE": "vllm", "EARTHGPTX_DEVICE": "cuda"}.items():
        monkeypatch.setenv(name, value)
    for place in ("check_device", "load"):
        monkeypatch.setattr(loading, place, Mock())
    monkeypatch.setattr(vllm_engine, "imported", Mock())
    given: list[Callable[[], object]] = []
    monkeypatch.setattr(app, "create_app", lambda settings, load: given.append(load))
    monkeypatch.setattr(uvicorn, "run", Mock())
    assert run("serve").exit_code == 0
    given[0]()
    loading.load.assert_called_once_with(environment["EARTHGPTX_MODEL"], device="cuda", engine="vllm")
