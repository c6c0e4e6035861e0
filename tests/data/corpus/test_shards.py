"""Parquet files of a corpus: what goes in comes out, the same rows are the same bytes, and damage is told."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from earthgptx.data.corpus.shards import ROWS_A_GROUP, Row, read_rows, read_shard, write_shard
from earthgptx.errors import MalformedCorpus


def some_rows(count: int, image: bytes | None) -> list[Row]:
    return [
        Row(
            id=f"vhr10/train/{number:03d}#roc",
            source="vhr10",
            domain="optical",
            split="train",
            sensor="optical",
            task="roc",
            mark_kinds=("point", "box") if number % 2 else (),
            image="vhr10/images/001.jpg",
            sample='{"id": "é"}',
            image_bytes=image,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("image", [None, b"\x00\xffbytes"])
@pytest.mark.parametrize("count", [1, ROWS_A_GROUP, ROWS_A_GROUP + 1])
def test_rows_come_back(count, image, tmp_path):
    rows = some_rows(count, image)
    digest = write_shard(tmp_path / "a.parquet", rows)
    assert list(read_shard(tmp_path / "a.parquet")) == rows
    assert digest == hashlib.sha256((tmp_path / "a.parquet").read_bytes()).hexdigest()
    assert write_shard(tmp_path / "b.parquet", rows) == digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]


def test_rows_share_the_bytes_of_their_image(tmp_path):
    rows = [replace(row, image_bytes=bytes([place // 40]) * 50) for place, row in enumerate(some_rows(300, None))]
    rows[5] = replace(rows[5], image_bytes=None)
    write_shard(tmp_path / "a.parquet", rows)
    with (tmp_path / "a.parquet").open("rb") as stream:
        found, _ = read_rows(stream, 3, 290, ("image_bytes", "id", "mark_kinds"))
    assert [row["image_bytes"] for row in found] == [row.image_bytes for row in rows[3:290]]
    assert [(row["id"], tuple(row["mark_kinds"])) for row in found] == [(row.id, row.mark_kinds) for row in rows[3:290]]
    num_copies = len({id(row["image_bytes"]) for row in found if row["image_bytes"] is not None})
    assert num_copies <= 8 + 2  # images, and those that are in two groups


def test_an_image_stands_once_in_a_group_of_rows(tmp_path):
    image = bytes(range(256)) * 8000  # 2 MB, more than a page of a usual dictionary
    write_shard(tmp_path / "a.parquet", some_rows(ROWS_A_GROUP, image))
    assert (tmp_path / "a.parquet").stat().st_size < 2 * len(image)


def test_what_is_no_shard(tmp_path):
    with pytest.raises(MalformedCorpus, match="does not exist"):
        list(read_shard(tmp_path / "none.parquet"))
    (tmp_path / "text.parquet").write_text("no shard")
    with pytest.raises(MalformedCorpus, match="is not a shard"):
        list(read_shard(tmp_path / "text.parquet"))
