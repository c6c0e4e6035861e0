"""Samples of one fabricated image, recorded before there were sources with descriptions, relations and rotated boxes.

A trained model has read thousands of them: the same generator must go on giving the same question, answer and marks.
"""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest

from earthgptx.data.datasets import DATASETS
from earthgptx.data.freeform import FIXED_MARKS, fixed_mark
from earthgptx.data.instructions import converse, make_sample
from earthgptx.data.sample import LabelledImage, LabelledObject, Sample
from earthgptx.shapes import Box, Polygon

REAL = Path(os.environ.get("EARTHGPTX_DATA", Path(__file__).parents[3] / "shared" / "data"))


def outlined(x0: float, y0: float, x1: float, y1: float, label: str) -> LabelledObject:
    middle = (x0 + x1) / 2
    return LabelledObject(Box(x0, y0, x1, y1), label, (Polygon(((x0, y1), (middle, y0), (x1, y1))),))


IMAGE = LabelledImage(
    id="vhr10/train/777",
    path=Path("777.jpg"),
    dataset="vhr10",
    sensor="optical",
    width=600,
    height=400,
    objects=(
        outlined(20, 20, 80, 60, "ship"),
        outlined(100, 30, 170, 70, "ship"),
        outlined(300, 150, 420, 260, "harbor"),
        outlined(500, 320, 590, 390, "airplane"),
        outlined(30, 300, 60, 330, "storage tank"),
    ),
    captions=("Two ships lie near a harbor.", "An airplane stands at the lower right."),
    scene="port",
)
RECORDED = {
    "roc": "a82a8828dd25f3ba",
    "region_caption": "f1f86072678a4b85",
    "image_caption": "5d068ce2673c1436",
    "scene": "aed1817bbb7fef3d",
    "relation": "0c9209c2a1cc6fc5",
    "segment_region": "7dabfcca38ecfa00",
    "segment_class": "d12f91f9c62a25a7",
    "grounded_caption": "b217f8d8a98ac86b",
    "count": "1270ab1f639da7b6",
    "vqa": "d85c7b56c8851fef",
}
RECORDED_TALK = "858ad9ca832760f7"
RECORDED_MARKS = {
    "vhr10": "b0da8a562f787f87",
    "ssdd": "95a2623c18d9b866",
    "hituav": "be235e08f2b37cde",
    "sar_acd": "e6bfb608643fe9b5",
    "mstar": "352b9cbc3ffde37c",
}


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def written(sample: Sample | None) -> str:
    if sample is None:
        return "none"
    marks = [region.mark.to_json() for region in sample.regions]
    masks = [[IMAGE.objects.index(item) for item in target.objects] for target in sample.targets]
    return f"{sample.id} {[turn.text for turn in sample.turns]} {marks} {masks}"


@pytest.mark.parametrize("task", RECORDED)
def test_the_same_generator_gives_the_recorded_samples(task):
    samples = [written(make_sample(IMAGE, task, random.Random(seed))) for seed in range(30)]
    assert short_hash("\n".join(samples)) == RECORDED[task], samples[0]


def test_the_same_generator_gives_the_recorded_conversation():
    talks = [
        written(converse(IMAGE, ("roc", "count", "scene", "grounded_caption"), random.Random(seed)))
        for seed in range(10)
    ]
    assert short_hash("\n".join(talks)) == RECORDED_TALK


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real sets are not at {REAL}")
@pytest.mark.parametrize("dataset", RECORDED_MARKS)
def test_the_fixed_marks_of_the_first_sets_stay(dataset):
    images = [item for item in DATASETS[dataset].read(REAL, "val") if isinstance(item, LabelledImage)][:60]
    marks = [
        str(fixed_mark(image, index, kind).to_json())
        for image in images
        for index in range(len(image.objects))
        for kind in FIXED_MARKS
    ]
    assert short_hash("\n".join(marks)) == RECORDED_MARKS[dataset]
