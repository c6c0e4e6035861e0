"""A corpus is the same however it came about, and what is not in it is in the quarantine."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from earthgptx.data import sample_file
from earthgptx.data.corpus.build import BuildProgress, build
from earthgptx.data.corpus.embedded_image import with_image
from earthgptx.data.corpus.manifest import NO_MARK, read_manifest
from earthgptx.data.corpus.reader import open_corpus
from earthgptx.data.corpus.shards import read_shard
from earthgptx.data.corpus.tiling import Tiling
from earthgptx.data.datasets import DATASETS, DOMAINS
from earthgptx.data.formats.detect import own_dataset
from earthgptx.data.instructions import MARK_FAMILIES, MARKED_TASKS, TASKS
from earthgptx.data.pixels import pixels_of
from earthgptx.errors import FolderInUse, MalformedCorpus, MalformedDataset
from tests.data.corpus.reading import content, quarantine, rows
from tests.fixtures.make_air_sarship import make_air_sarship
from tests.fixtures.make_all import make_all
from tests.fixtures.make_dior import make_dior
from tests.fixtures.make_dota import make_dota
from tests.fixtures.make_infiray import make_voc, make_yolo
from tests.fixtures.make_msar import make_msar
from tests.fixtures.make_openimages import make_openimages
from tests.fixtures.make_rsvg import make_dior_rsvg, make_opt_rsvg
from tests.fixtures.make_rsvp import make_rsvp
from tests.fixtures.make_sar_aircraft import make_sar_aircraft
from tests.fixtures.make_sardet import make_sardet
from tests.fixtures.make_ssdd_official import make_ssdd_official
from tests.fixtures.make_visual_genome import make_visual_genome


def coco(folder: Path, images: list[dict], annotations: list[dict]) -> Path:
    """A user's own COCO file of two classes, and the images that it says are there."""
    (folder / "images").mkdir(parents=True)
    for row in images:
        Image.new("RGB", row.pop("real_size", (row["width"], row["height"])), (90, 80, 70)).save(
            folder / "images" / row["file_name"]
        )
    categories = [{"id": 1, "name": "ship"}, {"id": 2, "name": "crane"}]
    (folder / "labels.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return folder


def test_every_row_reads_back_and_shows_an_image(corpus, root):
    for row in rows(corpus):
        sample = sample_file.parse(row.sample, root=root)
        assert sample.id == row.id
        assert sample.image == root / row.image
        assert sample.image.is_file()
        assert (sample.task, sample.sensor) == (row.task, row.sensor)
        assert {region.mark.kind for region in sample.regions} == set(row.mark_kinds)
        assert row.image_bytes is None


def test_the_files_are_those_of_the_manifest(corpus):
    opened = open_corpus(corpus)
    opened.check_files()
    for shard in opened.shards:
        found = opened.rows(shard, 0, shard.num_rows, ("id", "source", "split"))
        assert [row["id"] for row in found] == [row.id for row in read_shard(corpus / shard.path)]
        assert {(row["source"], row["split"]) for row in found} == {(shard.source, shard.split)}


def test_ids_are_unique_and_every_family_of_marks_is_there(corpus):
    found = [row.id for row in rows(corpus)]
    assert len(set(found)) == len(found)
    for task in MARKED_TASKS:
        endings = Counter(name.rsplit("-", 1)[1] for name in found if f"#{task}-" in name)
        assert set(endings) == set(MARK_FAMILIES)
        assert len(set(endings.values())) == 1


def test_every_task_is_there(corpus):
    assert {row.task for row in rows(corpus)} == set(TASKS)


def test_the_tables_count_the_rows(corpus):
    written = list(rows(corpus))
    manifest = read_manifest(corpus)
    splits, by_task, by_mark, _, by_sensor = manifest.tables()
    assert manifest.num_samples == len(written)
    assert splits.rows[-1][-1] == len(written)
    for table, what in ((by_task, "task"), (by_mark, "kind")):
        cells = Counter()
        for row in written:
            for name in [row.task] if what == "task" else row.mark_kinds or [NO_MARK]:
                cells[row.source, name] += 1
        for line in table.rows[:-1]:
            for name, cell in zip(table.columns[1:-1], line[1:-1], strict=True):
                assert cell == cells[line[0], name]
    totals = dict(zip(by_sensor.columns[1:], by_sensor.rows[-1][1:], strict=True))
    assert totals == {**Counter(row.task for row in written), "all": len(written)}


def test_no_folder_of_this_machine_is_in_it(corpus, root):
    assert not any(str(root) in path.read_text(errors="replace") for path in corpus.rglob("*.json*"))


def test_a_root_may_be_told_by_way_of_another_folder(corpus, root, tmp_path):
    (root / "aside").mkdir(exist_ok=True)
    build(root / "aside" / "..", tmp_path / "out", num_workers=1)
    assert content(tmp_path / "out") == content(corpus)


def test_two_processes_write_what_one_writes(corpus, root, tmp_path):
    build(root, tmp_path / "two", num_workers=2)
    assert content(tmp_path / "two") == content(corpus)


def test_a_second_build_changes_nothing(corpus, root):
    before = content(corpus)
    told: list[BuildProgress] = []
    build(root, corpus, num_workers=1, on_progress=told.append)
    assert content(corpus) == before
    assert all(each.is_done and each.num_items == 0 for each in told)


def test_another_seed_gives_other_marks(corpus, root, tmp_path):
    build(root, tmp_path / "other", seed=1, only=["vhr10"], num_workers=1)
    other = {row.id: row.sample for row in rows(tmp_path / "other")}
    same = [row.id for row in rows(corpus) if other.get(row.id) == row.sample]
    assert len(same) < len(other) / 2


def test_own_labels_and_every_fault_is_in_the_quarantine(tmp_path):
    sizes = {"width": 64, "height": 48}
    images = [
        {"id": 1, "file_name": "good.png", **sizes},
        {"id": 2, "file_name": "gone.png", **sizes},
        {"id": 3, "file_name": "other_size.png", **sizes, "real_size": (60, 48)},
        {"id": 4, "file_name": "text.png", **sizes},
        {"id": 5, "file_name": "bare.png", **sizes},
        {"id": 6, "file_name": "sliver.png", **sizes},
    ]
    box = {"category_id": 1, "bbox": [5, 5, 20, 20], "iscrowd": 0}
    annotations = [{**box, "id": row["id"], "image_id": row["id"]} for row in images if row["file_name"] != "bare.png"]
    sliver = {"id": 60, "image_id": 6, "category_id": 2, "iscrowd": 0, "bbox": [30, 30, 9, 0.2]}
    annotations.append({**sliver, "segmentation": [[30, 30.1, 39, 30.1, 39, 30.3, 30, 30.3]]})
    own = coco(tmp_path / "mine", images, annotations)
    (own / "images" / "gone.png").unlink()
    (own / "images" / "text.png").write_text("no image")
    manifest = build(
        tmp_path,
        tmp_path / "out",
        only=[],
        own=own_dataset(own, sensor="sar", name="mine"),
        num_workers=1,
    )
    left_out = quarantine(tmp_path / "out")
    named = " ".join(f"{row['item']} {row['reason']}" for row in left_out)
    for name in ("gone", "other_size", "text", "bare", "sliver"):
        assert name in named, named
    assert len(left_out) == 5
    assert sum(split.num_broken for split in manifest.splits) == len(left_out)
    assert {row.image for row in rows(tmp_path / "out")} == {"mine/images/good.png", "mine/images/sliver.png"}
    assert {row.sensor for row in rows(tmp_path / "out")} == {"sar"}


def test_a_source_that_cannot_be_read_is_told_and_tried_again(root, tmp_path):
    sources = shutil.copytree(root, tmp_path / "sources")
    path = sources / "vhr10" / "instances_val.json"
    whole = path.read_text()
    path.write_text(whole[:100])
    names = ["vhr10", "ssdd"]
    manifest = build(sources, tmp_path / "out", only=names, num_workers=1)
    assert {shard.source for shard in manifest.shards if shard.split == "val"} == {"ssdd"}
    assert any("val split cannot be read" in row["reason"] for row in quarantine(tmp_path / "out"))
    path.write_text(whole)
    assert {s.source for s in build(sources, tmp_path / "out", only=names, num_workers=1).shards} == set(names)


def big_scene(tmp_path: Path) -> Path:
    """One scene of 300 x 260 pixels with two ships, labelled by COCO."""
    boxes = [[20, 20, 30, 12], [240, 200, 20, 20]]
    annotations = [
        {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": box} for number, box in enumerate(boxes)
    ]
    own = coco(tmp_path / "mine", [{"id": 1, "file_name": "big.png", "width": 300, "height": 260}], annotations)
    noise = np.random.default_rng(0).integers(0, 255, (260, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(own / "images" / "big.png")
    return own


@pytest.mark.parametrize("embed", [False, True])
def test_big_images_are_cut_and_show_the_same_pixels_either_way(embed, tmp_path):
    own = own_dataset(big_scene(tmp_path), sensor="optical", name="mine")
    tiling = Tiling(size=100, overlap=30, largest_whole=120)
    build(tmp_path, tmp_path / "out", only=[], own=own, tiling=tiling, embed=embed, num_workers=1)
    whole = np.asarray(Image.open(tmp_path / "mine" / "images" / "big.png"))
    (tmp_path / "unpacked").mkdir()
    found = list(rows(tmp_path / "out"))
    assert found
    for row in found:
        sample = sample_file.parse(row.sample, root=tmp_path)
        assert sample.window is not None
        x0, y0 = int(sample.window.x0), int(sample.window.y0)
        if embed:
            assert row.image_bytes is not None
            sample = with_image(sample, row.image_bytes, tmp_path / "unpacked")
        shown = whole[y0 : y0 + sample.height, x0 : x0 + sample.width]
        assert np.array_equal(pixels_of(sample), shown)


def test_embedded_images_are_the_files_and_stand_there_once(root, corpus, tmp_path):
    build(root, tmp_path / "out", embed=True, num_workers=1)
    plain = {row.id: row.sample for row in rows(corpus)}
    for row in rows(tmp_path / "out"):
        assert row.image_bytes == (root / row.image).read_bytes()
        assert row.sample == plain[row.id]
    grown = sum(len(path.read_bytes()) for path in (tmp_path / "out").rglob("*.parquet"))
    images = {row.image: len(row.image_bytes or b"") for row in rows(tmp_path / "out")}
    each_row = sum(images[row.image] for row in rows(tmp_path / "out"))
    assert grown < each_row / 2


def test_every_source_of_the_table_builds(tmp_path):
    root = make_all(tmp_path / "sources")
    for make in (make_air_sarship, make_msar, make_dior_rsvg, make_opt_rsvg):
        make(root)
    for make in (make_dior, make_sar_aircraft, make_sardet, make_ssdd_official, make_openimages, make_visual_genome):
        make(root, "train")
    make_rsvp(root)
    for version in ("v1.5", "v2.0"):
        make_dota(root, "train", version)
    for name in ("sea_shipping", "infrared_security", "aerial_mancar", "double_light_vehicle"):
        (make_voc if name == "sea_shipping" else make_yolo)(root, name)
    manifest = build(root, tmp_path / "out", num_workers=1)
    assert manifest.missing == ()
    assert {split.source for split in manifest.splits if split.num_samples} == set(DATASETS)
    assert {split.domain for split in manifest.splits} == set(DOMAINS)
    assert {row.task for row in rows(tmp_path / "out")} == {*TASKS, "dialogue"}
    assert not [row for row in quarantine(tmp_path / "out") if "cannot be read." in row["reason"]]


def test_limit_takes_the_first_of_every_split(root, tmp_path):
    manifest = build(root, tmp_path / "out", limit=1, num_workers=1)
    assert all(split.num_items == 1 for split in manifest.splits)


def test_bad_input_is_one_sentence(root, corpus, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(MalformedDataset, match="nowhere is not a folder"):
        build(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(MalformedDataset, match="holds none of the sources"):
        build(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(MalformedDataset, match="did you mean vhr10"):
        build(root, tmp_path / "out", only=["vhr1O"])
    with pytest.raises(MalformedCorpus, match="is a file"):
        build(root, tmp_path / "file")
    with pytest.raises(MalformedCorpus, match="something else than a corpus"):
        build(root, tmp_path / "full")
    with pytest.raises(MalformedCorpus, match="seed 0 and not 3"):
        build(root, corpus, seed=3)
    with pytest.raises(MalformedCorpus, match="vhr10-val"):
        build(root, corpus, only=["ssdd"])
    own = own_dataset(big_scene(tmp_path), sensor="optical", name="mine")
    with pytest.raises(MalformedDataset, match="do not lie below the root"):
        build(root, tmp_path / "out", own=own)


def test_nothing_at_all_says_the_first_reason(root, tmp_path):
    sources = tmp_path / "sources"
    shutil.copytree(root / "ssdd", sources / "ssdd")
    for path in (sources / "ssdd" / "images").iterdir():
        path.write_text("no image")
    with pytest.raises(MalformedCorpus, match="Nothing could be made"):
        build(sources, tmp_path / "out", num_workers=1)


def test_two_builds_do_not_meet(root, tmp_path):
    def again(_: BuildProgress) -> None:
        with pytest.raises(FolderInUse):
            build(root, tmp_path / "out", only=["ssdd"], num_workers=1)

    build(root, tmp_path / "out", only=["ssdd"], num_workers=1, on_progress=again)
