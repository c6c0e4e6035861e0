"""The studio in a real browser: upload, draw, ask, read, reload, export."""

from __future__ import annotations

import json

import pytest
from rasterio.warp import transform

from tests.ui.conftest import PATIENCE, Running, running_server
from tests.ui.rendered_scenes import TRANSFORM, ZONE, RenderedScenes, ship_box
from tests.ui.speaking_model import SpeakingModel
from tests.ui.studio_page import StudioPage

BOX = ship_box(0)
MIDDLE = ((BOX[0] + BOX[2]) / 2, (BOX[1] + BOX[3]) / 2)


@pytest.fixture
def studio(page, scenes: RenderedScenes) -> StudioPage:
    """The page with the harbour open."""
    opened = StudioPage(page)
    opened.upload(scenes.optical, "optical")
    return opened


def mark_ship(studio: StudioPage) -> None:
    studio.take("Box")
    studio.drag([BOX[:2], MIDDLE, BOX[2:]])


def test_scenes_of_each_sensor_are_uploaded_and_shown(page, scenes: RenderedScenes):
    studio = StudioPage(page)
    for path, sensor in ((scenes.optical, "optical"), (scenes.sar, "sar"), (scenes.infrared, "infrared")):
        studio.upload(path, sensor)
        assert sensor in page.locator(".scenes li.open small").inner_text()
        colours = {studio.colour_at((x, 200)) for x in range(40, 600, 40)}
        assert len(colours) > 4, "the map shows no picture"


