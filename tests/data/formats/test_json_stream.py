"""JSON read piece by piece: the same as Python's own reader gives, wherever the pieces end."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earthgptx.data.formats import json_stream
from earthgptx.data.formats.json_stream import members, record_at, records
from earthgptx.data.formats.place_index import PlaceIndex
from earthgptx.errors import MalformedDataset

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(params=[1, 7, 1 << 20])
def chunk(request, monkeypatch):
    monkeypatch.setattr(json_stream, "_CHUNK", request.param)


def write(path, text, encoding="utf-8"):
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("indent", [None, 1])
def test_arrays_and_lines_are_what_pythons_reader_says(tmp_path, is_ascii, indent):
    @settings(max_examples=20, deadline=None)
    @given(st.lists(VALUES, max_size=4))
    def search(values):
        text = json.dumps(values, ensure_ascii=is_ascii, indent=indent)
        path = write(tmp_path / "x.json", text, "utf-8-sig")
        assert list(records(path)) == json.loads(text)
        if values:
            rows = [{"a": value} for value in values]
            lines = write(tmp_path / "x.jsonl", "\r\n\n".join(json.dumps(row, ensure_ascii=is_ascii) for row in rows))
            assert list(records(lines)) == rows

    search()


@pytest.mark.usefixtures("chunk")
def test_members_tell_where_their_elements_stand(tmp_path):
    @settings(max_examples=20, deadline=None)
    @given(st.dictionaries(st.text(), VALUES, max_size=4), st.booleans())
    def search(content, is_ascii):
        path = write(tmp_path / "x.json", json.dumps(content, ensure_ascii=is_ascii))
        found = {}
        with path.open("rb") as file:
            for name, elements, value in members(path):
                found[name] = value if elements is None else []
                for element, start, end in elements or ():
                    assert record_at(file, start, end, path) == element
                    found[name].append(element)
        assert found == content
        assert [member.name for member in members(path)] == list(content)  # nobody reads the elements

    search()


def test_numbers_that_are_none_are_read_as_everywhere_else(tmp_path):
    (found,) = records(write(tmp_path / "x.json", "[[NaN, -Infinity]]"))
    assert str(found) == "[nan, -inf]"


def test_texts_of_other_encodings_and_half_letters(tmp_path):
    assert list(records(write(tmp_path / "x.json", '["caf\u00e9"]', "cp1252"))) == ["caf\u00e9"]
    assert list(records(write(tmp_path / "x.json", '["\u98de\u673a"]', "gb2312"))) == ["\u98de\u673a"]
    assert list(records(write(tmp_path / "x.json", r'["\ud800", "\ud83d\ude00", "\\ud800"]'))) == [
        "\ufffd",
        "\U0001f600",
        "\\ud800",
    ]


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "after record 2: ] is missing, at byte 5"),
        ("[1, 2] 3", "'3' stands behind its end"),
        ("[1 2]", "'2' stands where ] should"),
        ("[1, tru]", "after record 1"),
        ('["a', "Unterminated string"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "after record 0"),
        ('{"a": 1}\n{"a"', "after record 1"),
    ],
)
def test_the_fault_is_told_with_its_place(tmp_path, text, message):
    with pytest.raises(MalformedDataset, match="is not JSON") as caught:
        list(records(write(tmp_path / "x.json", text)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not JSON in the form of an object"),
        ('{"a" 1}', "'1' stands where : should"),
        ("{1: 1}", "1 stands where a name should"),
        ('{"a": [1, 2}', "stands where ] should"),
        ('{"a": 1} x', "behind its end"),
        (b"\xff\xfe[\x00]\x00", "UTF-16"),
    ],
)
def test_what_is_no_object_is_told(tmp_path, text, message):
    with pytest.raises(MalformedDataset) as caught:
        list(members(write(tmp_path / "x.json", text)))
    assert message in str(caught.value)


def test_a_fault_is_found_without_reading_on_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "_CHUNK", 64)
    path = write(tmp_path / "x.json", "[1, }" + " " * 100_000)
    text = json_stream._Text(path.open("rb"), path)
    with pytest.raises(MalformedDataset):
        list(text.elements())
    assert len(text._window) < 200
    text._file.close()


@given(st.lists(st.sampled_from("abc"), max_size=20))
def test_places_are_found_by_key_in_their_order(keys):
    index, others = PlaceIndex(), PlaceIndex()
    others.add("a", 0, 1)
    for number, key in enumerate(keys):
        index.add(key, 10 * number, 10 * number + 3)
    places = [(10 * number, 10 * number + 3) for number in range(len(keys))]
    assert list(index) == places
    for key in "abcd":
        assert index.of(key) == [place for place, owner in zip(places, keys, strict=True) if owner == key]
    assert list(index.outside(others)) == [place for place, owner in zip(places, keys, strict=True) if owner != "a"]
