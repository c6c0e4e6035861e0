"""SAM's mask decoder, with the products of its attention in another order.

An image has 4,096 cells and a mask six tokens. SAM projects every cell to keys, values and queries for each mask; the
same sums come out if the tokens are taken to where the cells are: for a token's query q and a cell c, q (W c) is
(q W) c. So a cell is read by each mask and never projected, and masks of one frame share its cells until the first
layer has changed them for each. The weights are those of `transformers`' `SamMaskDecoder`, under its names.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear
from transformers.models.sam.modeling_sam import SamAttention, SamMaskDecoder, SamTwoWayAttentionBlock


def draw_masks(decoder: SamMaskDecoder, cells: Tensor, positions: Tensor, prompts: Tensor) -> Tensor:
    """What `SamMaskDecoder` gives of one mask a prompt (`multimask_output=False`); no quality is estimated.

    Args:
        decoder: whose weights are used.
        cells: (K, g g, C) a frame a mask, dense prompt added, row by row; or (1, g g, C), one frame for all masks.
        positions: (g g, C) of the cells.
        prompts: (K, n, C) sparse prompts.

    Returns:
        (K, 4 g, 4 g) logits.
    """
    fixed = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([fixed.expand(len(prompts), -1, -1), prompts.to(fixed.dtype)], dim=1)
    state = tokens
    for layer in decoder.transformer.layers:
        assert isinstance(layer, SamTwoWayAttentionBlock)
        if layer.skip_first_layer_pe:
            state = _among(layer.self_attn, state, state)
        else:
            state = state + _among(layer.self_attn, state + tokens, state)
        state = layer.layer_norm1(state)
        state = state + _tokens_from_cells(layer.cross_attn_token_to_image, state + tokens, cells, positions)
        state = layer.layer_norm2(state)
        state = layer.layer_norm3(state + layer.mlp(state))
        cells = cells + _cells_from_tokens(layer.cross_attn_image_to_token, cells, positions, state + tokens, state)
        cells = layer.layer_norm4(cells)
    final = decoder.transformer.final_attn_token_to_image
    state = state + _tokens_from_cells(final, state + tokens, cells, positions)
    state = decoder.transformer.layer_norm_final_attn(state)
    first_mask_token = state[:, len(decoder.iou_token.weight)]
    return _drawn(decoder, cells, decoder.output_hypernetworks_mlps[0](first_mask_token))


def _among(attention: SamAttention, queries: Tensor, values: Tensor) -> Tensor:
    """Self-attention of tokens: (K, n, C) -> (K, n, C)."""
    attended: Tensor = attention(query=queries[:, None], key=queries[:, None], value=values[:, None])[0]
    return attended[:, 0]


def _tokens_from_cells(attention: SamAttention, queries: Tensor, cells: Tensor, positions: Tensor) -> Tensor:
    """Tokens attend to cells: (K, n, C) -> (K, n, C).

    A key's bias adds the same to all cells of a token, which a softmax does not see.
    """
    heads = attention.num_attention_heads
    q = _heads(attention.q_proj(queries), heads)
    folded = (q @ attention.k_proj.weight.unflatten(0, (heads, -1)) * attention.scaling).flatten(1, 2)  # (K, h n, C)
    shares = _logits(folded, cells, positions).softmax(dim=-1).to(cells.dtype)
    if len(cells) == 1:  # one product for all masks
        seen = (shares.flatten(0, 1) @ cells[0]).view_as(folded)
    else:
        seen = shares @ cells
    values = seen.unflatten(1, (heads, -1)) @ attention.v_proj.weight.unflatten(0, (heads, -1)).mT
    values = values + attention.v_proj.bias.view(heads, 1, -1)
    attended: Tensor = attention.out_proj(values.transpose(1, 2).flatten(2))
    return attended


def _cells_from_tokens(
    attention: SamAttention, cells: Tensor, positions: Tensor, keys: Tensor, values: Tensor
) -> Tensor:
    """Cells attend to tokens (K, n, C) -> (K, g g, C)."""
    heads = attention.num_attention_heads
    k, v = _heads(attention.k_proj(keys), heads), _heads(attention.v_proj(values), heads)
    folded = k @ attention.q_proj.weight.unflatten(0, (heads, -1)) * attention.scaling
    constant = k @ attention.q_proj.bias.view(heads, -1, 1) * attention.scaling  # (K, h, n, 1)
    logits = _logits(folded.flatten(1, 2), cells, positions) + constant.flatten(1, 2).to(cells.dtype)
    shares = logits.unflatten(1, (heads, -1)).softmax(dim=2).to(cells.dtype)
    # Shares of a head sum to 1, so that the bias may come with the values.
    made = v @ attention.out_proj.weight.mT.unflatten(0, (heads, -1)) + attention.out_proj.bias / heads
    return shares.flatten(1, 2).mT @ made.flatten(1, 2).to(cells.dtype)


def _logits(folded: Tensor, cells: Tensor, positions: Tensor) -> Tensor:
    """(K, m, C) with (K or 1, g g, C), which stand at `positions` -> (K, m, g g)."""
    folded = folded.to(cells.dtype)
    if len(cells) == 1:  # one product for all masks
        return (folded.flatten(0, 1) @ (cells[0] + positions).T).unflatten(0, folded.shape[:2])
    return folded @ cells.mT + folded @ positions.T


def _heads(x: Tensor, heads: int) -> Tensor:
    """(K, n, h d) -> (K, h, n, d)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _drawn(decoder: SamMaskDecoder, cells: Tensor, hyper: Tensor) -> Tensor:
    """Each cell becomes 4 x 4 pixels, and each pixel its product with `hyper` (K, C / 8).

    A transposed convolution whose stride is its kernel is a linear layer from a cell to its block of cells.
    """
    side = round(cells.shape[1] ** 0.5)
    first, norm, second = decoder.upscale_conv1, decoder.upscale_layer_norm, decoder.upscale_conv2
    assert first.bias is not None
    assert second.bias is not None
    x = linear(cells, first.weight.permute(2, 3, 1, 0).flatten(0, 2), first.bias.repeat(4))
    x = x.unflatten(-1, (4, -1))  # (K, g g, 2 x 2, C / 4)
    x = gelu(layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps))
    x = linear(x, second.weight.permute(2, 3, 1, 0).flatten(0, 2), second.bias.repeat(4))
    x = gelu(x.unflatten(-1, (4, -1)))  # (K, g g, 2 x 2, 2 x 2, C / 8)
    masks = x.flatten(1, 3) @ hyper[:, :, None].to(x.dtype)
    rows_and_columns = masks.view(-1, side, side, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4, 6)
    return rows_and_columns.flatten(4, 6).flatten(1, 3)
