"""What goes wrong around the page: hostile names, a token's way, scenes switched midway, a server that returns."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import PATIENCE, Running, running_server
from tests.ui.rendered_scenes import RenderedScenes, ship_box
from tests.ui.studio_page import StudioPage

BOX = ship_box(0)
# The controls that are seen and reach past the page; the suggestions are a row that scrolls.
OUTSIDE = """() => [...document.querySelectorAll("button, input, select, textarea")]
    .filter((control) => control.checkVisibility() && control.closest(".unseen, .tasks") === null)
    .filter((control) => {
        const { left, right } = control.getBoundingClientRect();
        return left < 0 || right > innerWidth;
    })
    .map((control) => control.outerHTML.slice(0, 120))"""
MARKUP = "<img src=x onerror=document.title=1>"


def row(page: Any, name: str) -> Any:
    """A scene's button in the list."""
    return page.locator(".scenes button.scene", has_text=name)


def test_an_answer_of_a_scene_that_was_left_is_not_shown(page: Any, server: Running, scenes: RenderedScenes):
    studio = StudioPage(page)
    studio.upload(scenes.infrared, "infrared")
    studio.upload(scenes.optical, "optical")
    server.model.seconds_a_word = 0.2
    studio.ask("What is here?")
    page.locator(".streaming .words:not(.waiting)").wait_for()
    row(page, scenes.infrared.name).click()
    page.locator(".scenes li.open", has_text=scenes.infrared.name).wait_for()
    page.wait_for_timeout(1500)
    assert page.locator(".streaming").count() == 0
    assert page.locator(".thread .exports").count() == 0
    assert page.locator(".thread").inner_text() == "Nothing asked yet."
    assert page.locator("#send").is_visible()


def test_markup_in_names_and_questions_is_text(page: Any, scenes: RenderedScenes, tmp_path: Path):
    studio = StudioPage(page)
    hostile = tmp_path / f"{MARKUP}.tif"
    shutil.copy(scenes.optical, hostile)
    page.set_input_files("#file", hostile)
    page.locator(".scenes li.open").wait_for()
    studio.take("Box")
    studio.drag([BOX[:2], BOX[2:]])
    page.get_by_label("Name of mark 1, a box").fill(MARKUP)
    page.keyboard.press("Tab")
    studio.ask(f"What is {MARKUP}?")
    studio.wait_for_answers(1)
    assert MARKUP in page.locator(".thread").inner_text()
    assert MARKUP in page.locator(".scenes li.open").inner_text()
    assert page.locator("img").count() == 0
    assert page.title().startswith(MARKUP)


def test_the_token_is_in_no_address_and_the_question_for_it_can_be_put_off(browser: Any, scenes: RenderedScenes):
    token = "a-token-of-the-tests"
    with running_server(token=token) as server:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server.address)
        page.get_by_label("Token", exact=True).wait_for()
        page.keyboard.press("Escape")
        assert not page.locator("#lock").is_visible()
        page.get_by_role("button", name="Enter the token").click()
        page.get_by_label("Token", exact=True).fill("tökén €")
        page.get_by_role("button", name="Unlock").click()
        page.get_by_text("The server does not take this token.").wait_for()
        page.get_by_label("Token", exact=True).fill(token)
        page.keyboard.press("Enter")
        page.locator("#lock").wait_for(state="hidden")  # nobody can add a scene behind an open dialog
        studio = StudioPage(page, 640, 512)
        studio.upload(scenes.infrared, "infrared")
        studio.ask("What is here?")
        studio.wait_for_answers(1)
        with page.expect_download():
            page.get_by_role("button", name="Export as PNG", exact=True).click()
        assert len(asked) > 8
        assert not [url for url in asked if token in url]
        assert token not in page.content()
        context.close()


