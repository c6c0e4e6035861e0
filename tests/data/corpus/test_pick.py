"""A few samples of a corpus, by chance, with images that can be opened."""

from __future__ import annotations

import random

import pytest

from earthgptx.data.corpus.pick import pick_samples
from earthgptx.data.corpus.reader import open_corpus
from earthgptx.errors import MalformedCorpus
from tests.fixtures.make_corpus import make_corpus


def pick(corpus, folder, **changes):
    wanted = {"split": "train", "task": "roc", "count": 5, "rng": random.Random(0), "image_folder": folder}
    return pick_samples(open_corpus(corpus), **{**wanted, "written_to": folder, **changes})


def test_samples_of_the_task_are_taken_by_chance(tmp_path):
    corpus = make_corpus(str(tmp_path / "out"), {"vhr10": 60, "ssdd": 60})
    first = pick(corpus, tmp_path)
    assert len({sample.id for sample in first}) == 5
    assert {sample.task for sample in first} == {"roc"}
    assert first == pick(corpus, tmp_path)
    assert first != pick(corpus, tmp_path, rng=random.Random(1))
    assert len(pick(corpus, tmp_path, count=100)) == 40
    assert {sample.sensor for sample in pick(corpus, tmp_path, sources=("ssdd",))} == {"sar"}


def test_images_in_rows_are_written_where_they_can_be_opened(tmp_path):
    corpus = make_corpus(str(tmp_path / "out"), {"vhr10": 9}, embed=True)
    (sample,) = pick(corpus, tmp_path, image_folder=None, count=1)
    place = sample.id.split("/")[-1]
    assert sample.image.read_bytes() == f"bytes of {place}".encode()
    assert sample.image.parent == tmp_path


def test_what_is_not_there_is_said(tmp_path):
    corpus = make_corpus(str(tmp_path / "out"), {"vhr10": 9})
    with pytest.raises(MalformedCorpus, match="has no split 'val'; it has train"):
        pick(corpus, tmp_path, split="val")
    with pytest.raises(MalformedCorpus, match="has no source 'sdd'; it has vhr10"):
        pick(corpus, tmp_path, sources=("sdd",))
    with pytest.raises(MalformedCorpus, match="has no 'juggle' in its train split"):
        pick(corpus, tmp_path, task="juggle")
    with pytest.raises(MalformedCorpus, match="built without images in it"):
        pick(corpus, tmp_path, image_folder=None)
