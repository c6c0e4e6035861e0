"""The conductor: five boxes in the paper's order, and the places in the token sequence where they meet.

A `Batch` comes in, an `Output` goes out. It holds no layer of its own; what a box does, its file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from earthgptx.errors import MisplacedTokens
from earthgptx.model.attention import let_llama_learn_on_a_cpu
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.features import FusedTokens, MarkFeatures, ViewMap, VisionFeatures
from earthgptx.model.fusion import Fusion
from earthgptx.model.language import Language
from earthgptx.model.layers import Attention
from earthgptx.model.pixels import Pixels
from earthgptx.model.spatial import CoordinateEncoder, SpatialEncoder, spatial_encoder
from earthgptx.model.vision import Vision, concatenated_tokens
from earthgptx.processing.batch import IGNORED, Batch


@dataclass(frozen=True)
class Output:
    """What one forward pass says.

    Attributes:
        answer_logits: (A, vocabulary) fp32, for the A tokens that the model is to write.
        answer_ids: (A,) those tokens.
        regions: (R, P, D_llm) region tokens as the LLM reads them.
        masks: M logit maps in `<pix>` order, each (side, side) of its own frame.
    """

    answer_logits: Tensor
    answer_ids: Tensor
    regions: Tensor
    masks: tuple[Tensor, ...]


class EarthGPTX(PreTrainedModel):
    """EarthGPT-X. Build it by `EarthGPTX(configuration)`, load it by `from_pretrained`."""

    config: EarthGPTXConfig
    config_class = EarthGPTXConfig
    base_model_prefix = "earthgptx"
    main_input_name = "token_ids"
    _supports_sdpa = True
    # A box stays on one device; of the language model, a layer. Typed by the base class.
    _no_split_modules = [  # noqa: RUF012
        "Vision",
        "SpatialEncoder",
        "CoordinateEncoder",
        "Fusion",
        "Pixels",
        "LlamaDecoderLayer",
    ]
    # Where a checkpoint is in bf16 for the sake of its large frozen parts, what is trained stays as it was stored.
    _keep_in_fp32_modules_strict = ["spatial", "fusion", "pixels", "language.new_words"]  # noqa: RUF012

    def __init__(self, config: EarthGPTXConfig) -> None:
        super().__init__(config)
        self.vision = Vision(config.vision)
        self.spatial = spatial_encoder(config.spatial)
        self.fusion = fusion_of(config)
        self.language = Language(
            config.language, num_new_tokens=config.num_new_tokens, exact_rotation=config.exact_rotation
        )
        self.pixels = Pixels(config.pixels, vision=config.vision, language_width=int(config.language["hidden_size"]))
        self.post_init()
        # transformers gathers tied weights from direct children alone, and the Llama lies one deeper.
        tied = self.language.llama.all_tied_weights_keys
        self.all_tied_weights_keys.update({f"language.llama.{k}": f"language.llama.{v}" for k, v in tied.items()})

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, (Vision, SpatialEncoder, CoordinateEncoder, Fusion, Language, Pixels)):
            module.init_weights()

    def forward(
        self,
        batch: Batch,
        features: VisionFeatures | None = None,
        scene_frames: Mapping[int, Tensor] | None = None,
    ) -> Output:
        """One pass over B dialogues.

        Args:
            batch: what was asked, and what is to be answered.
            features: stand in for the batch's views where they were cached.
            scene_frames: stand in for the batch's large images where they were cached, as for `draw`.
        """
        features = self.vision(batch.views) if features is None else features
        views = view_map(batch)
        marks = self.spatial(batch.canvases)
        fused = self.fusion(concatenated_tokens(features, self.config.vision), marks, views)
        hidden = self.language(self.splice(batch.token_ids, fused), batch.present)
        masks = self.draw(
            hidden[batch.token_ids == self.config.pix_token_id], batch, features, scene_frames=scene_frames
        )
        return self._output(batch, hidden, fused, masks)

    def splice(self, token_ids: Tensor, fused: FusedTokens) -> Tensor:
        """Puts image tokens at `<image>` and region tokens at `<region>`, in order of appearance.

        Raises:
            MisplacedTokens: the text has more or fewer places than there are tokens.
        """
        embeddings = self.language.embed(token_ids)
        for name, token_id, tokens in (
            ("<image>", self.config.image_token_id, fused.image),
            ("<region>", self.config.region_token_id, fused.regions.flatten(0, 1)),
        ):
            places = token_ids == token_id
            if int(places.sum()) != len(tokens):
                raise MisplacedTokens(
                    f"The text has {int(places.sum())} {name} places but there are {len(tokens)} tokens."
                )
            embeddings = embeddings.masked_scatter(places[..., None], tokens.to(embeddings.dtype))
        return embeddings

    def draw(
        self,
        pix_states: Tensor,
        batch: Batch,
        features: VisionFeatures,
        *,
        scene_frames: Mapping[int, Tensor] | None = None,
    ) -> tuple[Tensor, ...]:
        """Masks for M `<pix>` states: those bound to a mark in its own view, the others in the scene's frame.

        Args:
            pix_states: (M, D_llm).
            batch: who owns what.
            features: of the batch's views.
            scene_frames: `scene_frame` of some images of the batch, where they were kept.

        Raises:
            MisplacedTokens: more or fewer states than masks wanted.
        """
        if len(pix_states) != len(batch.pix_mark):
            raise MisplacedTokens(f"The text has {len(pix_states)} <pix> but {len(batch.pix_mark)} masks are wanted.")
        masks: list[Tensor | None] = [None] * len(pix_states)
        near = self.config.pixels.encoder == "towers" and self.config.pixels.mark_prompt
        bound = torch.nonzero(batch.pix_mark >= 0).flatten() if near else batch.pix_mark[:0]
        if len(bound):
            marks = batch.pix_mark[bound]
            frames = self.pixels.frame_of_views(features.take(batch.mark_view[marks]))
            drawn = self.pixels(frames, pix_states[bound], batch.canvases[marks, 1])
            for place, mask in zip(bound.tolist(), drawn, strict=True):
                masks[place] = mask
        free = [place for place, mask in enumerate(masks) if mask is None]
        for image in dict.fromkeys(batch.pix_image[free].tolist()):
            places = [place for place in free if int(batch.pix_image[place]) == image]
            kept = (scene_frames or {}).get(image)
            frame = self.scene_frame(batch, features, image) if kept is None else kept
            drawn = self.pixels(frame, pix_states[places], None)
            for place, mask in zip(places, drawn, strict=True):
                masks[place] = mask
        return tuple(mask for mask in masks if mask is not None)

    def scene_frame(self, batch: Batch, features: VisionFeatures, image: int) -> Tensor:
        """G(I) of one whole scene: (1, 256, h, w)."""
        if self.config.pixels.encoder == "sam":
            return self.pixels.frame_of_large_images(batch.large_images[image : image + 1])
        mine = torch.nonzero((batch.view_image == image) & (batch.view_slot >= 0)).flatten()
        return self.pixels.frame_of_scene(features.take(mine[batch.view_slot[mine].argsort()]))

    def _output(self, batch: Batch, hidden: Tensor, fused: FusedTokens, masks: tuple[Tensor, ...]) -> Output:
        wanted = batch.labels[:, 1:] != IGNORED  # the state at t writes the token at t + 1
        return Output(
            answer_logits=self.language.logits(hidden[:, :-1][wanted]),
            answer_ids=batch.labels[:, 1:][wanted],
            regions=fused.regions,
            masks=masks,
        )

    def encode(self, batch: Batch, features: VisionFeatures) -> tuple[FusedTokens, MarkFeatures]:
        """Eqs. 1-8 alone, without the language model: what warm-up training needs."""
        marks = self.spatial(batch.canvases)
        return self.fusion(concatenated_tokens(features, self.config.vision), marks, view_map(batch)), marks


def fusion_of(config: EarthGPTXConfig) -> Fusion:
    """The fusion box as it stands between the other boxes of a configuration."""
    return Fusion(
        config.fusion,
        token_width=config.vision.token_width,
        spatial=config.spatial,
        num_view_slots=config.vision.sub_image_grid**2 + 1,
        language_width=int(config.language["hidden_size"]),
    )


def view_map(batch: Batch) -> ViewMap:
    """The batch's ownership indices, as the fusion box wants them."""
    return ViewMap(
        view_image=batch.view_image,
        view_slot=batch.view_slot,
        mark_image=batch.mark_image,
        mark_view=batch.mark_view,
        num_images=len(batch),
    )


