"""Fusion keeps places: cells stay where they are in every merge, marks look where they lie, images stay apart."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch.testing import assert_close

from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.features import MarkFeatures, ViewMap
from earthgptx.model.fusion import Fusion, _blocks, _pooled_sub_images, _rank_within
from tests.tiny_model import tiny_config, tiny_model

CONFIG = tiny_config()


def fusion(config: EarthGPTXConfig = CONFIG) -> Fusion:
    return tiny_model(config).fusion


def view_map(view_slot: Sequence[int], mark_view: Sequence[int]) -> ViewMap:
    """One image."""
    return ViewMap(
        view_image=torch.zeros(len(view_slot), dtype=torch.long),
        view_slot=torch.tensor(view_slot),
        mark_image=torch.zeros(len(mark_view), dtype=torch.long),
        mark_view=torch.tensor(mark_view, dtype=torch.long),
        num_images=1,
    )


def marks_on(*cells: tuple[int, int]) -> MarkFeatures:
    """A mark a cell, which covers just that cell of both frames."""
    width, prompts = CONFIG.spatial.width, CONFIG.spatial.num_prompt_tokens
    generator = torch.Generator().manual_seed(1)
    occupancy = torch.zeros(len(cells), 2, 256)
    for mark, (row, column) in enumerate(cells):
        occupancy[mark, :, 16 * row + column] = 1
    return MarkFeatures(
        prompts=torch.randn(len(cells), prompts, width, generator=generator),
        grid=occupancy[..., None].expand(-1, -1, -1, width).clone(),
        occupancy=occupancy,
    )


def tokens(num_views: int) -> torch.Tensor:
    return torch.randn(num_views, 257, CONFIG.vision.token_width, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_block_holds_its_own_cells_row_by_row(n: int):
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    cells = torch.stack([rows, columns], dim=-1).flatten(0, 1)[None]
    blocks = _blocks(cells, n)
    assert blocks.shape == (1, (16 // n) ** 2, 2 * n * n)
    for place, block in enumerate(blocks[0].unflatten(1, (n * n, 2)).tolist()):
        top, left = divmod(place, 16 // n)
        assert block == [[top * n + r, left * n + c] for r in range(n) for c in range(n)]


def test_only_sub_images_are_pooled():
    words = torch.arange(2 * 17).float().view(2, 17, 1)
    pooled = _pooled_sub_images(words, torch.tensor([True, False]), 2).flatten().tolist()
    assert pooled[:17] == list(range(17))
    # The second view's global token 17, then means of 2 x 2 of its 4 x 4 cells, 18 to 33.
    assert pooled[17:] == [17, 20.5, 22.5, 28.5, 30.5]


def test_ranks_count_within_each_image():
    assert _rank_within(torch.tensor([0, 0, 2, 0, 2])).tolist() == [0, 1, 0, 2, 1]
    assert _rank_within(torch.tensor([], dtype=torch.long)).tolist() == []


@pytest.mark.parametrize("cell", [(2, 3), (13, 8)])
def test_a_mark_looks_where_it_lies(cell: tuple[int, int]):
    """From the first step on: some heads start on the covered cells of the mark's own view, others everywhere."""
    box, near = fusion(), tokens(2).requires_grad_(True)
    box(near, marks_on(cell), view_map([0, -1], [1])).regions.square().sum().backward()
    assert near.grad is not None
    pull = near.grad[1, 1:].norm(dim=1)
    assert int(pull.argmax()) == 16 * cell[0] + cell[1]
    assert float(pull.max() / pull.median()) > 10
    assert float(pull.min()) > 0


