"""What a person does on the studio's page, by name; positions are pixels of the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Place = tuple[float, float]
NOTHING_MOVES = "(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))()"


@dataclass(frozen=True)
class StudioPage:
    """The page, and the size of the scene that is open."""

    page: Any
    width: int = 640
    height: int = 480

    def upload(self, path: Path, sensor: str) -> None:
        """Chooses a sensor and a file, and waits until the scene is open."""
        self.page.get_by_label("Sensor").select_option(sensor)
        self.page.set_input_files("#file", path)
        self.page.locator(".scenes li.open", has_text=path.name).wait_for()
        self.page.wait_for_load_state("networkidle")

    def on_screen(self, place: Place) -> Place:
        """Where a pixel of the scene lies on the screen while the whole scene is shown."""
        box = self.page.locator("#map").bounding_box()
        padding = (52, 12, 24, 12) if box["width"] < 600 else (56, 56, 56, 72)  # as the view fits a scene
        top, right, bottom, left = padding
        wide, high = box["width"] - left - right, box["height"] - top - bottom
        scale = min(wide / self.width, high / self.height)
        x = box["x"] + left + wide / 2 + (place[0] - self.width / 2) * scale
        y = box["y"] + top + high / 2 + (place[1] - self.height / 2) * scale
        return x, y

    def take(self, tool: str) -> None:
        """Takes a pen."""
        self.page.get_by_role("toolbar").get_by_role("button", name=tool, exact=True).click()

    def click(self, place: Place) -> None:
        """One click on the scene."""
        self.page.mouse.click(*self.on_screen(place))

    def drag(self, places: Sequence[Place]) -> None:
        """Presses the button at the first place and lets it go at the last."""
        self.page.mouse.move(*self.on_screen(places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.on_screen(place), steps=6)
        self.page.mouse.up()
        self.page.evaluate(NOTHING_MOVES)

    def kinds(self) -> list[str]:
        """The kinds of the marks in the list."""
        return self.page.locator(".marks .kind").all_inner_texts()

    def coordinates(self, number: int) -> list[float]:
        """A mark's numbers, read from its row."""
        self.page.get_by_role("button", name=f"Select mark {number}", exact=True).click()
        text = self.page.get_by_label(f"Coordinates of mark {number}, in pixels").input_value()
        return [float(word) for word in text.split(",")]

    def ask(self, question: str) -> None:
        """Writes a question and sends it."""
        self.page.get_by_label("Question", exact=True).fill(question)
        self.page.locator("#send").click()

    def wait_for_answers(self, count: int) -> None:
        """Until so many answers are whole."""
        self.page.wait_for_function(
            "count => document.querySelectorAll('.thread .exports').length === count", arg=count
        )
        self.page.evaluate(NOTHING_MOVES)

    def colour_at(self, place: Place) -> tuple[int, int, int]:
        """What is seen on the screen at a pixel of the scene."""
        import io

        from PIL import Image

        x, y = self.on_screen(place)
        clip = {"x": x, "y": y, "width": 1, "height": 1}
        picture = Image.open(io.BytesIO(self.page.screenshot(clip=clip))).convert("RGB")
        red, green, blue = picture.getpixel((0, 0))
        return red, green, blue
