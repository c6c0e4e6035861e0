"""Hybrid signals mutual understanding (Eqs. 4-8): images and marks learn from one another, then reach LLM width.

Tower tokens of all views and the marks' features come in; image tokens in reading order and P tokens a mark come out,
as wide as the LLM's embeddings. It knows neither pixels nor words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from earthgptx.model.configuration import VIEW_SIDE_TOKENS, FusionConfig, SpatialConfig
from earthgptx.model.features import FusedTokens, MarkFeatures, ViewMap
from earthgptx.model.layers import Attention, FeedForward, hiding_bias


class Fusion(nn.Module):
    """One block of the paper's module; `kind="literal"` (Eq. 7 as printed) and "none" are kept for the ablation."""

    def __init__(
        self,
        config: FusionConfig,
        *,
        token_width: int,
        spatial: SpatialConfig,
        num_view_slots: int,
        language_width: int,
    ) -> None:
        super().__init__()
        self.config = config
        width, before, after = config.width, config.merge_before, config.merge_after
        self.side = VIEW_SIDE_TOKENS // before
        self.token_norm = nn.LayerNorm(token_width)
        self.cell_in = nn.Linear(token_width, config.cell_width)
        self.merge_in = nn.Linear(config.cell_width * before**2, width)
        self.global_in = nn.Linear(token_width, width)
        self.near_in = nn.Linear(token_width, width)
        self.view_embedding = nn.Parameter(torch.zeros(num_view_slots, width))
        self.positions = nn.Parameter(torch.zeros(self.side**2 + 1, width))
        self.near_positions = nn.Parameter(torch.zeros(VIEW_SIDE_TOKENS**2 + 1, width))
        self.no_mark = nn.Parameter(torch.zeros(1, width))
        self.image_norm = nn.LayerNorm(width)
        self.image_attention = Attention(width, config.num_heads)  # Eq. 4
        self.prompt_in = nn.Linear(spatial.width, width)
        self.prompt_norm = nn.LayerNorm(width)
        self.prompt_feed_forward = FeedForward(width)  # Eq. 5
        self.cross_image_norm = nn.LayerNorm(width)
        self.cross_prompt_norm = nn.LayerNorm(width)
        self.image_from_marks = Attention(width, config.num_heads)  # Eq. 6, image queries
        self.marks_from_image = Attention(width, config.num_heads)  # Eq. 6, mark queries
        self.mark_bias = nn.Linear(spatial.width, config.num_heads, bias=False)
        self.occupancy_gain = nn.Parameter(torch.zeros(config.num_heads))
        self.region_norm = nn.LayerNorm(width)
        self.region_feed_forward = FeedForward(width)
        self.joint_norm = nn.LayerNorm(width)
        self.joint_attention = Attention(width, config.num_heads)  # Eq. 7
        self.merge_out = nn.Linear(width * after**2, width) if after > 1 else None
        self.image_projection = Projection(width, language_width)  # Eq. 8
        self.region_projection = Projection(width, language_width)

    def init_weights(self) -> None:
        """Positions start small; a ramp of gains from 0 to 6 over the heads draws them to where the mark is."""
        for table in (self.view_embedding, self.positions, self.near_positions, self.no_mark):
            nn.init.normal_(table, std=0.02)
        with torch.no_grad():
            # Logit gains: e^4 is 55 to 1 for covered cells, close to mask pooling (Osprey) from the first step.
            self.occupancy_gain.copy_(torch.linspace(0.0, 6.0, self.config.num_heads))
            self.mark_bias.weight.zero_()

    def forward(self, tokens: Tensor, marks: MarkFeatures, views: ViewMap) -> FusedTokens:
        """Fuses.

        Args:
            tokens: (S, 1 + 256, C) of all views, zoom views included.
            marks: features of R marks; R may be 0.
            views: who belongs to whom.
        """
        image, present = self._image_tokens(tokens, views)  # (B, V n, D), (B, V n)
        if self.config.kind == "none":
            alone = self.region_projection(self.prompt_in(marks.prompts))
            return FusedTokens(image=self._image_words(image, present), regions=alone)
        v_sa = image + self.image_attention(self.image_norm(image), bias=hiding_bias(present))
        prompts = self.prompt_in(marks.prompts)
        e_ff = prompts + self.prompt_feed_forward(self.prompt_norm(prompts))  # (R, P, D)
        e_pad, e_present = self._pad_marks(e_ff, views)  # (B, 1 + R_max P, D); the first is the no-mark token
        v_ca = v_sa + self.image_from_marks(
            self.cross_image_norm(v_sa), self.cross_prompt_norm(e_pad), bias=hiding_bias(e_present)
        )
        if self.config.kind == "literal":
            regions = e_ff
            hybrid = v_ca + self._aligned_grid(marks, views, v_ca.shape[1])
            image = hybrid + self.joint_attention(self.joint_norm(hybrid), bias=hiding_bias(present))
        else:
            regions = self._regions(e_ff, v_sa, present, tokens, marks, views)
            image, regions = self._joint(v_ca, present, regions, views)
        return FusedTokens(
            image=self._image_words(image, present),
            regions=self.region_projection(regions),
        )

    def _normed(self, tokens: Tensor) -> Tensor:
        """Normalised; under autocast as they are, since the layers that follow round to its precision in any case."""
        is_mixed = torch.is_autocast_enabled(tokens.device.type)
        return self.token_norm(tokens if is_mixed else tokens.to(self.token_norm.weight.dtype))

    def _image_tokens(self, tokens: Tensor, views: ViewMap) -> tuple[Tensor, Tensor]:
        """Merges n x n, adds what tells views and cells apart, and pads images to the same number of views."""
        order = torch.nonzero(views.view_slot >= 0).flatten()
        slot, image = views.view_slot[order], views.view_image[order]
        # Indexed before the norm: after it, the gradient of these views would be written into zeros for all of them.
        overall, cells = self._normed(tokens[order]).split([1, tokens.shape[1] - 1], dim=1)
        merged = self.merge_in(_blocks(self.cell_in(cells), self.config.merge_before))
        x = torch.cat([self.global_in(overall), merged], dim=1)
        x = x + self.positions + self.view_embedding[slot][:, None]
        num_slots = int(slot.max()) + 1
        padded = x.new_zeros(views.num_images, num_slots, *x.shape[1:])
        padded = padded.index_put((image, slot), x)
        present = torch.zeros(views.num_images, num_slots, dtype=torch.bool, device=x.device)
        present[image, slot] = True
        return padded.flatten(1, 2), present.repeat_interleave(x.shape[1], dim=1)

    def _pad_marks(self, marks: Tensor, views: ViewMap) -> tuple[Tensor, Tensor]:
        """(R, P, D) -> (B, 1 + R_max P, D) and who is present; the learned no-mark token keeps every row non-empty."""
        rank = _rank_within(views.mark_image)
        num_ranks = int(rank.max()) + 1 if len(rank) else 0
        padded = marks.new_zeros(views.num_images, num_ranks, *marks.shape[1:])
        padded = padded.index_put((views.mark_image, rank), marks)
        present = torch.zeros(views.num_images, num_ranks, dtype=torch.bool, device=marks.device)
        present[views.mark_image, rank] = True
        nobody = self.no_mark.to(marks.dtype).expand(views.num_images, 1, -1)
        everyone = present.new_ones(views.num_images, 1)
        per_token = present.repeat_interleave(marks.shape[1], dim=1)
        return torch.cat([nobody, padded.flatten(1, 2)], dim=1), torch.cat([everyone, per_token], dim=1)

    def _regions(
        self, e_ff: Tensor, v_sa: Tensor, present: Tensor, tokens: Tensor, marks: MarkFeatures, views: ViewMap
    ) -> Tensor:
        """Mark queries: each mark looks at its own view from near by, guided by its canvas, and at its whole image."""
        near = self.near_in(self._normed(tokens[views.mark_view])) + self.near_positions  # (R, 257, D)
        far = v_sa[views.mark_image]  # (R, V n, D)
        cells = self.mark_bias(marks.grid[:, 1]) + self.occupancy_gain * marks.occupancy[:, 1, :, None]
        near_bias = torch.cat([torch.zeros_like(cells[:, :1]), cells], dim=1)  # (R, 257, heads); the global token first
        far_bias = hiding_bias(present[views.mark_image]).expand(-1, self.config.num_heads, -1, -1)
        bias = torch.cat([near_bias.mT[:, :, None].float(), far_bias], dim=-1)
        context = torch.cat([near.to(far.dtype), far], dim=1)
        regions = e_ff + self.marks_from_image(self.cross_prompt_norm(e_ff), self.cross_image_norm(context), bias=bias)
        return regions + self.region_feed_forward(self.region_norm(regions))

    def _joint(self, v_ca: Tensor, present: Tensor, regions: Tensor, views: ViewMap) -> tuple[Tensor, Tensor]:
        """Eq. 7 read as self-attention over the concatenation of image and marks."""
        padded, marks_present = self._pad_marks(regions, views)
        both = torch.cat([v_ca, padded.to(v_ca.dtype)], dim=1)
        bias = hiding_bias(torch.cat([present, marks_present], dim=1))
        both = both + self.joint_attention(self.joint_norm(both), bias=bias)
        image, marks = both.split([v_ca.shape[1], padded.shape[1]], dim=1)
        num_prompts = regions.shape[1]
        by_rank = marks[:, 1:].unflatten(1, ((padded.shape[1] - 1) // num_prompts, num_prompts))
        return image, by_rank[views.mark_image, _rank_within(views.mark_image)]

    def _aligned_grid(self, marks: MarkFeatures, views: ViewMap, length: int) -> Tensor:
        """Eq. 7 as printed: the SAE's grid, through Eq. 5, laid over the view tokens that it covers."""
        grid = self.prompt_in(marks.grid[:, 0])
        grid = grid + self.prompt_feed_forward(self.prompt_norm(grid))  # (R, 256, D)
        summed = grid.new_zeros(views.num_images, *grid.shape[1:]).index_add(0, views.mark_image, grid)
        square = summed.mT.unflatten(2, (VIEW_SIDE_TOKENS, VIEW_SIDE_TOKENS))
        num_views = length // (self.side**2 + 1)
        across = round((num_views - 1) ** 0.5)  # sub-images a side
        whole = interpolate(square, size=(self.side, self.side), mode="area")
        parts = [whole.flatten(2).mT]
        if across:
            fine = interpolate(square, size=(self.side * across,) * 2, mode="bilinear", align_corners=False)
            for row in fine.split(self.side, dim=2):
                parts += [cell.flatten(2).mT for cell in row.split(self.side, dim=3)]
        return torch.cat([nn.functional.pad(part, (0, 0, 1, 0)) for part in parts], dim=1)  # no mark on global tokens

    def _image_words(self, image: Tensor, present: Tensor) -> Tensor:
        """Merges what the LLM's budget asks for, projects, and drops the padding."""
        n = self.side**2 + 1
        is_view = present.unflatten(1, (-1, n))[:, :, 0]
        by_view = image.unflatten(1, (-1, n))[is_view]  # (S', n, D), images in order, views by slot
        grid = by_view[:, 1:]
        if self.merge_out is not None:
            grid = self.merge_out(_blocks(grid, self.config.merge_after))
        words = self.image_projection(torch.cat([by_view[:, :1], grid], dim=1))
        if self.config.sub_image_pool == 1:
            return words.flatten(0, 1)
        is_whole = is_view.new_zeros(is_view.shape)
        is_whole[:, 0] = True
        return _pooled_sub_images(words, is_whole[is_view], self.config.sub_image_pool)


def _pooled_sub_images(words: Tensor, is_whole: Tensor, n: int) -> Tensor:
    """(S', 1 + cells, D) words of views -> the whole views' as they are, n x n means of the sub-images', in order."""
    pooled = _blocks(words[:, 1:], n).unflatten(2, (n * n, -1)).mean(dim=2)
    short = torch.cat([words[:, :1], pooled], dim=1)
    padded = nn.functional.pad(short, (0, 0, 0, words.shape[1] - short.shape[1]))
    chosen = torch.where(is_whole[:, None, None], words, padded)
    places = torch.arange(words.shape[1], device=words.device)
    return chosen[is_whole[:, None] | (places < short.shape[1])]


class Projection(nn.Module):
    """Vision-to-language alignment (Eq. 8): an MLP whose tokens are as large as the words they stand among."""

    def __init__(self, width: int, language_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rise = nn.Linear(width, language_width)
        self.fall = nn.Linear(language_width, language_width)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D_llm), scaled to the size of word embeddings."""
        y = self.fall(nn.functional.gelu(self.rise(self.norm(x))))
        return self.gain * nn.functional.layer_norm(y.float(), y.shape[-1:])


def _blocks(grid: Tensor, n: int) -> Tensor:
    """(S, side^2, D) -> (S, (side/n)^2, n n D): each n x n block of cells becomes one longer token."""
    side = round(grid.shape[1] ** 0.5)
    x = grid.unflatten(1, (side // n, n, side // n, n))  # (S, a, n, b, n, D)
    return x.permute(0, 1, 3, 2, 4, 5).flatten(3).flatten(1, 2)


def _rank_within(group: Tensor) -> Tensor:
    """For each element, how many before it belong to the same group: (R,) -> (R,)."""
    same = group[:, None] == group[None, :]
    return same.tril(diagonal=-1).sum(dim=1)
