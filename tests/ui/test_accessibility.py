"""axe-core looks at the page in its main states: nothing serious, light and dark, wide and narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import PATIENCE, Running, running_server
from tests.ui.rendered_scenes import RenderedScenes, ship_box
from tests.ui.studio_page import StudioPage

AXE = Path(__file__).parents[2] / "studio" / "node_modules" / "axe-core" / "axe.min.js"
# Besides the rules that run by themselves: controls that a finger can hit (WCAG 2.2, 2.5.8).
LOOK = """async () => {
    const options = { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } };
    const { violations } = await axe.run(document, options);
    return violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map(({ target, failureSummary }) =>
        `${target.join(" ")}: ${failureSummary.split("\\n").slice(1).join(" ").trim()}`) }));
}"""
GRAVE = {"serious", "critical"}


@pytest.fixture(params=["light", "dark"])
def blank(request: pytest.FixtureRequest, browser: Any):
    """A page, light or dark, that carries axe-core from its first line on."""
    if not AXE.is_file():
        pytest.skip("axe-core is not there: npm ci in studio/")
    size = {"width": 1280, "height": 800}
    context = browser.new_context(viewport=size, color_scheme=request.param, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    context.add_init_script(path=AXE)
    yield context.new_page()
    context.close()


@pytest.fixture
def watched(blank: Any, server: Running) -> Any:
    """The studio on such a page."""
    blank.goto(server.address)
    blank.get_by_text("No scene yet").wait_for()
    return blank


def grave(page: Any) -> list[tuple[str, list[str]]]:
    """Serious and critical violations, and where they are."""
    page.evaluate("() => new Promise(requestAnimationFrame)")
    return [(one["id"], one["where"]) for one in page.evaluate(LOOK) if one["impact"] in GRAVE]


def test_no_state_has_a_serious_violation(watched: Any, server: Running, scenes: RenderedScenes):
    page, studio = watched, StudioPage(watched)
    found: dict[str, list[str]] = {}

    def look(state: str) -> None:
        found.update({f"{state}: {name}": where for name, where in grave(page)})

    look("empty")
    studio.upload(scenes.optical, "optical")
    look("scene open")
    x0, y0, x1, y1 = ship_box(0)
    studio.take("Box")
    studio.drag([(x0, y0), (x1, y1)])
    studio.take("Polygon")
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("v")
    page.keyboard.press(".")
    look("marks, one with a vertex in hand")
    server.model.seconds_a_word = 0.3
    studio.ask("What is it?")
    page.locator(".streaming .reference").first.wait_for()
    look("an answer on its way")
    studio.wait_for_answers(1)
    server.model.seconds_a_word = 0.0
    look("answer")
    page.locator("#file").set_input_files({"name": "no.tif", "mimeType": "image/tiff", "buffer": b"no image"})
    page.locator(".uploads .refused").wait_for()
    page.get_by_label("Coordinates of mark 2, in pixels").fill("1")
    page.keyboard.press("Enter")
    page.locator("#notice p").wait_for()
    look("a refused file and a notice")
    page.get_by_role("button", name="Dismiss", exact=True).click()
    page.get_by_role("button", name="Keyboard").click()
    look("dialog")
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 844})
    for tab in ("Marks 2", "Scenes", "Display", "Ask"):
        page.get_by_role("navigation").get_by_role("button", name=tab, exact=True).click()
        look(f"390 px, {tab}")
    assert not found, "\n".join(f"{state}\n    " + "\n    ".join(where) for state, where in found.items())


def test_a_locked_page_and_one_without_a_server_have_none_either(blank: Any):
    with running_server(token="a-token-of-the-tests") as server:
        blank.goto(server.address)
        blank.get_by_label("Token", exact=True).fill("wrong")
        blank.get_by_role("button", name="Unlock").click()
        blank.get_by_text("The server does not take this token.").wait_for()
        assert grave(blank) == []
        blank.keyboard.press("Escape")
        assert grave(blank) == []
        blank.get_by_role("button", name="Enter the token").click()
    blank.get_by_role("button", name="Unlock").click()
    blank.get_by_text("Server gone").wait_for()
    assert grave(blank) == []
