"""Answers survive writing and reading; odd model output is still read; masks find their owners."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.processing.answers import (
    Phrase,
    PixBinding,
    RegionAnswer,
    label_of,
    parse,
    pix_bindings,
    readable,
    render,
)

words = st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=12)
awkward = ["ship", "<pix>", "<p>two ships</p>", "<Region 2>", "Region 3", ":", "<region>", "<"]
pieces = st.one_of(words, st.sampled_from(awkward))
lines = st.lists(pieces, max_size=6).map(lambda parts: " ".join(" ".join(parts).split()))


@given(st.lists(lines, max_size=8))
def test_parse_gives_back_what_render_wrote(texts: list[str]) -> None:
    try:
        written = render(texts)
    except ValueError:
        return  # a text with a region header of its own is refused, see below
    read = [(region.number, region.text) for region in parse(written).regions]
    assert read == list(enumerate(texts, start=1))


@given(st.lists(lines, max_size=8))
def test_start_points_at_the_text_of_each_region(texts: list[str]) -> None:
    try:
        written = render(texts)
    except ValueError:
        return
    for region in parse(written).regions:
        assert written[region.start : region.start + len(region.text)] == region.text


@given(st.text(alphabet=st.sampled_from(list("<>Region 123:pix/\n .,")), max_size=80))
def test_any_text_is_read_without_an_error_and_every_pix_is_bound(text: str) -> None:
    parsed = parse(text)
    assert len({region.number for region in parsed.regions}) == len(parsed.regions)
    assert len(pix_bindings(text)) == text.count("<pix>")
    assert "<pix>" not in parsed.text


@pytest.mark.parametrize("text", ["two\nlines", " ship", "ship  tank", "ship <Region 2>: tank", "Region 4: tank"])
def test_render_refuses_what_could_not_be_read_back(text: str) -> None:
    with pytest.raises(ValueError, match="region 1"):
        render([text])


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("<Region 1>: Vehicle. <Region 2>: Tennis court.", ["Vehicle.", "Tennis court."]),
        ("<region1>:ship\n< Region 2 > : tank", ["ship", "tank"]),
        ("Region 1: ship\nregion #2: tank", ["ship", "tank"]),
        ("<Region 1><Region 2>< Region 3>: No visible labels.", ["No visible labels."] * 3),
        ("<Region 1>, <Region 2> and <Region 3>: ship", ["ship"] * 3),
        ("Sure, here they are.\n<Region 1>:\nship\n<Region 2>\uff1atank\nThat is all.", ["ship", "tank"]),
        ("<Region 1>: ship\n<Region 1>: harbor\n<Region 2>: tank", ["ship", "tank"]),
        ("<Region 1>: <pix>\n<Region 1>: ship", ["ship"]),
        ("<Region 1> is left of <Region 2>.", []),
        ("", []),
    ],
)
def test_odd_answers_are_read(text: str, regions: list[str]) -> None:
    assert parse(text).regions == tuple(
        RegionAnswer(number=number, text=words) for number, words in enumerate(regions, start=1)
    )


def test_phrases_are_tied_to_the_masks_that_follow_them() -> None:
    text = "Near <p>a pier</p> lie <p>two ships</p> <pix> and <p>a tank<pix>; <pix>"
    assert parse(text).phrases == (Phrase("a pier", None), Phrase("two ships", 0), Phrase("a tank", 1))
    assert pix_bindings(text) == [
        PixBinding(None, "two ships"),
        PixBinding(None, "a tank"),
        PixBinding(None, None),
    ]


def test_a_mask_belongs_to_the_region_last_named_on_its_line() -> None:
    text = "<Region 2>: <pix> <Region 1>: ship <pix>\nAll ships: <pix>\n<Region 3>: <p>a tank</p> <pix>"
    assert pix_bindings(text) == [
        PixBinding(2, None),
        PixBinding(1, None),
        PixBinding(None, None),
        PixBinding(3, "a tank"),
    ]


def test_readable_text_holds_no_tokens() -> None:
    assert readable("<p>Two ships</p> <pix> lie at <p>a pier</p> <pix>.\n<pix>") == "Two ships lie at a pier."
    assert readable("<Region 2>: <pix>") == "<Region 2>:"


def test_labels_lose_tokens_and_full_stops() -> None:
    assert label_of("Storage tank. <pix>") == "Storage tank"
    assert label_of("<pix>") == ""