def test_a_file_dropped_on_the_page_is_uploaded_and_a_bad_one_is_refused_in_words(page, scenes: RenderedScenes):
    drop = """([name, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], name));
        window.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(drop, ["night.png", list(scenes.infrared.read_bytes())])
    page.locator(".scenes li.open", has_text="night.png").wait_for()
    page.evaluate(drop, ["notes.tif", list(b"this is no image")])
    refusal = page.locator(".uploads .refused")
    refusal.wait_for()
    assert "notes.tif" in refusal.inner_text()
    page.get_by_role("button", name="Dismiss notes.tif").click()
    assert page.locator(".uploads li").count() == 0


def test_each_kind_of_mark_is_drawn_with_the_mouse_where_the_mouse_was(studio: StudioPage):
    studio.take("Point")
    studio.click((300, 250))
    mark_ship(studio)
    studio.take("Circle")
    studio.drag([(520, 90), (554, 90)])
    studio.take("Polygon")
    for corner in ((60, 200), (160, 210), (150, 330)):
        studio.click(corner)
        studio.page.wait_for_timeout(300)  # two clicks in a row are a double click
    studio.click((60, 330))
    studio.page.locator("#map").focus()
    studio.page.keyboard.press("Enter")
    studio.take("Scribble")
    studio.drag([(300, 80), (330, 100), (360, 90)])
    assert studio.kinds() == ["point", "box", "circle", "polygon", "scribble"]
    expected = {1: [300, 250], 2: list(BOX), 3: [520, 90, 34, 34], 4: [60, 200, 160, 210, 150, 330, 60, 330]}
    for number, numbers in expected.items():
        assert studio.coordinates(number) == pytest.approx(numbers, abs=1.5)
    stroke = studio.coordinates(5)
    assert stroke[:2] == pytest.approx([300, 80], abs=2)
    assert stroke[-2:] == pytest.approx([360, 90], abs=2)


def test_marks_are_moved_named_typed_renumbered_removed_and_all_is_undone(studio: StudioPage):
    page = studio.page
    mark_ship(studio)
    studio.take("Select and move")
    studio.drag([MIDDLE, (MIDDLE[0] + 60, MIDDLE[1] + 40)])
    moved = [BOX[0] + 60, BOX[1] + 40, BOX[2] + 60, BOX[3] + 40]
    assert studio.coordinates(1) == pytest.approx(moved, abs=2)
    page.get_by_label("Name of mark 1, a box").fill("ferry")
    page.keyboard.press("Tab")
    typed = page.get_by_label("Coordinates of mark 1, in pixels")
    typed.fill("10, 20, 90, 80")
    typed.press("Enter")
    studio.take("Point")
    studio.click((300, 250))
    page.get_by_role("button", name="Number it one lower").and_(page.locator(":visible")).click()
    assert studio.kinds() == ["point", "box"]
    page.get_by_role("button", name="Remove mark 1", exact=True).click()
    assert page.get_by_label("Name of mark 1, a box").input_value() == "ferry"
    assert studio.coordinates(1) == [10, 20, 90, 80]
    for _ in range(6):
        page.get_by_role("button", name="Undo", exact=True).click()
    assert studio.coordinates(1) == pytest.approx(list(BOX), abs=1.5)
    page.locator("#map").focus()
    page.keyboard.press("Control+z")
    assert studio.kinds() == []
    page.keyboard.press("Control+Shift+z")
    assert studio.kinds() == ["box"]


def test_words_stream_and_masks_lie_on_the_object(studio: StudioPage, server: Running):
    page = studio.page
    server.model.seconds_a_word = 0.15
    mark_ship(studio)
    studio.take("Select and move")
    page.locator("#map").focus()
    page.keyboard.press("Escape")
    page.mouse.move(5, 5)
    before = studio.colour_at(MIDDLE)
    page.get_by_role("button", name="Classify regions").click()
    page.keyboard.press("Enter")
    streaming = page.locator(".streaming .words .reference")
    streaming.wait_for()
    assert page.locator(".thread .exports").count() == 0, "the answer was whole before its words came"
    studio.wait_for_answers(1)
    assert "ship" in page.locator(".thread .said").inner_text()
    assert "Answer: Region 1: ship" in page.locator("#announcer").inner_text()
    page.wait_for_timeout(200)
    red, green, blue = studio.colour_at(MIDDLE)
    assert (red, green) > before[:2], "no yellow mask"
    assert blue < max(before[2], 60)
    page.keyboard.press("Escape")
    page.locator("#map").focus()
    page.keyboard.press("m")
    page.wait_for_timeout(200)
    assert studio.colour_at(MIDDLE) == pytest.approx(before, abs=3)


def test_a_region_in_the_answer_lights_its_mark_up(studio: StudioPage):
    mark_ship(studio)
    studio.ask("What is it?")
    studio.wait_for_answers(1)
    row = studio.page.locator(".marks li")
    assert "hovered" not in (row.get_attribute("class") or "")
    studio.page.locator(".thread .reference").first.hover()
    assert "hovered" in (row.get_attribute("class") or "")
    studio.page.mouse.move(*studio.on_screen((BOX[0] + 4, BOX[1] + 4)))
    studio.page.locator(".reference.hovered").wait_for()


def test_reload_keeps_marks_draft_and_answers(studio: StudioPage):
    page = studio.page
    mark_ship(studio)
    studio.ask("What is it?")
    studio.wait_for_answers(1)
    studio.take("Point")
    studio.click((300, 250))
    page.get_by_label("Question", exact=True).fill("And the second")
    page.reload()
    page.locator(".scenes li.open").wait_for()
    studio.wait_for_answers(1)
    assert studio.kinds() == ["box", "point"]
    assert page.get_by_label("Question", exact=True).input_value() == "And the second"
    assert page.locator(".layers li:not(.none)").count() == 1
    assert page.get_by_role("button", name="New dialogue").is_visible()


def test_exports_are_whole_and_land_on_the_object(studio: StudioPage):
    page = studio.page
    mark_ship(studio)
    studio.ask("Segment region 1.")
    studio.wait_for_answers(1)
    files = {}
    for name in ("GeoJSON", "PNG", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Export as {name}", exact=True).click()
        files[name] = download.value
    assert files["GeoJSON"].suggested_filename == "harbour-answer-1.geojson"
    collection = json.loads(files["GeoJSON"].path().read_text(encoding="utf-8"))
    masks = [item for item in collection["features"] if item["geometry"]["type"] in ("Polygon", "MultiPolygon")]
    assert masks
    for feature in masks:
        ring = feature["geometry"]["coordinates"][0]
        ring = ring[0] if feature["geometry"]["type"] == "MultiPolygon" else ring
        lon, lat = ([vertex[axis] for vertex in ring] for axis in (0, 1))
        eastings, northings = transform("EPSG:4326", ZONE, lon, lat)
        xs = [(easting - TRANSFORM.c) / TRANSFORM.a for easting in eastings]
        ys = [(northing - TRANSFORM.f) / TRANSFORM.e for northing in northings]
        assert [min(xs), min(ys), max(xs), max(ys)] == pytest.approx(list(BOX), abs=2)
    assert files["PNG"].path().read_bytes().startswith(b"\x89PNG")
    content = json.loads(files["JSON"].path().read_text(encoding="utf-8"))
    assert content["regions"][0]["label"] == "ship"


def test_display_changes_what_is_seen(studio: StudioPage):
    page = studio.page
    before = studio.colour_at((500, 330))
    page.get_by_label("White level").fill("60")
    page.wait_for_timeout(300)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    assert sum(studio.colour_at((500, 330))) > sum(before)
    page.get_by_role("button", name="Reset", exact=True).click()
    page.get_by_label("Red band").select_option("3")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    assert studio.colour_at((60, 100)) != before


def test_marks_can_be_placed_and_moved_without_a_pointer(studio: StudioPage):
    page = studio.page
    page.locator("#map").focus()
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    first = studio.coordinates(1)
    page.locator("#map").focus()
    page.keyboard.press("v")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowDown")
    assert studio.coordinates(1) == pytest.approx([first[0] + 10, first[1] + 1, first[2] + 10, first[3] + 1])
    page.locator("#map").focus()
    page.keyboard.press("?")
    assert page.get_by_role("heading", name="Keyboard").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "question"


def test_a_token_is_asked_for_once(browser, scenes: RenderedScenes):
    token = "a-token-of-the-tests"
    with running_server(token=token) as server:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(server.address)
        page.get_by_label("Token", exact=True).fill("wrong")
        page.get_by_role("button", name="Unlock").click()
        page.get_by_text("The server does not take this token.").wait_for()
        page.get_by_label("Token", exact=True).fill(token)
        page.get_by_role("button", name="Unlock").click()
        StudioPage(page).upload(scenes.infrared, "infrared")
        assert StudioPage(page, 640, 512).colour_at((320, 256)) != (0, 0, 0)
        page.reload()
        page.locator(".scenes li.open").wait_for()
        assert not page.locator("#lock").is_visible()
        context.close()


def test_a_full_queue_and_a_server_that_is_gone_are_said_in_words(browser, scenes: RenderedScenes):
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    with running_server(SpeakingModel(seconds_a_word=0.3), queue_size=1, batch_size=1) as server:
        page.goto(server.address)
        studio = StudioPage(page)
        studio.upload(scenes.optical, "optical")
        body = json.dumps({"question": "What is here?"})
        crowd = """async ([scene, body]) => {
            for (let i = 0; i < 2; i++) {
                const headers = { "Content-Type": "application/json" };
                fetch(`/scenes/${scene}/ask`, { method: "POST", headers, body });
                await new Promise((done) => setTimeout(done, 300));
            }
        }"""
        scene = page.evaluate("fetch('/scenes').then((r) => r.json()).then((s) => s.scenes[0].id)")
        page.evaluate(crowd, [scene, body])
        studio.ask("Is there room?")
        page.get_by_text("questions wait").wait_for()
        assert page.get_by_role("button", name="Ask again").is_visible()
        assert page.get_by_label("Question", exact=True).input_value() == "Is there room?"
    page.get_by_role("button", name="Dismiss").click()
    page.locator("#send").click()
    page.get_by_text("Server gone").wait_for()
    assert page.locator("#send").is_disabled()
    context.close()


def test_narrow_pages_reach_everything(studio: StudioPage):
    page = studio.page
    page.set_viewport_size({"width": 390, "height": 844})
    for tab in ("Marks", "Scenes", "Display", "Ask"):
        page.get_by_role("navigation").get_by_role("button", name=tab, exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Whole scene").click()
    page.wait_for_timeout(400)
    mark_ship(studio)
    studio.ask("What is it?")
    studio.wait_for_answers(1)
    page.get_by_role("navigation").get_by_role("button", name="Marks 1").click()
    assert studio.kinds() == ["box"]
    assert studio.coordinates(1) == pytest.approx(list(BOX), abs=3)
