"""Samples become batches: truth and canvas share a frame, masks find their marks, indices find their owners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from earthgptx.data.sample import LabelledObject, PixelTarget, Region, Sample, Turn
from earthgptx.errors import RegionCountMismatch
from earthgptx.model.sizes import SIZES
from earthgptx.processing.batch import IGNORED
from earthgptx.processing.canvases import FILLED
from earthgptx.processing.processor import Encoded, MaskSizes, processor_for
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer
from earthgptx.shapes import Box, Mark, Point
from tests.tiny_model import LARGE, SMALL, dialogue_sample, picture, prepare, square, tiny_processor

PROCESSOR = tiny_processor()
SHIP, HARBOR = square(20, 40, 24), square(200, 160, 150, "harbor")
SQUARE = (448, 448)


def encode(*marks: Mark, answer: str = "yes", targets: tuple[LabelledObject, ...] = (), size=LARGE) -> Encoded:
    return PROCESSOR.encode(dialogue_sample(size, marks, answer=answer, targets=targets))


def resized(mask: np.ndarray, size: int) -> np.ndarray:
    """By nearest pixel."""
    places = ((np.arange(size) + 0.5) * len(mask) / size).astype(int)
    return mask[np.ix_(places, places)]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("item", [SHIP, HARBOR, square(400, 350, 40), square(2, 2, 9)], ids=lambda o: str(o.box))
@pytest.mark.parametrize("size", [LARGE, SQUARE, (440, 448)], ids=str)
def test_the_truth_of_a_marked_region_lies_where_its_canvas_is_filled(item: LabelledObject, size: tuple[int, int]):
    encoded = encode(item.box, answer="<Region 1>: <pix>", targets=(item,), size=size)
    [target] = encoded.targets
    near = encoded.canvases[0, 1, FILLED] > 0
    assert target.shape == (PROCESSOR.masks.view,) * 2
    assert iou(resized(target, 112), near) > 0.85
    assert iou(resized(target, 112), encoded.canvases[0, 0, FILLED] > 0) < 0.85 or encoded.mark_views == (0,)


@pytest.mark.parametrize("size", [LARGE, SQUARE, SMALL], ids=str)
def test_the_truth_of_an_unbound_mask_lies_in_the_scene_s_frame(size: tuple[int, int]):
    item = square(30, 20, 80)
    encoded = encode(item.box, answer="A ship: <pix>", targets=(item,), size=size)
    [target] = encoded.targets
    assert encoded.pix_marks == (-1,)
    assert len(target) == PROCESSOR.masks.view * (2 if max(size) > 224 else 1)
    assert iou(resized(target, 112), encoded.canvases[0, 0, FILLED] > 0) > 0.85


def test_each_mask_finds_the_mark_that_was_named_before_it():
    answer = "<Region 2>: <pix>\n<Region 1>: a ship <pix> by <pix>\n<p>quay</p> <pix>\n<Region 9>: <pix>"
    encoded = encode(SHIP.box, HARBOR.box, answer=answer)
    assert encoded.pix_marks == (1, 0, 0, -1, -1)  # nobody drew a ninth region


def test_without_near_masks_every_mask_is_drawn_in_the_scene():
    processor = replace(PROCESSOR, masks=MaskSizes(view=64, near=False))
    encoded = processor.encode(
        dialogue_sample(LARGE, (SHIP.box,), answer="<Region 1>: <pix>", targets=(SHIP,)),
    )
    assert encoded.pix_marks == (-1,)
    assert encoded.targets[0].shape == (128, 128)


def test_masks_of_every_turn_count():
    turns = (Turn("user", "?"), Turn("model", "<Region 1>: <pix>"), Turn("user", "?"), Turn("model", "<pix>"))
    sample = replace(dialogue_sample(LARGE, (SHIP.box,)), turns=turns, targets=(PixelTarget((SHIP,)),) * 2)
    assert PROCESSOR.encode(sample).pix_marks == (0, -1)


@pytest.mark.parametrize("answer", ["<pix> and <pix>", "none"])
def test_another_number_of_masks_than_the_text_names_is_refused(answer: str):
    with pytest.raises(RegionCountMismatch, match=f"scene has {answer.count('<pix>')} <pix> but 1 target masks"):
        encode(answer=answer, targets=(SHIP,))


def test_marks_of_one_place_share_a_view():
    encoded = encode(Box(20, 40, 44, 64), Box(21, 41, 45, 65), Box(300, 300, 330, 330), Box(0, 0, 400, 400))
    assert encoded.slots == (0, 1, 2, 3, 4, -1, -1)
    assert encoded.mark_views == (5, 5, 6, 0)  # the last is as large as the scene
    assert all(view == 0 or encoded.windows[view].width < 448 for view in encoded.mark_views)


def flipped(sample: Sample) -> Sample:
    return replace(
        sample,
        regions=tuple(Region(region.mark.flipped(sample.width)) for region in sample.regions),
        targets=tuple(target.flipped(sample.width) for target in sample.targets),
    )


def test_a_mirrored_sample_has_mirrored_canvases_and_masks():
    sample = dialogue_sample(
        SQUARE, (SHIP.box, HARBOR.box, Point(100, 60)), answer="<pix> and <pix>", targets=(SHIP, HARBOR)
    )
    here, there = PROCESSOR.encode(sample), PROCESSOR.encode(flipped(sample))
    for one, other in zip(here.targets, there.targets, strict=True):
        assert np.array_equal(one[:, ::-1], other)
    scene_here, scene_there = here.canvases[:, 0, :, :, ::-1], there.canvases[:, 0]
    assert float((np.abs(scene_here.astype(float) - scene_there) > 8).mean()) < 0.002  # strokes end on a half pixel


def test_views_show_what_their_windows_say():
    pixels = picture(LARGE)
    encoded = encode(SHIP.box)
    views = PROCESSOR.render(pixels, encoded.windows)
    assert views.shape == (6, 3, 224, 224)
    assert np.array_equal(views[1].transpose(1, 2, 0), pixels[:224, :224])  # a sub-image at the scene's own scale
    assert PROCESSOR.render(pixels, ()).shape == (0, 3, 224, 224)


MANY = [
    dialogue_sample(SMALL, (SHIP.box,), answer="<Region 1>: <pix>", targets=(SHIP,)),
    dialogue_sample(LARGE, answer="All: <pix>", targets=(HARBOR,)),
    dialogue_sample(LARGE, (HARBOR.box, SHIP.box), answer="<Region 2>: <pix>", targets=(SHIP,)),
]


def test_indices_find_their_owners_in_a_batch():
    prepared = prepare(MANY)
    batch = prepared.batch()
    sizes = [len(one.windows) for one in prepared.encoded]
    assert sizes == [2, 5, 7]
    assert batch.view_image.tolist() == [0] * 2 + [1] * 5 + [2] * 7
    assert batch.view_slot.tolist() == [0, -1, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, -1, -1]
    assert batch.mark_image.tolist() == [0, 2, 2]
    assert batch.mark_view.tolist() == [1, 12, 13]
    assert batch.pix_image.tolist() == [0, 1, 2]
    assert batch.pix_mark.tolist() == [0, -1, 2]
    assert torch.equal(batch.views[batch.mark_view[2]], torch.from_numpy(prepared.views[2][6]))
    assert batch.canvases.shape == (3, 2, 3, 112, 112)
    assert (float(batch.canvases.min()), float(batch.canvases.max())) == (0, 1)
    assert [tuple(target.shape) for target in batch.targets] == [(64, 64), (128, 128), (64, 64)]
    assert len(batch) == 3


@pytest.mark.parametrize("pad_left", [False, True])
def test_padding_stands_on_one_side_and_carries_nothing(pad_left: bool):
    prepared = prepare(MANY)
    batch = prepared.batch(pad_left=pad_left)
    width = batch.token_ids.shape[1]
    for row, one in enumerate(prepared.encoded):
        length = len(one.dialogue.token_ids)
        expected = [False] * (width - length) + [True] * length if pad_left else [True] * length
        assert batch.present[row].tolist() == expected + [False] * (width - len(expected))
        assert batch.token_ids[row][batch.present[row]].tolist() == one.dialogue.token_ids
        assert batch.labels[row][batch.present[row]].tolist() == one.dialogue.labels
        assert (batch.labels[row][~batch.present[row]] == IGNORED).all()


def test_a_batch_moves_as_a_whole():
    batch = prepare(MANY).batch().to("meta")
    assert batch.views.device.type == batch.targets[0].device.type == "meta"
    assert batch.sample_ids == ("scene",) * 3


@pytest.mark.parametrize(("size", "region_tokens", "view_mask"), [("tiny", 4, 64), ("nano", 4, 128), ("paper", 4, 128)])
def test_a_processor_fits_its_size(size: str, region_tokens: int, view_mask: int):
    config = SIZES[size]()
    processor = processor_for(config, Vocabulary.of(byte_tokenizer(config.base_vocabulary_size)))
    assert (processor.tokens_per_region, processor.masks.view) == (region_tokens, view_mask)
    assert processor.words_per_view == config.fusion.words_per_view
    assert processor.masks.scene(5) == {"tiny": 128}.get(size, 256)  # as SAM: nano by a mosaic of 2 x 2 views
    assert processor.masks.near == (size != "paper")
