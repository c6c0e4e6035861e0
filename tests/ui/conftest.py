"""A server with a stand-in for the model, and a real browser that opens its page."""

from __future__ import annotations

import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ui.rendered_scenes import RenderedScenes, render_scenes
from tests.ui.speaking_model import SpeakingModel

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# No sandbox for root in a container; nothing that would call home.
CHROMIUM_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


PATIENCE = 10_000  # milliseconds until something on the page is given up


@dataclass(frozen=True)
class Running:
    """A server's address and the model behind it."""

    address: str
    model: SpeakingModel


@contextmanager
def running_server(model: Any = None, port: int = 0, **settings: Any) -> Iterator[Running]:
    """A server on a free port of this machine."""
    import uvicorn

    from earthgptx.inference.assistant import Assistant
    from earthgptx.serving.app import create_app
    from earthgptx.serving.settings import Settings

    model = model or SpeakingModel()
    app = create_app(Settings(**settings), lambda: Assistant(model))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    listener = socket.create_server(("127.0.0.1", port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        _wait_for(f"{address}/health")
        yield Running(address, model)
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()


def _wait_for(address: str) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            assert time.monotonic() < end, f"{address} never answered"
            time.sleep(0.05)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium, or a skipped test that says what is missing."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; set CHROMIUM to its path")
    sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> RenderedScenes:
    """Rendered files, one a sensor."""
    return render_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture
def server() -> Iterator[Running]:
    """A fresh server."""
    with running_server() as running:
        yield running


@pytest.fixture
def page(browser: Any, server: Running) -> Iterator[Any]:
    """The studio, opened; an error on the page fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(server.address)
    opened.get_by_text("No scene yet").wait_for()
    yield opened
    context.close()
    assert not errors, errors
