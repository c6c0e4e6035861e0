"""Every dataset says what it is in one form, and the page of sources is what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from earthgptx.data.datasets import DATASETS
from earthgptx.data.datasets.about import FIELDS, about, parse, sources_page

PAGE = Path(__file__).parents[3] / "docs" / "sources.md"

DOCSTRING = """Ports: harbours seen
from above.

They are ``many``.

Size: 3 images.
Classes: harbour.
Layout: ports/*.png and
    ports/labels.json
Terms: not stated.
Citation: none.
Home: on request from the harbour master.
"""


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_says_what_it_is(name):
    told = about(name)
    assert told.title
    assert told.summary
    assert "http" in told.home or "on request" in told.home


def test_the_form_is_read():
    told = parse(DOCSTRING, "ports")
    assert (told.title, told.summary) == ("Ports", "harbours seen from above")
    assert told.prose == ("They are ``many``.",)
    assert told.layout == "ports/*.png and ports/labels.json"
    assert told.home == "on request from the harbour master."


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_missing_is_told(field):
    lines = [line for line in DOCSTRING.splitlines() if not line.startswith(f"{field}:")]
    with pytest.raises(ValueError, match="ports"):
        parse("\n".join(lines), "ports")


def test_a_docstring_without_a_title_is_told():
    with pytest.raises(ValueError, match="title"):
        parse(DOCSTRING.replace("Ports: ", "", 1), "ports")


def test_the_page_is_what_the_datasets_say():
    written = PAGE.read_text(encoding="utf-8")
    assert written == sources_page(), "write docs/sources.md anew: earthgptx data list --markdown > docs/sources.md"
