from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.errors import MalformedPredictions
from earthgptx.evaluation.metrics.masks import Overlap
from earthgptx.evaluation.prediction_files import read_predictions, write_form, write_predictions
from earthgptx.evaluation.predictions import (
    PhraseMask,
    Prediction,
    RegionPrediction,
)
from earthgptx.shapes import Box, Mask, Point

SETTINGS = {"model": "tiny", "seed": 0}
MASK = Mask.from_array(np.eye(4, dtype=bool))
REGIONS = st.builds(
    RegionPrediction,
    index=st.integers(0, 9),
    truth=st.text(),
    label=st.one_of(st.none(), st.text()),
    confidence=st.floats(0, 1),
    mask=st.sampled_from([None, MASK]),
    overlap=st.one_of(st.none(), st.builds(Overlap, intersection=st.integers(0, 9), union=st.integers(0, 9))),
    mark=st.sampled_from([None, Point(1.0, 2.0), Box(0.0, 0.0, 3.0, 4.0)]),
    true_mask=st.sampled_from([None, MASK]),
    references=st.lists(st.text(), max_size=2).map(tuple),
)
PHRASES = st.lists(st.builds(PhraseMask, phrase=st.text(), mask=st.sampled_from([None, MASK])), max_size=2).map(tuple)
PREDICTIONS = st.builds(
    Prediction,
    key=st.text(),
    dataset=st.text(),
    sensor=st.text(),
    text=st.text(),
    regions=st.lists(REGIONS, max_size=3).map(tuple),
    references=st.lists(st.text(), max_size=3).map(tuple),
    question=st.text(),
    marks=st.sampled_from(["", "box", "point"]),
    phrases=PHRASES,
    true_phrases=PHRASES,
)


def prediction(key: str) -> Prediction:
    return Prediction(key=key, dataset="ssdd", sensor="sar", text=f"<Region 1>: ship\n{key}")


