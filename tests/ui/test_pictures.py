"""The pictures of docs/studio.md, made anew: STUDIO_PICTURES names the folder, STUDIO_MODEL a model that answers.

Without them the pictures go to a temporary folder and a stand-in answers, which tests that they can be made.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.ui.conftest import running_server
from tests.ui.rendered_scenes import RenderedScenes, ship_box
from tests.ui.speaking_model import SpeakingModel
from tests.ui.studio_page import StudioPage

MAX_BYTES = 150_000
NUM_COLOURS = 256
STEPS = ("upload", "draw", "stream", "answer", "dark", "narrow")
LONGEST_ANSWER = 120_000  # milliseconds, with a real model on a busy machine


def test_pictures_of_all_steps(browser: Any, scenes: RenderedScenes, tmp_path: Path):
    folder = Path(os.environ.get("STUDIO_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    with running_server(_model()) as server:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        context.set_default_timeout(LONGEST_ANSWER)
        page = context.new_page()
        page.goto(server.address)
        page.locator("#connection[data-state=ready]").wait_for(state="attached")
        _walk(StudioPage(page), scenes, folder)
        context.close()
    for step in STEPS:
        size = (folder / f"{step}.png").stat().st_size
        assert size <= MAX_BYTES, f"{step}.png has {size:,} bytes; the documentation takes {MAX_BYTES:,}"


def _model() -> Any:
    name = os.environ.get("STUDIO_MODEL")
    if name is None:
        return SpeakingModel(seconds_a_word=0.1)
    from earthgptx.inference.loading import load

    return load(name).generator


def _walk(studio: StudioPage, scenes: RenderedScenes, folder: Path) -> None:
    page = studio.page

    def shoot(step: str) -> None:
        page.mouse.move(640, 12)
        _save(page, folder / f"{step}.png")

    for path, sensor in ((scenes.infrared, "infrared"), (scenes.sar, "sar"), (scenes.optical, "optical")):
        studio.upload(path, sensor)
    page.wait_for_timeout(400)
    shoot("upload")
    studio.take("Box")
    x0, y0, x1, y1 = ship_box(0)
    studio.drag([(x0 - 3, y0 - 3), (x1 + 3, y1 + 3)])
    studio.take("Circle")
    studio.drag([(520, 90), (558, 90)])
    studio.take("Scribble")
    studio.drag([(98, 268), (112, 300), (122, 332)])
    studio.take("Polygon")
    for corner in ((275, 225), (330, 245), (322, 276), (268, 258)):
        studio.click(corner)
        page.wait_for_timeout(300)
    page.locator("#map").focus()
    shoot("draw")
    page.keyboard.press("Enter")
    studio.take("Select and move")
    page.get_by_role("button", name="Classify regions").click()
    page.keyboard.press("Enter")
    page.locator(".streaming .reference").nth(1).wait_for()
    shoot("stream")
    studio.wait_for_answers(1)
    studio.ask("Segment <Region 1>.")
    studio.wait_for_answers(2)
    page.wait_for_timeout(300)
    shoot("answer")
    page.emulate_media(color_scheme="dark")
    shoot("dark")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Whole scene").click()
    page.wait_for_timeout(500)
    shoot("narrow")


def _save(page: Any, path: Path) -> None:
    """As a PNG of few colours: a page is flat, and documentation is to stay small."""
    import io

    from PIL import Image

    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(NUM_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
