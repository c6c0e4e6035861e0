"""The composite configuration: one small configuration a box, joined so that `transformers` can save and load it.

Counts and widths only; sizes that people ask for by name live in `sizes.py`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import PreTrainedConfig

CNN_KINDS = ("efficientnet_lite", "convnext", "clip_resnet", "none")
VIEW_SIDE_TOKENS = 16  # every tower is brought to a 16 x 16 grid a view (224 / 14), as in SPHINX


class VisionConfig(PreTrainedConfig):
    """MVE (Eq. 1): a ViT and a CNN looking at the same views.

    Attributes:
        vit: keyword arguments of `Dinov2Config`.
        cnn_kind: "efficientnet_lite", "convnext", or for the paper's Table IV "clip_resnet" or "none".
        cnn: keyword arguments of the CNN.
        cnn_channels: channels of each feature map the CNN returns, finest first.
        cnn_token_levels: which of them are concatenated to the ViT's tokens.
        use_vit, use_cnn: whether the ViT's and the CNN's features are used at all (Table IV). Both towers run all the
            same, so that cached features serve every choice.
        view_size: side of a view in pixels.
        sub_image_grid: sub-images a side.
        zoom: whether small marks get a zoom view.
    """

    model_type = "earthgptx_vision"

    def __init__(
        self,
        vit: dict[str, Any] | None = None,
        cnn_kind: str = "none",
        cnn: dict[str, Any] | None = None,
        cnn_channels: tuple[int, ...] = (),
        cnn_token_levels: tuple[int, ...] = (),
        use_vit: bool = True,
        use_cnn: bool = True,
        view_size: int = 224,
        sub_image_grid: int = 2,
        zoom: bool = True,
        **kwargs: Any,
    ) -> None:
        if cnn_kind not in CNN_KINDS:
            raise ValueError(f"cnn_kind must be one of {', '.join(CNN_KINDS)}, not {cnn_kind!r}.")
        self.vit = vit or {}
        self.cnn_kind = cnn_kind
        self.cnn = cnn or {}
        self.cnn_channels = tuple(cnn_channels)
        self.cnn_token_levels = tuple(cnn_token_levels)
        self.use_vit = use_vit
        self.use_cnn = use_cnn
        self.view_size = view_size
        self.sub_image_grid = sub_image_grid
        self.zoom = zoom
        super().__init__(**kwargs)

    @property
    def vit_width(self) -> int:
        """Channels of a ViT token."""
        return int(self.vit.get("hidden_size", 0))

    @property
    def token_width(self) -> int:
        """C: channels of a concatenated token."""
        cnn = sum(self.cnn_channels[level] for level in self.cnn_token_levels)
        return (cnn if self.use_cnn else 0) + (self.vit_width if self.use_vit else 0)

    @property
    def map_channels(self) -> tuple[int, ...]:
        """Channels of each feature map that is used, the ViT's grid first."""
        return ((self.vit_width,) if self.use_vit else ()) + (self.cnn_channels if self.use_cnn else ())


class SpatialConfig(PreTrainedConfig):
    """SAE (Eq. 2): a small ViT on mark canvases.

    Attributes:
        kind: "canvas", or "coordinates" for the bounds and the kind of a mark alone (SPHINX-V's way, an ablation).
        canvas_size: side of a canvas; `canvas_size / patch_size` must be 16, the grid of a view.
        num_prompt_tokens: P, learned query tokens a mark.
    """

    model_type = "earthgptx_spatial"

    def __init__(
        self,
        canvas_size: int = 112,
        patch_size: int = 7,
        width: int = 128,
        num_layers: int = 3,
        num_heads: int = 4,
        num_prompt_tokens: int = 4,
        kind: str = "canvas",
        **kwargs: Any,
    ) -> None:
        if kind not in ("canvas", "coordinates"):
            raise ValueError(f"spatial kind must be 'canvas' or 'coordinates', not {kind!r}.")
        if canvas_size != patch_size * VIEW_SIDE_TOKENS:
            raise ValueError(
                f"A canvas of {canvas_size} px in patches of {patch_size} px gives {canvas_size / patch_size:g} "
                f"cells a side, but a view has {VIEW_SIDE_TOKENS}."
            )
        self.canvas_size = canvas_size
        self.patch_size = patch_size
        self.width = width
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.num_prompt_tokens = num_prompt_tokens
        self.kind = kind
        super().__init__(**kwargs)


