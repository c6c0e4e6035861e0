"""Marks change their shape under the pointer and the keys, and come from files of GeoJSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rasterio.warp import transform

from tests.ui.rendered_scenes import TRANSFORM, ZONE, RenderedScenes, ship_box
from tests.ui.studio_page import NOTHING_MOVES, StudioPage

BOX = ship_box(0)
DROP = """([name, text]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], name));
    const event = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.getElementById("map").dispatchEvent(event);
}"""


@pytest.fixture
def studio(page: Any, scenes: RenderedScenes) -> StudioPage:
    """The page with the harbour open."""
    opened = StudioPage(page)
    opened.upload(scenes.optical, "optical")
    return opened


def undo(studio: StudioPage) -> None:
    studio.page.get_by_role("button", name="Undo", exact=True).click()


def test_a_box_is_pulled_by_corners_and_sides_and_every_pull_is_undone(studio: StudioPage):
    x0, y0, x1, y1 = BOX
    studio.take("Box")
    studio.drag([(x0, y0), (x1, y1)])
    studio.take("Select and move")
    drawn = studio.coordinates(1)
    for start, end, expected in (
        ((x1, y1), (x1 + 40, y1 + 30), (x0, y0, x1 + 40, y1 + 30)),
        ((x0, (y0 + y1 + 30) / 2), (x0 - 25, 300), (x0 - 25, y0, x1 + 40, y1 + 30)),
        (((x0 + x1 + 15) / 2, y0), (200, y0 - 20), (x0 - 25, y0 - 20, x1 + 40, y1 + 30)),
    ):
        studio.drag([start, end])
        assert studio.coordinates(1) == pytest.approx(list(expected), abs=2)
    for _ in range(3):
        undo(studio)
    assert studio.coordinates(1) == drawn


def test_a_pull_can_be_dropped_with_escape(studio: StudioPage):
    page = studio.page
    studio.take("Box")
    studio.drag([BOX[:2], BOX[2:]])
    studio.take("Select and move")
    before = studio.coordinates(1)
    page.mouse.move(*studio.on_screen(BOX[2:]))
    page.mouse.down()
    page.mouse.move(*studio.on_screen((BOX[2] + 60, BOX[3] + 60)), steps=4)
    page.keyboard.press("Escape")
    page.mouse.up()
    page.evaluate(NOTHING_MOVES)
    assert studio.coordinates(1) == before


def test_a_circle_is_pulled_by_rim_and_centre_and_a_point_is_moved(studio: StudioPage):
    studio.take("Circle")
    studio.drag([(520, 90), (560, 90)])
    studio.take("Select and move")
    studio.drag([(560, 90), (580, 90)])
    assert studio.coordinates(1) == pytest.approx([520, 90, 60, 60], abs=2)
    studio.drag([(520, 90), (500, 120)])
    assert studio.coordinates(1) == pytest.approx([500, 120, 60, 60], abs=2)
    studio.take("Point")
    studio.click((300, 250))
    studio.take("Select and move")
    studio.drag([(300, 250), (330, 260)])
    assert studio.coordinates(2) == pytest.approx([330, 260], abs=2)


def test_vertices_are_pulled_inserted_and_removed(studio: StudioPage):
    page = studio.page
    studio.take("Polygon")
    for corner in ((60, 200), (200, 200), (200, 330)):
        studio.click(corner)
        page.wait_for_timeout(300)  # two clicks in a row are a double click
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    studio.take("Select and move")
    studio.drag([(200, 330), (220, 340)])
    assert studio.coordinates(1) == pytest.approx([60, 200, 200, 200, 220, 340], abs=2)
    studio.drag([(130, 200), (130, 150)])  # the middle of a side becomes a vertex
    assert studio.coordinates(1) == pytest.approx([60, 200, 130, 150, 200, 200, 220, 340], abs=2)
    page.get_by_role("button", name="Remove the selected vertex").click()
    assert studio.coordinates(1) == pytest.approx([60, 200, 200, 200, 220, 340], abs=2)
    studio.click((200, 200))
    page.locator("#map").focus()
    page.keyboard.press("Delete")
    page.get_by_text("A polygon needs at least 3 vertices, and this one has 3.").wait_for()
    for _ in range(2):
        undo(studio)
    assert studio.coordinates(1) == pytest.approx([60, 200, 200, 200, 220, 340], abs=2)


def test_handles_are_reached_with_keys_and_said_to_a_voice(studio: StudioPage):
    page = studio.page
    page.locator("#map").focus()
    for key in ("g", "Enter", "v", ".", "."):
        page.keyboard.press(key)
    assert page.locator("#announcer").inner_text() == "Handle: vertex 2 of 4"
    before = studio.coordinates(1)
    page.locator("#map").focus()
    page.keyboard.press(".")
    page.keyboard.press(",")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("i")
    after = studio.coordinates(1)
    assert len(after) == len(before) + 2
    assert after[2] == pytest.approx(before[2] + 10)
    page.locator("#map").focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert studio.coordinates(1) == before


def test_undo_takes_the_last_corner_of_a_shape_in_hand_first(studio: StudioPage):
    page = studio.page
    studio.take("Point")
    studio.click((300, 250))
    studio.take("Polygon")
    for corner in ((60, 200), (200, 200), (200, 330), (120, 380)):
        studio.click(corner)
        page.wait_for_timeout(300)
    page.locator("#map").focus()
    page.keyboard.press("Control+z")
    page.keyboard.press("Enter")
    assert studio.kinds() == ["point", "polygon"]
    assert len(studio.coordinates(2)) == 6


def degrees(*places: tuple[float, float]) -> list[list[float]]:
    """Pixels of the harbour as longitudes and latitudes."""
    eastings = [TRANSFORM.c + TRANSFORM.a * x for x, _ in places]
    northings = [TRANSFORM.f + TRANSFORM.e * y for _, y in places]
    return [list(pair) for pair in zip(*transform(ZONE, "EPSG:4326", eastings, northings), strict=True)]


def feature(kind: str, coordinates: Any, **properties: object) -> dict:
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


def collection(*features: dict) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


def test_marks_in_degrees_dropped_on_the_map_land_on_the_object(studio: StudioPage):
    page = studio.page
    x0, y0, x1, y1 = BOX
    ring = degrees((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))
    text = collection(
        feature("Polygon", [ring], label="ferry"),
        feature("LineString", degrees((300, 80), (360, 90))),
        feature("Point", degrees((300, 250))[0]),
    )
    page.evaluate(DROP, ["marks.geojson", text])
    page.locator(".marks li").nth(2).wait_for()
    assert studio.kinds()[1:] == ["scribble", "point"]
    corners = studio.coordinates(1)
    xs, ys = (corners[0::2], corners[1::2])
    assert [min(xs), min(ys), max(xs), max(ys)] == pytest.approx(list(BOX), abs=0.5)
    assert studio.coordinates(3) == pytest.approx([300, 250], abs=0.5)
    assert page.locator(".marks .label").first.input_value() == "ferry"
    undo(studio)
    assert studio.kinds() == []


def test_an_exported_answer_comes_back_as_its_marks(studio: StudioPage):
    page = studio.page
    studio.take("Box")
    studio.drag([BOX[:2], BOX[2:]])
    before = studio.coordinates(1)
    studio.ask("Segment <Region 1>.")
    studio.wait_for_answers(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as GeoJSON", exact=True).click()
    text = download.value.path().read_text(encoding="utf-8")
    assert "MultiPolygon" in text, "the export has no mask to pass over"
    page.get_by_role("button", name="Clear all marks").click()
    page.evaluate(DROP, ["answer.geojson", text])
    page.locator(".marks li").wait_for()
    assert studio.kinds() == ["box"]
    assert studio.coordinates(1) == pytest.approx(before, abs=0.02)


def test_marks_in_pixels_are_chosen_for_a_scene_that_is_on_no_map(page: Any, scenes: RenderedScenes):
    studio = StudioPage(page, 640, 512)
    studio.upload(scenes.infrared, "infrared")
    text = collection(feature("Point", [120.5, 60]))
    file = {"name": "marks.json", "mimeType": "application/json", "buffer": text.encode()}
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import marks from GeoJSON").click()
    chooser.value.set_files(file)
    page.locator(".marks li").wait_for()
    assert studio.coordinates(1) == [120.5, 60]


def test_marks_that_cannot_be_imported_are_refused_in_one_sentence(studio: StudioPage):
    page = studio.page
    ring = [[4, 51], [4.1, 51], [4, 51.1], [4, 51]]
    for text, sentence in (
        (collection(feature("MultiPolygon", [[ring]])), "Feature 1 is a MultiPolygon; a mark is one Point"),
        (collection(*[feature("Point", [4, 51])] * 65), "It holds 65 marks; one question carries at most 64."),
        (collection(feature("Point", [4.6, 51.9])), "outside the 640 x 480 image"),
        ("<gml/>", "It is not JSON"),
    ):
        page.evaluate(DROP, ["marks.geojson", text])
        page.locator("#notice p", has_text=sentence).wait_for()
    assert studio.kinds() == []


def test_a_polygon_that_crosses_itself_is_told_while_it_is_drawn(studio: StudioPage):
    page = studio.page
    hint = page.locator("#hint")
    studio.take("Polygon")
    for corner in ((100, 100), (300, 300), (300, 100)):
        studio.click(corner)
        page.wait_for_timeout(300)
        assert "crosses" not in hint.inner_text()
    page.mouse.move(*studio.on_screen((100, 250)), steps=5)
    page.locator("#hint.wrong", has_text="edges 1 and 3 meet").wait_for()
    page.mouse.move(*studio.on_screen((400, 120)), steps=5)
    page.locator("#hint:not(.wrong)").wait_for()
    studio.click((100, 250))
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="Move a corner").wait_for()
    assert studio.kinds() == ["polygon"]
    page.locator("#hint:not(.wrong)").wait_for(state="attached")