@given(PREDICTIONS)
def test_what_is_written_is_read_back(one: Prediction):
    assert Prediction.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_file_is_read_back(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    region = RegionPrediction(index=0, truth="ship", label="boat", confidence=0.5, mark=Point(1, 2))
    whole = [Prediction("a", "ssdd", "sar", "...", (region,), image="ssdd/a.jpg", size=(4, 4)), prediction("b")]
    write_predictions(path, whole, SETTINGS)
    found = read_predictions(path)
    assert found.predictions == tuple(whole)
    assert (found.settings, found.num_questions, found.is_finished) == (SETTINGS, 2, True)


def test_a_form_that_was_filled_in_is_read(tmp_path: Path):
    path = tmp_path / "form.jsonl"
    regions = tuple(RegionPrediction(index=i, truth="ship", label="boat", confidence=0.5) for i in (0, 7))
    assert write_form(path, [Prediction("a", "ssdd", "sar", "said", regions)], SETTINGS) == 1
    head, line = map(json.loads, path.read_text().splitlines())
    assert head == {"settings": SETTINGS, "questions": 1}
    assert "text" not in line
    assert line["regions"] == [{"index": 0, "truth": "ship"}, {"index": 7, "truth": "ship"}]
    assert [region.label for region in read_predictions(path).predictions[0].regions] == [None, None]
    line["text"] = "<Region 2>: a harbor.\n<Region 1>: Ship"
    path.write_text(json.dumps(line))  # neither header nor line break
    found = read_predictions(path).predictions[0]
    assert [(region.label, region.confidence) for region in found.regions] == [("Ship", 1.0), ("a harbor", 1.0)]


def test_the_least_that_a_line_must_hold(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"key": "a", "text": "a port", "references": ["a port ."]}\n\n{"key": "b", "regions": []}\n')
    first, second = read_predictions(path).predictions
    assert first == Prediction("a", "unknown", "unknown", "a port", references=("a port .",))
    assert second.text == ""


def test_overlaps_are_measured_and_not_believed(tmp_path: Path):
    truth = Mask.from_array(np.ones((4, 4), dtype=bool))
    region = RegionPrediction(0, "ship", None, 0.9, mask=MASK, true_mask=truth, overlap=Overlap(16, 16))
    path = tmp_path / "answers.jsonl"
    write_predictions(path, [Prediction("a", "ssdd", "sar", "", (region,))], SETTINGS)
    (found,) = read_predictions(path).predictions[0].regions
    assert found.overlap == Overlap(4, 16)


def test_run_lengths_may_be_numbers(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    mask = {"size": [2, 2], "counts": [1, 2, 1]}
    path.write_text(json.dumps({"key": "a", "regions": [{"truth": "ship", "mask": mask, "true_mask": mask}]}))
    (found,) = read_predictions(path).predictions[0].regions
    assert found.overlap == Overlap(2, 2)


MASK_OF_5 = {"size": [2, 2], "counts": [1, 4]}
PHRASE = {"phrase": "a ship", "mask": {"size": [2, 2], "counts": [1, 3]}}
WIDE_PHRASE = {"phrase": "a ship", "mask": {"size": [2, 3], "counts": [1, 5]}}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nonsense", "Line 2 .* is not JSON"),
        ("[1]", "Line 2 .* is a list"),
        ('{"text": "x"}', "Line 2 .* lacks the member 'key'"),
        ('{"key": "a"}', "answers 'a' a second time"),
        ('{"key": "b", "regions": 3}', "Line 2 .* is no prediction"),
        ('{"key": "b", "regions": [{"truth": "ship", "label": 3}]}', "label 3 of region 1 is no text"),
        ('{"key": "b", "regions": [{"truth": " "}]}', "has no true class"),
        ('{"key": "b", "references": [3]}', "3 is no text"),
        (json.dumps({"key": "b", "regions": [{"truth": "ship", "mask": MASK_OF_5}]}), "cover 5 pixels"),
        (json.dumps({"key": "b", "phrases": [{"phrase": "a ship", "mask": MASK_OF_5}]}), "cover 5 pixels"),
        ('{"key": "b", "references": "a port"}', '"references" is a str, not a list'),
        ('{"key": "b", "regions": [{"truth": "ship", "references": "a ship"}]}', '"references" is a str'),
        ('{"key": "b", "regions": [{"truth": "..."}]}', "has no true class, but '...'"),
        ('{"key": "b", "regions": [{"truth": "ship", "overlap": [1]}]}', "Line 2 .* is no prediction"),
        ('{"key": "b", "regions": [{"truth": "ship", "overlap": [9, 3]}]}', "9 pixels where 3 are covered"),
        ('{"key": "b", "regions": [{"truth": "ship", "overlap": ["a", 3]}]}', "overlap is a number, not 'a'"),
        ('{"key": "b", "regions": [{"truth": "ship", "confidence": NaN}]}', "confidence is a number, not nan"),
        ('{"key": "b", "phrases": [{"phrase": "a ship", "mask": null, "confidence": "high"}]}', "not 'high'"),
        ('{"key": "b", "phrases": [{"phrase": 3}]}', "3 is no text"),
        ('{"key": "b", "image": 3}', "3 is no text"),
        ('{"key": "b", "text": "a \\ud800 ship"}', "holds half a character"),
        ('{"key": "b", "size": [1e999, 3]}', "Line 2 .* is no prediction"),
        (json.dumps({"key": "b", "phrases": [PHRASE], "true_phrases": [WIDE_PHRASE]}), "2 x 2 and 3 x 2"),
    ],
)
def test_what_is_no_prediction_is_refused(tmp_path: Path, line: str, sentence: str):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"key": "a"}\n' + line + "\n")
    with pytest.raises(MalformedPredictions, match=sentence):
        read_predictions(path)


@pytest.mark.parametrize("content", [None, "", '{"settings": {}}\n', '{"key": "a'])
def test_a_file_without_predictions_is_refused(tmp_path: Path, content: str | None):
    path = tmp_path / "answers.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(MalformedPredictions, match=r"0 predictions|cannot be read"):
        read_predictions(path)


def test_a_last_line_that_was_cut_off_is_left_out_and_told(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    for end, was_cut in (("", False), ("\n", False), ('\n{"key": "b", "te', True), ('\n{"key": "b\xc3', True)):
        path.write_bytes(b'{"key": "a"}' + end.encode("latin-1"))
        found = read_predictions(path)
        assert ([one.key for one in found.predictions], found.was_cut) == (["a"], was_cut)


def test_a_mark_of_byte_order_and_other_line_breaks_are_read(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"settings": {"benchmark": "roc"}}\r\n{"key": "a"}\r\n\r\n')
    found = read_predictions(path)
    assert (found.settings, [one.key for one in found.predictions]) == ({"benchmark": "roc"}, ["a"])