class FusionConfig(PreTrainedConfig):
    """Hybrid signals mutual understanding (Eqs. 4-8).

    Attributes:
        kind: "mutual" (marks and image attend to each other), "literal" (Eq. 7 as printed) or "none" (neither sees
            the other before the language model does, an ablation).
        cell_width: channels of one cell before the merge.
        merge_before: n of the n x n -> 1 token merge before the block.
        merge_after: the same after it: the LLM reads (16 / before / after)^2 + 1 tokens of the whole view.
        sub_image_pool: n x n means over what is left of a sub-image, whose detail the zoom views hold.
    """

    model_type = "earthgptx_fusion"

    def __init__(
        self,
        kind: str = "mutual",
        width: int = 384,
        num_heads: int = 6,
        cell_width: int = 384,
        merge_before: int = 1,
        merge_after: int = 1,
        sub_image_pool: int = 1,
        **kwargs: Any,
    ) -> None:
        if kind not in ("mutual", "literal", "none"):
            raise ValueError(f"fusion kind must be 'mutual', 'literal' or 'none', not {kind!r}.")
        merges = merge_before * merge_after * sub_image_pool
        if VIEW_SIDE_TOKENS % merges:
            raise ValueError(f"Merges of {merges} in all do not divide a view's {VIEW_SIDE_TOKENS} tokens a side.")
        self.kind = kind
        self.width = width
        self.num_heads = num_heads
        self.cell_width = cell_width
        self.merge_before = merge_before
        self.merge_after = merge_after
        self.sub_image_pool = sub_image_pool
        super().__init__(**kwargs)

    @property
    def words_per_view(self) -> int:
        """Tokens of the whole view in the LLM's sequence, its global token included."""
        return (VIEW_SIDE_TOKENS // (self.merge_before * self.merge_after)) ** 2 + 1

    @property
    def words_per_sub_image(self) -> int:
        """Tokens of a sub-image in the LLM's sequence, its global token included."""
        return (VIEW_SIDE_TOKENS // (self.merge_before * self.merge_after * self.sub_image_pool)) ** 2 + 1


class PixelsConfig(PreTrainedConfig):
    """Pixel perception (Eq. 13).

    Attributes:
        encoder: "towers" (nano: a trained neck on the frozen towers) or "sam" (SamVisionEncoder on 1024 px).
        sam_vision: keyword arguments of `SamVisionConfig` where encoder is "sam".
        sam_decoder: keyword arguments of `SamMaskDecoderConfig`.
        view_grid: cells a side of one view's embedding; the 2 x 2 sub-images make the scene's (64 for nano).
        mark_prompt: whether a `<pix>` bound to a mark also gets the mark's canvas as SAM's dense prompt, in the
            frame of the mark's own view.
        image_size: long side of the "sam" encoder's input.
    """

    model_type = "earthgptx_pixels"

    def __init__(
        self,
        encoder: str = "towers",
        sam_vision: dict[str, Any] | None = None,
        sam_decoder: dict[str, Any] | None = None,
        width: int = 256,
        neck_width: int = 192,
        view_grid: int = 32,
        mark_prompt: bool = True,
        image_size: int = 1024,
        **kwargs: Any,
    ) -> None:
        self.encoder = encoder
        self.sam_vision = sam_vision or {}
        self.sam_decoder = sam_decoder or {}
        self.width = width
        self.neck_width = neck_width
        self.view_grid = view_grid
        self.mark_prompt = mark_prompt
        self.image_size = image_size
        super().__init__(**kwargs)


class EarthGPTXConfig(PreTrainedConfig):
    """The whole model: five boxes and the ids of the words that join them.

    Attributes:
        language: keyword arguments of `LlamaConfig`, its vocabulary without our five words.
        dialogue: name of the chat format (processing.dialogue).
        image_token_id, region_token_id, pix_token_id: ids right after the base vocabulary.
        num_new_tokens: rows added to the vocabulary.
        exact_rotation: whether the language model's frequencies of rotation stay in fp32 when it goes to bf16. Nano was
            trained with rounded ones; a published Llama was not.
    """

    model_type = "earthgptx"
    sub_configs: ClassVar[dict[str, type[PreTrainedConfig]]] = {
        "vision": VisionConfig,
        "spatial": SpatialConfig,
        "fusion": FusionConfig,
        "pixels": PixelsConfig,
    }

    def __init__(
        self,
        vision: VisionConfig | dict[str, Any] | None = None,
        spatial: SpatialConfig | dict[str, Any] | None = None,
        fusion: FusionConfig | dict[str, Any] | None = None,
        pixels: PixelsConfig | dict[str, Any] | None = None,
        language: dict[str, Any] | None = None,
        dialogue: str = "chatml",
        image_token_id: int = 0,
        region_token_id: int = 1,
        pix_token_id: int = 2,
        num_new_tokens: int = 5,
        size_name: str = "tiny",
        exact_rotation: bool = False,
        **kwargs: Any,
    ) -> None:
        self.vision = vision if isinstance(vision, VisionConfig) else VisionConfig(**(vision or {}))
        self.spatial = spatial if isinstance(spatial, SpatialConfig) else SpatialConfig(**(spatial or {}))
        self.fusion = fusion if isinstance(fusion, FusionConfig) else FusionConfig(**(fusion or {}))
        self.pixels = pixels if isinstance(pixels, PixelsConfig) else PixelsConfig(**(pixels or {}))
        self.language = language or {}
        self.dialogue = dialogue
        self.image_token_id = image_token_id
        self.region_token_id = region_token_id
        self.pix_token_id = pix_token_id
        self.num_new_tokens = num_new_tokens
        self.size_name = size_name
        self.exact_rotation = exact_rotation
        super().__init__(**kwargs)

    @property
    def base_vocabulary_size(self) -> int:
        """Rows of the base model's own vocabulary; ours follow."""
        return int(self.language["vocab_size"])
