"""Samples come from a file or a corpus; images that a corpus holds in itself are put on disk."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from earthgptx.data.corpus.tiling import Tiling
from earthgptx.data.pixels import pixels_of
from earthgptx.data.quarantine import BrokenItem
from earthgptx.data.recaption.reading import read_subjects
from earthgptx.data.recaption.request import Parameters, picture_of, question_of
from earthgptx.data.recaption.subject import Subject, classes_by_source, subject_of_image, subjects_of
from earthgptx.data.sample import LabelledImage, LabelledObject, PixelTarget, Region, Sample, Turn
from earthgptx.data.sample_file import render, write_samples
from earthgptx.errors import MalformedCorpus, MalformedDataset
from earthgptx.shapes import Box
from tests.fixtures.make_all import make_all
from tests.fixtures.make_coco import make_ssdd
from tests.fixtures.make_corpus import make_row, write_corpus
from tests.fixtures.make_rsvg import make_dior_rsvg
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


def read(path: Path, broken: list[BrokenItem] | None = None, **wanted: Any) -> list[Subject]:
    found: list[BrokenItem] = [] if broken is None else broken
    return read_subjects(path, found.append, **{"extracted": Path("never"), **wanted})


def test_a_file_is_read_from_its_own_folder_or_another(tmp_path: Path):
    samples = made_samples(tmp_path / "pictures", 3)
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "samples.jsonl"
    write_samples(path, samples, root=tmp_path)
    assert read(path, images=tmp_path) == subjects_of(samples, max_regions=20)
    assert read(path)[0].image.path == tmp_path / "lists" / "pictures" / "000.png"
    with pytest.raises(MalformedDataset, match="does not exist"):
        read(tmp_path / "none.jsonl")


def test_a_file_has_no_parts_to_choose_from(tmp_path: Path):
    write_samples(tmp_path / "samples.jsonl", made_samples(tmp_path, 1), root=tmp_path)
    for part in ({"split": "train"}, {"only": ("made",)}):
        with pytest.raises(MalformedDataset, match="--split and --only choose from data sets"):
            read(tmp_path / "samples.jsonl", **part)


def test_a_corpus_is_read_by_split_and_data_set(tmp_path: Path):
    samples = made_samples(tmp_path / "pictures", 5)
    rows = [("train" if index < 3 else "val", sample, None) for index, sample in enumerate(samples)]
    corpus = made_corpus(tmp_path / "corpus", rows, tmp_path)
    assert read(corpus, images=tmp_path, only=("made",)) == subjects_of(samples, max_regions=20)
    assert read(corpus, images=tmp_path, split="val") == subjects_of(samples[3:], max_regions=20)
    with pytest.raises(MalformedCorpus, match="nothing of any data set in test; it has made-train, made-val"):
        read(corpus, split="test")
    with pytest.raises(MalformedCorpus, match="nothing of made, ssdd in any split"):
        read(corpus, only=("made", "ssdd"))
    with pytest.raises(MalformedCorpus, match="--images must say where"):
        read(corpus)


def test_embedded_images_are_put_on_disk_once(tmp_path: Path):
    sample = made_sample(tmp_path / "pictures", "x", ("ship",))
    content = sample.image.read_bytes()
    sample.image.unlink()
    other = replace(sample, id="made/train/x#other")
    corpus = made_corpus(tmp_path / "corpus", [("train", sample, content), ("train", other, content)], tmp_path)
    (subject,) = read(corpus, extracted=tmp_path / "out")
    assert subject.image.path.read_bytes() == content
    assert subject.totals == {"ship": 1}
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_an_embedded_window_is_shown_whole_and_counts_nothing(tmp_path: Path):
    sample = made_sample(tmp_path / "pictures", "x", ("ship",))
    window = replace(sample, window=Box(100, 100, 164, 164))
    content = sample.image.read_bytes()
    sample.image.unlink()
    corpus = made_corpus(tmp_path / "corpus", [("train", window, content)], tmp_path)
    (subject,) = read(corpus, extracted=tmp_path / "out")
    assert subject.totals == {}
    assert np.array_equal(pixels_of(subject.image), np.asarray(Image.open(io.BytesIO(content))))


def test_a_folder_of_data_sets_gives_all_labels(tmp_path: Path):
    make_all(tmp_path)
    broken: list[BrokenItem] = []
    subjects = read(tmp_path, broken, split="train", only=("ssdd", "hituav"))
    assert all("annotation" in item.item and item.reason for item in broken)
    assert {subject.image.dataset for subject in subjects} == {"ssdd", "hituav"}
    assert all(subject.totals == subject.counts for subject in subjects)
    assert all(subject.image.id.split("/")[1] == "train" for subject in subjects)
    with pytest.raises(MalformedDataset, match=r"nothing to caption in nowhere; it holds .*ssdd-train"):
        read(tmp_path, split="nowhere")
    with pytest.raises(MalformedDataset, match="no source named"):
        read(tmp_path, only=("sdd",))
    with pytest.raises(MalformedDataset, match="does not hold dior"):
        read(tmp_path, only=("ssdd", "dior"))


@pytest.mark.parametrize("shown", [0, 1])
def test_an_image_with_a_label_left_out_counts_nothing(tmp_path: Path, shown: int):
    make_ssdd(tmp_path, "train")
    file = tmp_path / "ssdd" / "instances_train.json"
    content = json.loads(file.read_text())
    outside = [[900, 900, 910, 900, 910, 910]]
    last = content["annotations"][0]
    content["annotations"].append(
        {**last, "id": 99, "image_id": content["images"][shown]["id"], "segmentation": outside}
    )
    file.write_text(json.dumps(content))
    broken: list[BrokenItem] = []
    subjects = read(tmp_path, broken)
    assert [item.is_empty for item in broken].count(False) == 1
    assert [bool(subject.totals) for subject in subjects] == [shown != 0, shown != 1]


def test_a_data_set_that_labels_a_part_counts_nothing(tmp_path: Path):
    make_all(tmp_path)
    make_dior_rsvg(tmp_path)
    for name, is_counted in (("sar_acd", True), ("dior_rsvg", False)):
        subjects = read(tmp_path, split="train", only=(name,))
        assert {bool(subject.totals) for subject in subjects} == {is_counted}


def test_a_folder_with_nothing_in_it(tmp_path: Path):
    with pytest.raises(MalformedDataset, match="no data set that is known"):
        read(tmp_path)


def test_big_images_are_cut_and_their_windows_count_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_ssdd(tmp_path, "train")
    monkeypatch.setattr("earthgptx.data.recaption.reading.Tiling", lambda: Tiling(120, 40, 150))
    subjects = read(tmp_path)
    assert all(subject.image.window is not None and subject.totals == {} for subject in subjects)
    assert len({subject.image.id for subject in subjects}) == len(subjects) > 2


def test_an_image_of_two_data_sets_is_a_subject_of_each(tmp_path: Path):
    sample = made_sample(tmp_path, "x", ("ship",))
    other = replace(made_sample(tmp_path, "x", ("harbor",)), id="other/train/x#made")
    subjects = subjects_of([sample, other], max_regions=20)
    assert [set(subject.counts) for subject in subjects] == [{"ship"}, {"harbor"}]


def test_numbers_run_down_the_picture_and_objects_keep_their_places():
    boxes = (Box(50, 50, 60, 60), Box(5, 5, 25, 25), Box(70, 5, 80, 20))
    objects = tuple(LabelledObject(box=box, label="ship") for box in boxes)
    image = LabelledImage("made/train/x", Path("x.png"), "made", "sar", 100, 100, objects)
    subject = subject_of_image(image, max_regions=20, is_counted=True)
    assert subject.marked == (1, 2, 0)
    assert subject.image is image
    assert subject_of_image(image, max_regions=2, is_counted=True).marked == (1, 2)


@pytest.mark.parametrize(
    ("task", "question", "answer", "total"),
    [
        ("count", "How many ships are there in the image?", "9", 9),
        ("count", "How many harbors are there in the image?", "9", None),
        ("count", "How many ships are there in the image?", "0", None),  # two are at hand: it cannot be so
        ("count", "How many ships are there in the image?", "many", None),
        ("vqa", "How many ships are there in the image?", "9", None),
    ],
)
def test_samples_tell_totals_by_their_tasks(tmp_path: Path, task: str, question: str, answer: str, total: int | None):
    sample = made_sample(tmp_path, "x", ("ship", "ship"))
    roc = replace(sample, task="roc", targets=(), turns=(Turn("user", "What?"), Turn("model", "<Region 1>: ship")))
    counted = replace(sample, task=task, regions=(), targets=(), turns=(Turn("user", question), Turn("model", answer)))
    (subject,) = subjects_of([roc, counted], max_regions=20)
    assert subject.totals == ({} if total is None else {"ship": total})
    words = question_of(subject, Parameters("m")).words
    if total is None:
        assert "How many ships there are in all is not known" in words
    else:
        assert "known to hold 9 ships. 7 of these carry no number." in words


def test_subjects_gather_what_all_samples_of_an_image_know(tmp_path: Path):
    sample = made_sample(tmp_path, "x", ("ship", "harbor", "ship", "ship"))
    one, two, three, four = (region.object for region in sample.regions)
    turns = (Turn("user", "Segment all ships."), Turn("model", "All ships: <pix>"))
    sample = replace(sample, task="roc", targets=(), turns=(Turn("user", "What?"), Turn("model", "ships")))
    masks = replace(
        sample, id="made/train/x#m", regions=(), task="segment_region", turns=turns, targets=(PixelTarget((four, one)),)
    )
    caption = replace(
        sample, id="made/train/x#c", regions=(Region(Box(0, 0, 64, 64)),), turns=(turns[0], Turn("model", "Water."))
    )
    parts = [replace(sample, regions=sample.regions[2:3]), masks, caption, replace(sample, regions=sample.regions[1:2])]
    for order in (parts, parts[::-1]):
        (subject,) = subjects_of(order, max_regions=20)
        assert subject.image.objects == (one, two, three, four)
        assert subject.marked == (0, 1, 2, 3)
        assert subject.image.id == "made/train/x"
        assert subject.image.dataset == "made"
        assert subject.counts == {"ship": 3, "harbor": 1}
        assert subject.totals == {}
    assert classes_by_source([subject]) == {"made": {"ship", "harbor"}}


def test_the_largest_objects_are_numbered_and_each_class_once_at_least(tmp_path: Path):
    sample = made_sample(tmp_path, "x", ("ship", "harbor", "ship", "ship"))
    for most, marked in ((4, (0, 1, 2, 3)), (3, (1, 2, 3)), (2, (1, 3)), (1, (3,))):
        (subject,) = subjects_of([sample], max_regions=most)
        assert subject.marked == marked
        assert subject.totals == {"ship": 3, "harbor": 1}


def test_images_without_labels_windows_and_equal_names(tmp_path: Path):
    sample = made_sample(tmp_path / "a", "x", ("ship",))
    bare = replace(made_sample(tmp_path / "b", "y", ("ship",)), regions=(), targets=())
    window = replace(sample, window=Box(0, 0, 32, 32), width=32, height=32)
    other = replace(made_sample(tmp_path / "c", "z", ("ship",)), id=sample.id)
    subjects = subjects_of([sample, bare, window, other], max_regions=20)
    assert [subject.image.id for subject in subjects] == ["made/train/x", "made/train/x-2", "made/train/x-3"]
    assert [subject.image.window for subject in subjects] == [None, Box(0, 0, 32, 32), None]


def test_pictures_are_png_of_the_asked_size(tmp_path: Path):
    (subject,) = subjects_of([made_sample(tmp_path, "x", ("ship", "harbor"))], max_regions=20)
    content = picture_of(subject, Parameters("m", side=448))
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.size, picture.mode) == ("PNG", (448, 448), "RGB")
    bare = np.asarray(Image.open(subject.image.path).resize((448, 448), Image.Resampling.LANCZOS))
    assert (np.asarray(picture) != bare).any()
