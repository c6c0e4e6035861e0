"""A corpus is the same however it came about, and what is not in it is in the quarantine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from earthgptx.data import sample_file
from earthgptx.data.corpus import build as building
from earthgptx.data.corpus.build import BuildProgress, build
from earthgptx.data.corpus.embedded_image import with_image
from earthgptx.data.corpus.manifest import NO_MARK, read_manifest
from earthgptx.data.corpus.reader import open_corpus
from earthgptx.data.corpus.shards import Row, read_shard
from earthgptx.data.corpus.tiling import Tiling
from earthgptx.data.formats.detect import own_dataset
from earthgptx.data.instructions import MARK_FAMILIES, MARKED_TASKS, TASKS
from earthgptx.data.pixels import pixels_of
from earthgptx.errors import FolderInUse, MalformedCorpus, MalformedDataset
from tests.fixtures.make_all import make_all

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    make_all(folder, "train")
    return make_all(folder, "val")


@pytest.fixture(scope="module")
def corpus(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "mrsvp"
    build(root, out, num_workers=1)
    return out


def content(out: Path) -> dict[str, str]:
    """Every file of a corpus with the hash of its bytes."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(out: Path) -> Iterator[Row]:
    for shard in read_manifest(out).shards:
        yield from read_shard(out / shard.path)


def quarantine(out: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]


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


class Ended(BaseException):
    """Stands in for the end of the process; nothing may catch it."""


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8])
def test_a_build_that_was_ended_goes_on(after, root, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "ROWS_A_SHARD", 30)
    build(root, tmp_path / "whole", num_workers=1)
    write, num_written = building.write_shard, 0

    def write_some(path, rows):
        nonlocal num_written
        num_written += 1
        if num_written > after:
            path.with_name(f"{path.name}.part").write_bytes(b"cut off")
            raise Ended
        return write(path, rows)

    monkeypatch.setattr(building, "write_shard", write_some)
    with pytest.raises(Ended):
        build(root, tmp_path / "ended", num_workers=1)
    assert not (tmp_path / "ended" / "manifest.json").exists()
    monkeypatch.setattr(building, "write_shard", write)
    build(root, tmp_path / "ended", num_workers=1)
    assert content(tmp_path / "ended") == content(tmp_path / "whole")


KILLED = """
import multiprocessing, os, signal, sys
from pathlib import Path
from earthgptx.data.corpus.build import build

num_splits = 0

def kill_after_three(told):
    global num_splits
    num_splits += told.is_done
    if num_splits == 3:
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]), num_workers=2, on_progress=kill_after_three)
"""


def is_running(process: int) -> bool:
    """Whether a process is there and is not only waiting to be buried."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux to look at processes")
def test_a_build_that_was_killed_goes_on(corpus, root, tmp_path):
    """Killed by a signal that cannot be caught; its other processes end by themselves."""
    out = tmp_path / "killed"
    (tmp_path / "run.py").write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(tmp_path / "run.py"), str(root), str(out)]
    child = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert not (out / "manifest.json").exists()
    others = [int(number) for number in child.stdout.split()]
    assert others
    end = time.monotonic() + 30
    while any(map(is_running, others)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_running, others))
    build(root, out, num_workers=1)
    assert content(out) == content(corpus)


def test_damaged_shards_and_torn_records_are_made_again(corpus, root, tmp_path):
    out = shutil.copytree(corpus, tmp_path / "damaged")
    shard = out / read_manifest(out).shards[2].path
    shard.write_bytes(shard.read_bytes()[:-9])
    records = out / "progress" / "rsicd-val.jsonl"
    records.write_text(records.read_text()[:-30])
    (out / "samples" / "left-over.parquet.part").write_bytes(b"")
    build(root, out, num_workers=1)
    assert content(out) == content(corpus)


def test_a_source_that_changed_is_read_again(root, tmp_path):
    sources = shutil.copytree(root, tmp_path / "sources")
    build(sources, tmp_path / "out", only=["ssdd"], num_workers=1)
    path = sources / "ssdd" / "instances_val.json"
    labels = json.loads(path.read_text())
    labels["annotations"] = [row for row in labels["annotations"] if row["image_id"] == labels["images"][0]["id"]]
    path.write_text(json.dumps(labels))
    before = read_manifest(tmp_path / "out").num_samples
    manifest = build(sources, tmp_path / "out", only=["ssdd"], num_workers=1)
    assert manifest.num_samples < before
    build(sources, tmp_path / "anew", only=["ssdd"], num_workers=1)
    assert (tmp_path / "anew" / "manifest.json").read_bytes() == (tmp_path / "out" / "manifest.json").read_bytes()


def test_a_corpus_may_grow_by_a_source(root, corpus, tmp_path):
    build(root, tmp_path / "out", only=["ssdd", "vhr10"], num_workers=1)
    build(root, tmp_path / "out", num_workers=1)
    assert content(tmp_path / "out") == content(corpus)


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