def test_a_zoom_view_is_seen_by_its_own_marks_alone():
    box, seen = fusion(), tokens(3).requires_grad_(True)
    fused = box(seen, marks_on((2, 3), (5, 5)), view_map([0, -1, -1], [1, 2]))
    assert len(fused.image) == CONFIG.fusion.words_per_view  # zoom views add no words
    near = box._regions(
        torch.zeros(2, 4, CONFIG.fusion.width),
        torch.zeros(1, box.side**2 + 1, CONFIG.fusion.width),
        torch.ones(1, box.side**2 + 1, dtype=torch.bool),
        box.token_norm(seen),
        marks_on((2, 3), (5, 5)),
        view_map([0, -1, -1], [1, 2]),
    )
    near[0].square().sum().backward()
    assert seen.grad is not None
    assert [bool(view.any()) for view in seen.grad] == [False, True, False]


@pytest.mark.parametrize(("row", "column", "slot"), [(2, 3, 1), (2, 12, 2), (12, 3, 3), (12, 12, 4)])
def test_the_printed_equation_lays_marks_over_the_view_they_are_in(row: int, column: int, slot: int):
    config = tiny_config(kind="literal")
    box = fusion(config)
    with torch.no_grad():  # a grid of zeros adds nothing, so that what is added is the mark alone
        for module in (box.prompt_in, box.prompt_feed_forward.rise, box.prompt_feed_forward.fall, box.prompt_norm):
            module.bias.zero_()
    views = view_map([0, 1, 2, 3, 4], [0])
    per_view = box.side**2 + 1
    added = box._aligned_grid(marks_on((row, column)), views, 5 * per_view)
    touched = added[0].unflatten(0, (5, per_view)).norm(dim=-1)
    assert not touched[:, 0].any()  # no mark on global tokens
    assert [bool(view.any()) for view in touched] == [True, *(k == slot for k in range(1, 5))]
    whole = touched[0, 1:].unflatten(0, (box.side, box.side))
    scale = 16 // box.side
    assert whole.nonzero().tolist() == [[row // scale, column // scale]]


def test_images_of_one_batch_stay_apart():
    box = fusion()
    both = ViewMap(
        view_image=torch.tensor([0, 1]),
        view_slot=torch.tensor([0, 0]),
        mark_image=torch.tensor([0, 1]),
        mark_view=torch.tensor([0, 1]),
        num_images=2,
    )
    seen = tokens(2).requires_grad_(True)
    fused = box(seen, marks_on((2, 3), (9, 9)), both)
    (fused.regions[0].square().sum() + fused.image[: CONFIG.fusion.words_per_view].square().sum()).backward()
    assert seen.grad is not None
    assert [bool(view.any()) for view in seen.grad] == [True, False]


@torch.no_grad()
def test_no_mark_gives_no_region_tokens():
    fused = fusion()(tokens(1), marks_on(), view_map([0], []))
    assert fused.regions.shape == (0, CONFIG.spatial.num_prompt_tokens, CONFIG.language["hidden_size"])
    assert fused.image.shape == (CONFIG.fusion.words_per_view, CONFIG.language["hidden_size"])


@torch.no_grad()
def test_words_are_as_loud_as_the_gain_says():
    box = fusion()
    fused = box(tokens(1), marks_on((2, 3)), view_map([0], [0]))
    for words in (fused.image, fused.regions.flatten(0, 1)):
        loudness = words.square().mean(dim=-1).sqrt()
        assert_close(loudness, box.image_projection.gain.expand_as(loudness), rtol=1e-3, atol=0)


def test_without_fusion_neither_sees_the_other():
    """Region tokens follow from the marks alone, image tokens from the image alone."""
    box = fusion(tiny_config(kind="none"))
    seen, marks = tokens(2).requires_grad_(True), marks_on((2, 3), (9, 9))
    fused = box(seen, marks, view_map([0, -1], [0, 1]))
    moved = box(seen, marks_on((7, 7), (1, 1)), view_map([0, -1], [1, 0]))
    assert torch.equal(fused.image, moved.image)
    assert len(fused.image) == CONFIG.fusion.words_per_view
    fused.regions.square().sum().backward()
    assert seen.grad is None
    assert fused.regions.shape == (2, CONFIG.spatial.num_prompt_tokens, CONFIG.language["hidden_size"])