def test_the_picture_comes_back_with_the_server(browser: Any, scenes: RenderedScenes):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    with running_server() as server:
        page.goto(server.address)
        studio = StudioPage(page)
        studio.upload(scenes.optical, "optical")
        context.route("**/tiles/**", lambda route: route.abort())
        page.get_by_label("White level").fill("200")
        page.get_by_text("Server gone").wait_for()
        blank = studio.colour_at((500, 330))
        context.unroute("**/tiles/**")
        page.locator("#connection[data-state=ready]").wait_for(state="attached")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(400)
        assert studio.colour_at((500, 330)) != blank
    context.close()


def test_display_is_reset_where_one_looks_and_never_changes_another_scene(page: Any, scenes: RenderedScenes):
    studio = StudioPage(page)
    studio.upload(scenes.infrared, "infrared")
    studio.upload(scenes.optical, "optical")
    page.get_by_label("White level").fill("90")
    row(page, scenes.infrared.name).click()  # before the level is taken over
    page.wait_for_timeout(300)
    assert page.get_by_label("White level").input_value() == "255"
    row(page, scenes.optical.name).click()
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(400)
    zoom = page.locator("#place").inner_text()
    page.get_by_label("Red band").select_option("3")
    assert page.locator(".bands legend").inner_text() == "Bands"
    reset = page.get_by_role("button", name="Reset", exact=True)
    reset.click()
    page.wait_for_timeout(400)
    assert page.get_by_label("Red band").input_value() == "1"
    assert page.locator(".bands legend").inner_text() == "Bands (automatic)"
    assert page.locator("#place").inner_text().split()[-1] == zoom.split()[-1]
    assert reset.evaluate("button => document.activeElement === button")


def test_the_toolbar_stays_in_reach_of_the_tab_key(page: Any, scenes: RenderedScenes):
    studio = StudioPage(page)
    studio.upload(scenes.optical, "optical")
    page.locator("#map").focus()
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    undo = page.get_by_role("button", name="Undo", exact=True)
    undo.focus()
    page.keyboard.press("Enter")
    assert studio.kinds() == []
    assert undo.evaluate("button => document.activeElement === button")
    page.locator("#map").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#toolbar') !== null")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#zoombar') !== null")


def test_every_object_address_is_given_back(page: Any, scenes: RenderedScenes):
    page.evaluate("""() => {
        window.alive = new Set();
        const [make, drop] = [URL.createObjectURL, URL.revokeObjectURL];
        URL.createObjectURL = (blob) => { const made = make.call(URL, blob); window.alive.add(made); return made; };
        URL.revokeObjectURL = (address) => { window.alive.delete(address); drop.call(URL, address); };
    }""")
    studio = StudioPage(page)
    studio.upload(scenes.optical, "optical")
    studio.ask("What is here?")
    studio.wait_for_answers(1)
    with page.expect_download():
        page.get_by_role("button", name="Export as JSON", exact=True).click()
    page.wait_for_function("() => window.alive.size === 0", timeout=15_000)


def test_keys_of_other_keyboards_and_of_other_windows(page: Any, scenes: RenderedScenes):
    studio = StudioPage(page)
    studio.upload(scenes.optical, "optical")
    studio.take("Point")
    studio.click((300, 250))
    page.locator("#map").focus()
    page.keyboard.press("v")
    page.keyboard.press("Escape")
    assert page.locator(".marks li.selected").count() == 0
    press = "(keys) => document.body.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, ...keys }))"
    page.evaluate(press, {"key": "]", "ctrlKey": True, "altKey": True})
    assert page.locator(".marks li.selected").count() == 0
    page.evaluate(press, {"key": "]", "ctrlKey": True, "altKey": True, "modifierAltGraph": True})
    assert page.locator(".marks li.selected").count() == 1
    studio.take("Box")
    page.locator("#map").focus()
    page.keyboard.down("Space")
    page.evaluate("window.dispatchEvent(new Event('blur'))")  # the key is let go of elsewhere
    studio.drag([BOX[:2], BOX[2:]])
    assert studio.kinds() == ["point", "box"]


