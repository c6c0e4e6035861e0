"""How soon the studio can be used, and how much script it takes: a real browser, a server on this machine.

Run it as `python benchmarks/studio_paint.py [--runs 5]`. It prints one line a run and the median: first paint of
the page's content, and the moment when every control is alive, both from the start of the navigation. No model is
loaded: the page must not wait for one.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file, the project's own root is not on the path

from playwright.sync_api import sync_playwright

from tests.ui.conftest import CHROMIUM, CHROMIUM_FLAGS, running_server

STUDIO = Path(__file__).parents[1] / "earthgptx" / "serving" / "studio"
READ_TIMES = """() => [
    performance.getEntriesByName("first-contentful-paint")[0].startTime,
    performance.getEntriesByName("interactive")[0].startTime,
]"""
IS_PAINTED = """() => performance.getEntriesByName("first-contentful-paint").length > 0
    && performance.getEntriesByName("interactive").length > 0"""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    scripts = [path.read_bytes() for path in STUDIO.glob("assets/*.js")]
    gzipped = sum(len(gzip.compress(script, 9)) for script in scripts)
    print(f"JavaScript: {sum(map(len, scripts)) / 1e3:.0f} kB, {gzipped / 1e3:.0f} kB gzipped (600 allowed)")
    paints, lives = [], []
    with running_server() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        for run in range(1, runs + 1):
            context = browser.new_context(viewport={"width": 1280, "height": 800})  # nothing cached
            page = context.new_page()
            page.goto(server.address)
            page.wait_for_function(IS_PAINTED)
            paint, alive = page.evaluate(READ_TIMES)
            paints.append(paint)
            lives.append(alive)
            print(f"run {run}: first paint {paint:.0f} ms, interactive {alive:.0f} ms")
            context.close()
        browser.close()
    both = [max(pair) for pair in zip(paints, lives, strict=True)]
    print(f"median: first interactive paint {statistics.median(both):.0f} ms (1500 allowed)")


if __name__ == "__main__":
    main()
