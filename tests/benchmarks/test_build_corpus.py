"""The fabricator of the builder's benchmark writes what the adapters read, without anything broken."""

from __future__ import annotations

from benchmarks.made_sources import SOURCES, make_sources
from earthgptx.data.corpus.build import build


def test_made_sources_are_read_whole(tmp_path):
    make_sources(tmp_path / "sources", 0.001)
    manifest = build(tmp_path / "sources", tmp_path / "out", num_workers=1)
    assert all(split.num_samples for split in manifest.splits)
    assert {split.source for split in manifest.splits} == {source.name for source in SOURCES}
    broken = [line for line in (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines() if "hituav" not in line]
    assert not broken