def learn_on_a_cpu(model: EarthGPTX) -> None:
    """Lets everything that attends, but the frozen towers, make its gradients as a CPU does faster; in place."""
    let_llama_learn_on_a_cpu(model.language.llama)
    for part in model.modules():
        if isinstance(part, Attention):
            part.learns_on_a_cpu = True


def trainable_parameters(model: EarthGPTX, policy: str) -> dict[str, nn.Parameter]:
    """Freezes everything and unfreezes what a policy trains; the one place where that is decided.

    Args:
        model: the model, changed in place.
        policy: "paper" (the LLM's self-attention and the cross-attention, as the paper writes) or "scratch" (those and
            everything that starts random: spatial encoder, fusion, projections, pixel neck and decoder, new words).

    Returns:
        The trained parameters by name.
    """
    if policy not in ("paper", "scratch"):
        raise ValueError(f"The training policy must be 'paper' or 'scratch', not {policy!r}.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_is_trained(name, policy))
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def stored_parameters(model: EarthGPTX) -> dict[str, nn.Parameter]:
    """What a checkpoint of ours holds: all that "scratch" trains, and the frequencies of the pixel positions."""
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if _is_trained(name, "scratch") or name.startswith("pixels.positions.")
    }


def _is_trained(name: str, policy: str) -> bool:
    if name.startswith("language.llama."):
        return ".self_attn." in name
    if policy == "paper":
        return name.startswith(("fusion.image_from_marks.", "fusion.marks_from_image."))
    frozen: tuple[str, ...] = ("vision.", "pixels.sam_encoder.", "pixels.positions.")
    return not name.startswith(frozen)


def parameter_counts(model: EarthGPTX) -> dict[str, int]:
    """Parameters a box, counted on any device, the meta device too."""
    boxes: dict[str, Any] = dict(model.named_children())
    return {name: sum(p.numel() for p in box.parameters()) for name, box in boxes.items()}
