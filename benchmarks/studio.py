"""How soon the studio can be used, how much script it takes, and how soon words follow a mark, in a real browser.

Run it as `python benchmarks/studio.py [--runs 5] [--model nano]`, on a machine whose cores are free. First paint and
the moment when every control is alive count from the start of the navigation, with no model loaded: the page must not
wait for one. Mark to first word counts from the pointer's release at the end of a box to the first word on the page,
with the scene encoded before and the question written; every run marks another object. `--model ""` leaves it out.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file, the project's own root is not on the path

from playwright.sync_api import sync_playwright

from tests.ui.conftest import CHROMIUM, CHROMIUM_FLAGS, running_server
from tests.ui.rendered_scenes import SHIPS, TANKS, render_scenes, ship_box
from tests.ui.studio_page import StudioPage

STUDIO = Path(__file__).parents[1] / "earthgptx" / "serving" / "studio"
MAX_KILOBYTES, MAX_PAINT, MAX_WORD = 600, 1500, 2500
LONGEST_ANSWER = 180_000  # milliseconds
READ_TIMES = """() => [
    performance.getEntriesByName("first-contentful-paint")[0].startTime,
    performance.getEntriesByName("interactive")[0].startTime,
]"""
IS_PAINTED = """() => performance.getEntriesByName("first-contentful-paint").length > 0
    && performance.getEntriesByName("interactive").length > 0"""
# The last release of the pointer on the map, and the first word of each answer.
WATCH = """() => {
    window.marked = window.heard = null;
    document.getElementById("map").addEventListener("pointerup", () => { window.marked = performance.now(); });
    new MutationObserver(() => {
        const words = document.querySelector(".streaming .words:not(.waiting)");
        if (words !== null && words.textContent.trim() !== "") window.heard ??= performance.now();
    }).observe(document.getElementById("answers"), { subtree: true, childList: true, characterData: true });
}"""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", default="nano", help="whose words are awaited; empty for none")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    scripts = [path.read_bytes() for path in STUDIO.glob("assets/*.js")]
    kilobytes = sum(len(gzip.compress(script, 9)) for script in scripts) / 1e3
    print(f"JavaScript: {sum(map(len, scripts)) / 1e3:.0f} kB, {kilobytes:.0f} kB gzipped ({MAX_KILOBYTES} allowed)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        paint = statistics.median(paints(browser, arguments.runs))
        print(f"median: first interactive paint {paint:.0f} ms ({MAX_PAINT} allowed)")
        if arguments.model:
            word = statistics.median(first_words(browser, arguments.runs, arguments.model))
            print(f"median: mark to first word {word:.0f} ms ({MAX_WORD} allowed on 2 free cores)")
        browser.close()


def paints(browser: Any, runs: int) -> list[float]:
    """Milliseconds until the page is painted and every control is alive, nothing cached."""
    times = []
    with running_server() as server:
        for run in range(1, runs + 1):
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            page.goto(server.address)
            page.wait_for_function(IS_PAINTED)
            paint, alive = page.evaluate(READ_TIMES)
            times.append(max(paint, alive))
            print(f"run {run}: first paint {paint:.0f} ms, interactive {alive:.0f} ms")
            context.close()
    return times


def first_words(browser: Any, runs: int, model: str) -> list[float]:
    """Milliseconds from the end of a mark to the first word about it."""
    from earthgptx.inference.loading import load

    tanks = [(x - radius, y - radius, x + radius, y + radius) for x, y, radius in TANKS]
    boxes = [*map(ship_box, range(len(SHIPS))), *tanks]
    times = []
    with tempfile.TemporaryDirectory() as folder, running_server(load(model).generator) as server:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(LONGEST_ANSWER)
        page = context.new_page()
        page.goto(server.address)
        page.locator("#connection[data-state=ready]").wait_for(state="attached")
        studio = StudioPage(page)
        studio.upload(render_scenes(Path(folder)).optical, "optical")
        studio.ask("What is in this image?")  # the scene is encoded, and nothing else is new
        studio.wait_for_answers(1)
        page.evaluate(WATCH)
        for run in range(1, runs + 1):
            page.get_by_role("button", name="New dialogue").click()
            if page.locator(".marks li").count() > 0:
                page.get_by_role("button", name="Clear all marks").click()
            page.get_by_label("Question", exact=True).fill("What is <Region 1>?")
            page.evaluate("() => { window.marked = window.heard = null; }")
            studio.take("Box")
            x0, y0, x1, y1 = boxes[(run - 1) % len(boxes)]
            studio.drag([(x0, y0), (x1, y1)])
            page.locator("#send").click()
            page.wait_for_function("() => window.heard !== null")
            times.append(page.evaluate("() => window.heard - window.marked"))
            print(f"run {run}: mark to first word {times[-1]:.0f} ms")
            studio.wait_for_answers(run + 1)
        context.close()
    return times


if __name__ == "__main__":
    main()
