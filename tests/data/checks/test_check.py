"""A check finds each fault that was put in, in sources and in corpora, and nothing in what is whole."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from earthgptx.cli import app
from earthgptx.data import sample_file
from earthgptx.data.checks.check import Settings, check_corpus, check_root
from earthgptx.data.corpus.reader import open_corpus
from earthgptx.data.sample import LabelledObject, PixelTarget, Region, Sample, Turn
from earthgptx.errors import MalformedCorpus, MalformedDataset
from earthgptx.shapes import Box, Point, Polygon
from tests.fixtures.make_all import make_all
from tests.fixtures.make_corpus import write_corpus

WORDS = (Turn("user", "Segment <Region 1>."), Turn("model", "<Region 1>: <pix>"))
SQUARE = ((10, 10), (30, 10), (30, 30), (10, 30))


def thing(label="ship", box=(10, 10, 30, 30), outline=SQUARE):
    return LabelledObject(Box(*box), label, (Polygon(outline),) if outline else ())


def make_sample(name, item, split="train", mark=None, image=None):
    return Sample(
        id=f"made/{split}/{name}",
        image=image or f"made/{split}-{name}.png",
        sensor="optical",
        width=64,
        height=48,
        regions=(Region(mark or item.box, item),),
        turns=WORDS,
        targets=(PixelTarget((item,)),),
        task="segment_region",
    )


def row_of(made, seed=None, **changes):
    source, split, _ = made.id.split("/")
    written = sample_file.render(Sample(**{**vars(made), "image": Path(made.image)}))
    row = {
        "id": made.id,
        "source": source,
        "domain": "optical",
        "split": split,
        "sensor": "optical",
        "task": made.task,
        "mark_kinds": ("box",),
        "image": str(made.image),
        "sample": written,
        "image_bytes": None if seed is None else png(seed),
    }
    return {**row, **changes}


def png(seed):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    written = io.BytesIO()
    small.resize((64, 48), Image.Resampling.BICUBIC).save(written, "PNG")
    return written.getvalue()


def found(report):
    return {(row.kind, row.split): row.count for row in report.problems}


def test_a_whole_corpus_has_nothing_serious(tmp_path):
    rows = [row_of(make_sample(place, thing()), seed=place) for place in range(8)]
    rows += [row_of(make_sample(place, thing(), "val"), seed=100 + place) for place in range(3)]
    report = check_corpus(open_corpus(write_corpus(str(tmp_path), rows)))
    assert not report.is_serious
    assert report.problems == report.leaks == report.like_names == ()
    assert [(row.split, row.num_items, row.num_images, row.num_objects) for row in report.counts] == [
        ("train", 8, 8, 8),
        ("val", 3, 3, 3),
    ]
    assert json.loads(json.dumps(report.to_json()))["is_serious"] is False


def test_every_fault_of_a_corpus_is_found(tmp_path):
    rows = [row_of(make_sample(place, thing()), seed=place) for place in range(45)]
    rows += [
        row_of(make_sample("typo", thing("shipp")), seed=50),
        row_of(make_sample("outside", thing(box=(50, 10, 80, 30), outline=None)), seed=51),
        row_of(make_sample("thin", thing(outline=((10, 10.6), (30, 10.6), (30, 10.7)))), seed=52),
        row_of(make_sample("beside", thing(), mark=Point(200, 5)), seed=53),
        row_of(make_sample(3, thing()), seed=54),
        row_of(make_sample("text", thing()), seed=55, sample='{"image": "a.png", "width": 9, "height": 9}'),
        row_of(make_sample("damaged", thing()), seed=56, image_bytes=b"no image"),
        row_of(make_sample("same", thing(), "val"), seed=7),
        row_of(make_sample("other", thing(), "val"), seed=57),
    ]
    report = check_corpus(open_corpus(write_corpus(str(tmp_path), rows)))
    assert report.is_serious
    assert found(report) == {
        ("box outside the image", "train"): 2,
        ("empty mask", "train"): 1,
        ("repeated id", "train"): 1,
        ("sample that does not parse", "train"): 1,
        ("image that cannot be opened", "train"): 1,
    }
    details = " ".join(one.detail for row in report.problems for one in row.examples)
    assert "Object 0 (ship) has the box 50, 10, 80, 30 in an image of 64 x 48 pixels." in details
    assert "has no field 'sensor'" in details
    assert [(leak.item, leak.other_item, leak.is_copy) for leak in report.leaks] == [
        ("made/val-same.png", "made/train-7.png", True)
    ]
    assert [(pair.name, pair.other_name) for pair in report.like_names] == [("shipp", "ship")]
    assert report.balances[0].is_unbalanced


def test_images_beside_a_corpus_are_found_by_their_folder(tmp_path):
    (tmp_path / "images").mkdir()
    samples = [make_sample(place, thing(), image=f"images/{place // 2}.png") for place in range(4)]
    for place in range(2):
        (tmp_path / f"images/{place}.png").write_bytes(png(place))
    corpus = open_corpus(write_corpus(str(tmp_path / "out"), [row_of(sample) for sample in samples]))
    report = check_corpus(corpus, image_folder=tmp_path)
    assert not report.is_serious
    assert (report.counts[0].num_items, report.counts[0].num_images, report.counts[0].num_objects) == (4, 2, 2)
    with pytest.raises(MalformedCorpus, match="built without images in it"):
        check_corpus(corpus)
    with pytest.raises(MalformedCorpus, match="has no source 'nosuch'; it has made"):
        check_corpus(corpus, Settings(only=("nosuch",)), image_folder=tmp_path)


def test_sources_are_checked_before_building(tmp_path):
    make_all(tmp_path, "train")
    report = check_root(tmp_path)
    assert {row.source for row in report.counts} == {"vhr10", "ssdd", "hituav", "rsicd", "sar_acd", "mstar"}
    assert report.leaks == ()
    some = check_root(tmp_path, Settings(only=("ssdd",), limit=2))
    assert [(row.source, row.num_items) for row in some.counts] == [("ssdd", 2)]
    first = sorted((tmp_path / "mstar/train").rglob("[!.]*.jpg"))[0]
    copy = tmp_path / "mstar/val" / first.relative_to(tmp_path / "mstar/train")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(first.read_bytes())
    damaged = sorted((tmp_path / "sar_acd/train").rglob("[!.]*.jpg"))[0]
    damaged.write_bytes(damaged.read_bytes()[:200])
    report = check_root(tmp_path, Settings(only=("mstar", "sar_acd")))
    assert report.leaks_by_split() == {("mstar", "val", "mstar", "train"): (1, 1)}
    assert sum(Counter(found(report)).values()) == 1


def test_what_a_reader_leaves_out_is_a_mistake(tmp_path):
    make_all(tmp_path, "train")
    path = tmp_path / "ssdd/instances_train.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = [[1, 1, 5, 5]]
    path.write_text(json.dumps(content))
    report = check_root(tmp_path, Settings(only=("ssdd",)))
    assert report.is_serious
    assert found(report) == {("broken label", "train"): 2}  # the set has an outline without area of its own


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(MalformedDataset, match="holds no split of any known source"):
        check_root(tmp_path)
    with pytest.raises(MalformedDataset, match="holds no split of ssdd"):
        check_root(tmp_path, Settings(only=("ssdd",)))
    with pytest.raises(MalformedDataset, match="no source named 'sdd'; did you mean ssdd"):
        check_root(tmp_path, Settings(only=("sdd",)))


def test_the_verb_prints_tables_and_tells_by_its_exit_code(tmp_path):
    rows = [row_of(make_sample(place, thing()), seed=place) for place in range(8)]
    whole = write_corpus(str(tmp_path / "whole"), rows)
    result = CliRunner().invoke(app, ["data", "check", whole])
    assert result.exit_code == 0, result.output
    assert "Nothing serious." in result.stdout
    faulty = [
        *rows,
        row_of(make_sample("same", thing(), "val"), seed=7),
        row_of(make_sample("o", thing("ship s", box=(9, 9, 99, 20)), "val"), seed=9),
    ]
    corpus = write_corpus(str(tmp_path / "faulty"), faulty)
    result = CliRunner().invoke(app, ["data", "check", corpus, "--json", str(tmp_path / "report.json")])
    assert result.exit_code == 1, result.output
    for words in ("made val", "box outside the image", "capitals, separators", "would spoil"):
        assert words in result.stdout
    assert json.loads((tmp_path / "report.json").read_text())["is_serious"] is True
    result = CliRunner().invoke(app, ["data", "check", str(tmp_path)])
    assert result.exit_code == 2
    assert "holds no split of any known source" in result.stderr
