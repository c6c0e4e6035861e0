"""docs/server.md says what is so."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from earthgptx.serving.guard import OPEN_PATHS
from earthgptx.serving.settings import PREFIX, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")


def test_every_variable_and_its_default_is_in_the_table():
    rows = dict(re.findall(r"^\| `(EARTHGPTX_\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    assert set(rows) == {PREFIX + field.name.upper() for field in fields(Settings)}
    for field in fields(Settings):
        if field.default not in ("", (), None):
            assert rows[PREFIX + field.name.upper()].strip() == str(field.default)


def test_what_is_open_is_named():
    [line] = [line for line in PAGE.splitlines() if line.startswith("- Open without the token")]
    assert set(re.findall(r"`([^`]+)`", line)) == OPEN_PATHS | {"/assets"}
