"""What ships in the wheel: small enough, whole, and without a word of where it was built."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

STUDIO = Path(__file__).parents[2] / "earthgptx" / "serving" / "studio"
MAX_GZIPPED = 600_000


def test_scripts_are_small():
    scripts = list(STUDIO.glob("assets/*.js"))
    assert scripts, "the studio is not built: make studio"
    gzipped = sum(len(gzip.compress(script.read_bytes(), 9)) for script in scripts)
    assert gzipped <= MAX_GZIPPED, f"{gzipped:,} bytes of JavaScript gzipped; at most {MAX_GZIPPED:,} are allowed"


def test_page_names_only_files_that_are_there():
    page = (STUDIO / "index.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert len(named) >= 3
    assert all((STUDIO / name.lstrip("/")).is_file() for name in named)
    used = {Path(name).name for name in named}
    assert {path.name for path in STUDIO.glob("assets/*")} == used, "files of an older build are left"


def test_nothing_is_inline_or_from_elsewhere():
    page = (STUDIO / "index.html").read_text(encoding="utf-8")
    assert "style=" not in page
    assert not re.search(r"<script(?![^>]*src=)", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_licences_of_what_is_bundled_are_told():
    assert "OpenLayers Contributors" in (STUDIO / "licenses.md").read_text(encoding="utf-8")


def test_the_lock_file_names_no_host():
    lock = (STUDIO.parents[2] / "studio" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
