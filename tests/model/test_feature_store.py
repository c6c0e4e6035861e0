"""Features on disk come back to the last bit, and a kill between any two bytes costs at most the last views."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earthgptx.errors import BrokenCheckpoint, FolderInUse
from earthgptx.model.feature_store import FeatureStore, feature_key, pixel_key
from earthgptx.model.features import VisionFeatures
from earthgptx.shapes import Box

SHAPES = [(5, 3), (2, 4, 4)]
RECORD = 2 * (5 * 3 + 2 * 4 * 4)  # bytes of one view


def features(num_views: int, seed: int = 0) -> VisionFeatures:
    generator = torch.Generator().manual_seed(seed)
    vit, level = (torch.randn(num_views, *shape, generator=generator).bfloat16() for shape in SHAPES)
    return VisionFeatures(vit=vit, cnn=(level,))


def same(found: VisionFeatures, wanted: VisionFeatures) -> bool:
    return torch.equal(found.vit, wanted.vit) and all(map(torch.equal, found.cnn, wanted.cnn))


def reopened(store: FeatureStore) -> FeatureStore:
    """What another process would find."""
    folder = store.folder
    store._lock.close()
    return FeatureStore(folder, SHAPES)


def test_what_was_written_is_read_in_any_order(tmp_path: Path):
    store, written = FeatureStore(tmp_path, SHAPES), features(3)
    store.append(["a", "b"], written.take(torch.tensor([0, 1])))
    store.append(["c"], written.take(torch.tensor([2])))
    for opened in (store, reopened(store)):
        assert same(opened.read(["c", "a", "b", "a"]), written.take(torch.tensor([2, 0, 1, 0])))
        assert "b" in opened
        assert "d" not in opened


def test_nothing_is_read_from_nothing(tmp_path: Path):
    assert len(FeatureStore(tmp_path, SHAPES).read([])) == 0


def test_wider_numbers_are_kept_in_bf16(tmp_path: Path):
    store, wide = FeatureStore(tmp_path, SHAPES), features(1)
    wide = VisionFeatures(vit=wide.vit.float() + 1e-4, cnn=tuple(level.float() for level in wide.cnn))
    store.append(["a"], wide)
    assert torch.equal(store.read(["a"]).vit, wide.vit.bfloat16())


def test_a_key_written_twice_gives_its_last_features(tmp_path: Path):
    store = FeatureStore(tmp_path, SHAPES)
    for seed in range(3):
        store.append(["same", f"other {seed}"], features(2, seed))
    for opened in (store, reopened(store)):
        assert same(opened.read(["same"]), features(2, 2).take(torch.tensor([0])))
        assert same(opened.read(["other 1"]), features(2, 1).take(torch.tensor([1])))


def cut(path: Path, num_bytes: int) -> None:
    path.write_bytes(path.read_bytes()[: max(path.stat().st_size - num_bytes, 0)])


@settings(max_examples=30)
@given(lost_records=st.integers(0, 3 * RECORD), lost_lines=st.integers(0, 12))
def test_a_kill_at_any_byte_leaves_a_store_that_goes_on(
    tmp_path_factory: pytest.TempPathFactory, lost_records: int, lost_lines: int
):
    folder = tmp_path_factory.mktemp("killed")
    store, written = FeatureStore(folder, SHAPES), features(4)
    keys = ["k0", "k1", "k2", "k3"]
    store.append(keys, written)
    cut(folder / "records.bin", lost_records)
    cut(folder / "index.jsonl", lost_lines)
    store = reopened(store)
    kept = [key for key in keys if key in store]
    assert kept == keys[: len(kept)]
    assert len(kept) == min(4 - -(-lost_records // RECORD), 4 - -(-lost_lines // len('"k0"\n')))
    assert same(store.read(kept), written.take(torch.arange(len(kept))))
    store.append(["new"], features(1, seed=9))
    for opened in (store, reopened(store)):
        assert same(opened.read(["new"]), features(1, seed=9))
        assert same(opened.read(kept), written.take(torch.arange(len(kept))))


def test_a_half_written_name_of_an_image_is_dropped(tmp_path: Path):
    store = FeatureStore(tmp_path, SHAPES)
    store.name_image("vhr10/train/1", "abc")
    store.name_image("vhr10/train/2", "def")
    cut(tmp_path / "images.jsonl", 3)
    store = reopened(store)
    assert store.image_keys == {"vhr10/train/1": "abc"}
    store.name_image("vhr10/train/3", "ghi")
    assert reopened(store).image_keys == {"vhr10/train/1": "abc", "vhr10/train/3": "ghi"}


def test_features_of_other_shapes_are_refused(tmp_path: Path):
    store = FeatureStore(tmp_path / "used", SHAPES)
    store.append(["a"], features(1))
    with pytest.raises(BrokenCheckpoint, match=f"holds {RECORD // 2} numbers, not 15"):
        store.append(["b"], VisionFeatures(vit=features(1).vit, cnn=()))
    store._lock.close()
    with pytest.raises(BrokenCheckpoint, match=r"holds features of shapes \[\[5, 3\], \[2, 4, 4\]\]"):
        FeatureStore(tmp_path / "used", [(5, 3), (2, 8, 8)])
    assert json.loads((tmp_path / "used" / "shapes.json").read_text()) == [[5, 3], [2, 4, 4]]


def test_a_folder_has_one_writer(tmp_path: Path):
    store = FeatureStore(tmp_path, SHAPES)
    with pytest.raises(FolderInUse, match="another process"):
        FeatureStore(tmp_path, SHAPES)
    reopened(store)


def test_names_follow_content_and_window():
    pixels = np.zeros((4, 6, 3), np.uint8)
    changed = pixels.copy()
    changed[3, 5, 2] = 1
    assert pixel_key(pixels) == pixel_key(pixels[:, ::-1])  # the same bytes in another layout
    assert len({pixel_key(pixels), pixel_key(changed), pixel_key(pixels.reshape(6, 4, 3))}) == 3
    windows = (Box(0, 0, 64, 64), Box(0, 0.5, 64, 64.5), Box(0, 0, 65, 65))
    assert len({feature_key("abc", window) for window in windows}) == 3