def test_single_keys_can_be_switched_off(page: Any, scenes: RenderedScenes):
    studio = StudioPage(page)
    studio.upload(scenes.optical, "optical")
    pressed = page.locator("#toolbar button[aria-pressed=true]")
    box = page.get_by_role("toolbar").get_by_role("button", name="Box", exact=True)
    assert box.get_attribute("aria-keyshortcuts") == "B"
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Single letters and signs are shortcuts").uncheck()
    page.keyboard.press("Escape")
    for _ in range(2):  # the second time after a reload, which keeps the choice
        page.locator("#map").focus()
        page.keyboard.press("b")
        assert pressed.get_attribute("aria-label") == "Select and move"
        assert box.get_attribute("aria-keyshortcuts") is None
        assert box.get_attribute("title") == "Box"
        page.reload()
        page.locator(".scenes li.open").wait_for()
    studio.take("Point")
    studio.click((300, 250))
    page.keyboard.press("Control+z")  # others stay
    assert studio.kinds() == []
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Single letters and signs are shortcuts").check()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    assert pressed.get_attribute("aria-label") == "Box"


def test_an_upload_on_its_way_can_be_cancelled(page: Any, scenes: RenderedScenes):
    held: list[Any] = []
    page.route("**/scenes", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    page.set_input_files("#file", [scenes.optical, scenes.infrared])
    page.locator(".uploads li", has_text="Uploading").wait_for()
    assert page.locator(".uploads li", has_text="Waiting").count() == 1
    page.get_by_role("button", name=f"Cancel {scenes.infrared.name}").click()
    page.get_by_role("button", name=f"Cancel {scenes.optical.name}").click()
    page.locator(".uploads li").wait_for(state="detached")
    page.unroute("**/scenes")
    StudioPage(page).upload(scenes.infrared, "infrared")
    assert page.locator("#notice").is_hidden()
    assert len(held) == 1


def test_a_region_in_words_that_still_come_stays_under_the_pointer(page: Any, server: Running, scenes: RenderedScenes):
    studio = StudioPage(page)
    studio.upload(scenes.optical, "optical")
    for place in ((300, 250), (100, 100)):
        studio.take("Point")
        studio.click(place)
    server.model.seconds_a_word = 0.3
    studio.ask("What are they?")
    first = page.locator(".streaming .reference").first
    first.hover()
    first.evaluate("element => { window.first = element; }")
    page.locator(".streaming .reference").nth(1).wait_for()
    assert page.evaluate("window.first.isConnected && window.first.classList.contains('hovered')")
    studio.wait_for_answers(1)


def test_a_notice_is_read_once_and_gives_the_focus_back(page: Any, scenes: RenderedScenes):
    StudioPage(page).upload(scenes.optical, "optical")
    page.locator("#send").click()
    page.get_by_role("alert").filter(has_text="The question is empty").wait_for()
    assert page.locator("#notice [role=alert] button").count() == 0, "a countdown would be read every second"
    dismiss = page.get_by_role("button", name="Dismiss", exact=True)
    dismiss.focus()
    page.keyboard.press("Enter")
    assert page.locator("#notice").is_hidden()
    assert page.evaluate("document.activeElement.id") == "question"


@pytest.mark.parametrize("width", [390, 320])
def test_nothing_is_cut_off_on_narrow_pages(page: Any, scenes: RenderedScenes, width: int):
    studio = StudioPage(page)
    studio.upload(scenes.optical, "optical")
    page.set_viewport_size({"width": width, "height": 844})
    page.locator("#map").focus()
    page.keyboard.press("g")
    page.keyboard.press("Enter")
    page.keyboard.press("v")
    page.keyboard.press(".")
    for tab in ("Marks 1", "Scenes", "Display", "Ask"):
        page.get_by_role("navigation").get_by_role("button", name=tab, exact=True).click()
        outside = page.evaluate(OUTSIDE)
        assert outside == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
