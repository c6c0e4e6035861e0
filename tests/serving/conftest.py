"""A running app with the smallest model, and pictures to send to it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from earthgptx.inference.assistant import Assistant
from earthgptx.inference.generation import Generator
from earthgptx.serving.app import create_app
from earthgptx.serving.settings import Settings
from tests.fixtures.make_imagery import write_tiff
from tests.inference.fake_generator import FakeGenerator
from tests.tiny_model import picture, tiny_model, tiny_processor

BASE = "http://127.0.0.1"
BOX = {"kind": "box", "coordinates": [20, 30, 44, 54]}
ASK = {"question": "What is marked?", "marks": [BOX], "max_new_tokens": 8}


class Dictated(FakeGenerator):
    """Says what it is told, as slowly as it is told; looks are cheap."""

    def __init__(self, texts: list[str] | None = None, pause: Callable[[], None] = lambda: None) -> None:
        super().__init__(texts or [])
        self.pause = pause
        self.batches: list[int] = []

    def look(self, scene: Any) -> Any:
        self.num_looks += 1
        return scene

    def generate(self, requests: Any, **settings: Any) -> Any:
        self.batches.append(len(requests))
        self.pause()
        return super().generate(requests, **settings)

    def forget_zooms(self, views: Any, keep: int) -> None:
        """Nothing is kept."""

    def num_bytes(self, views: Any) -> int:
        """Nothing is kept."""
        return 0


@contextmanager
def serving(generator: Any = None, *, is_ready: bool = True, **settings: Any) -> Iterator[TestClient]:
    """A client of an app that runs."""
    app = create_app(Settings(**settings), lambda: Assistant(generator or Dictated()))
    headers = {"Authorization": f"Bearer {settings['token']}"} if settings.get("token") else {}
    with TestClient(app, base_url=BASE, headers=headers) as client:
        if is_ready:
            wait_until(lambda: client.get("/ready").status_code == 200)
        yield client


def wait_until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits for something that comes soon."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def png_bytes(size: tuple[int, int] = (200, 150), seed: int = 0) -> bytes:
    """A picture's PNG file."""
    stream = io.BytesIO()
    Image.fromarray(picture(size, seed)).save(stream, "PNG")
    return stream.getvalue()


def georeferenced(path: Path, *, size: tuple[int, int] = (300, 280), bands: int = 4) -> Path:
    """A 16-bit GeoTIFF of several bands in UTM zone 31."""
    from rasterio.crs import CRS
    from rasterio.transform import Affine

    width, height = size
    rng = np.random.default_rng(3)
    layers = rng.integers(100, 4000, (bands, height, width), dtype=np.uint16)
    transform = Affine(0.5, 0, 593_000, 0, -0.5, 5_747_000)
    return write_tiff(path, layers, crs=CRS.from_epsg(32631), transform=transform)


def upload(client: TestClient, content: bytes | None = None, name: str = "port.png", **fields: str) -> dict[str, Any]:
    """Uploads a picture that must be taken."""
    response = client.post("/scenes", files={"file": (name, content or png_bytes())}, data=fields)
    assert response.status_code == 201, response.text
    return response.json()


@pytest.fixture(scope="package")
def tiny() -> Iterator[TestClient]:
    """An app with the real, random model."""
    with serving(Generator(tiny_model(), tiny_processor())) as client:
        yield client
