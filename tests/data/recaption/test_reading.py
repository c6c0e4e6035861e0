"""Samples come from a file or a corpus; images that a corpus holds in itself are put on disk."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from earthgptx.data.recaption.reading import read_input
from earthgptx.data.recaption.subject import classes_by_source, subjects_of
from earthgptx.data.sample import PixelTarget, Region, Sample, Turn
from earthgptx.data.sample_file import render, write_samples
from earthgptx.errors import MalformedCorpus, MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_corpus import make_row, write_corpus
from tests.fixtures.recaption_scenes import made_sample, made_samples


def made_corpus(folder: Path, rows: list[tuple[str, Sample, bytes | None]], root: Path) -> Path:
    """A corpus as the builder lays it out, of these samples alone."""
    written = [
        {
            **make_row("made", split, place),
            "id": sample.id,
            "image": sample.image.relative_to(root).as_posix(),
            "sample": render(sample, root=root),
            "image_bytes": content,
        }
        for place, (split, sample, content) in enumerate(rows)
    ]
    write_corpus(str(folder), written)
    return folder


def test_a_file_is_read_from_its_own_folder_or_another(tmp_path: Path):
    samples = made_samples(tmp_path / "pictures", 3)
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "samples.jsonl"
    write_samples(path, samples, root=tmp_path)
    read = read_input(path, images=tmp_path, split=None, extracted=tmp_path / "never")
    assert list(read) == samples
    with pytest.raises(MalformedDataset, match="does not exist"):
        list(read_input(tmp_path / "none.jsonl", images=None, split=None, extracted=tmp_path))


def test_a_corpus_is_read_by_split(tmp_path: Path):
    samples = made_samples(tmp_path / "pictures", 5)
    rows = [("train" if index < 3 else "val", sample, None) for index, sample in enumerate(samples)]
    made_corpus(tmp_path / "corpus", rows, tmp_path)

    def read(split: str | None) -> list[Sample]:
        return list(read_input(tmp_path / "corpus", images=tmp_path, split=split, extracted=tmp_path / "never"))

    assert read(None) == samples
    assert read("val") == samples[3:]
    with pytest.raises(MalformedCorpus, match="has no split 'test'; it has train, val"):
        read("test")
    with pytest.raises(MalformedCorpus, match="holds no corpus"):
        list(read_input(tmp_path / "pictures", images=None, split=None, extracted=tmp_path))


def test_embedded_images_are_put_on_disk_once(tmp_path: Path):
    sample = made_sample(tmp_path / "pictures", "x", ("ship",))
    content = sample.image.read_bytes()
    sample.image.unlink()
    made_corpus(tmp_path / "corpus", [("train", sample, content)] * 2, tmp_path)
    first, second = read_input(tmp_path / "corpus", images=tmp_path, split=None, extracted=tmp_path / "out")
    assert first.image == second.image
    assert first.image.read_bytes() == content
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_an_embedded_window_is_an_image_of_its_own(tmp_path: Path):
    sample = made_sample(tmp_path / "pictures", "x", ("ship",))
    window = replace(sample, window=Box(0, 0, 64, 64))
    content = sample.image.read_bytes()
    sample.image.unlink()
    corpus = made_corpus(tmp_path / "corpus", [("train", window, content)], tmp_path)
    (read,) = read_input(corpus, images=tmp_path, split=None, extracted=tmp_path / "out")
    assert read.window is None
    assert read.image.read_bytes() == content


def test_subjects_gather_what_all_samples_of_an_image_know(tmp_path: Path):
    sample = made_sample(tmp_path, "x", ("ship", "harbor", "ship", "ship"))
    one, two, three, four = (region.object for region in sample.regions)
    turns = (Turn("user", "Segment all ships."), Turn("model", "All ships: <pix>"))
    masks = replace(sample, id="made/train/x#m", regions=(), turns=turns, targets=(PixelTarget((four, one)),))
    caption = replace(sample, id="made/train/x#c", regions=(Region(Box(0, 0, 64, 64)),), turns=(turns[0], turns[1]))
    parts = [replace(sample, regions=sample.regions[2:3]), masks, caption, replace(sample, regions=sample.regions[1:2])]
    for order in (parts, parts[::-1]):
        (subject,) = subjects_of(order, max_regions=20)
        assert subject.objects == (one, two, three, four)
        assert subject.marked == (0, 1, 2, 3)
        assert subject.id == "made/train/x"
        assert subject.source == "made"
        assert subject.counts == {"ship": 3, "harbor": 1}
    assert classes_by_source([subject]) == {"made": {"ship", "harbor"}}


def test_the_largest_objects_are_numbered_and_all_are_counted(tmp_path: Path):
    sample = made_sample(tmp_path, "x", ("ship", "harbor", "ship", "ship"))
    (subject,) = subjects_of([sample], max_regions=2)
    assert subject.marked == (2, 3)
    assert sum(subject.counts.values()) == 4


def test_images_without_labels_windows_and_equal_names(tmp_path: Path):
    sample = made_sample(tmp_path / "a", "x", ("ship",))
    bare = replace(made_sample(tmp_path / "b", "y", ("ship",)), regions=())
    window = replace(sample, window=Box(0, 0, 32, 32), width=32, height=32)
    other = replace(made_sample(tmp_path / "c", "z", ("ship",)), id=sample.id)
    subjects = subjects_of([sample, bare, window, other], max_regions=20)
    assert [subject.id for subject in subjects] == ["made/train/x", "made/train/x-2", "made/train/x-3"]
    assert [subject.window for subject in subjects] == [None, Box(0, 0, 32, 32), None]


def test_pictures_are_png_of_the_asked_size(tmp_path: Path):
    from earthgptx.data.recaption.request import Parameters, picture_of

    (subject,) = subjects_of([made_sample(tmp_path, "x", ("ship", "harbor"))], max_regions=20)
    content = picture_of(subject, Parameters("m", side=448))
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.size, picture.mode) == ("PNG", (448, 448), "RGB")
    bare = np.asarray(Image.open(subject.image).resize((448, 448), Image.Resampling.LANCZOS))
    assert (np.asarray(picture) != bare).any()
