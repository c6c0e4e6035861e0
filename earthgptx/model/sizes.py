"""The sizes that people ask for by name: functions of explicit numbers that return a configuration.

`paper` is the publication's 13B model, `paper-rn50x16` the same with the other CNN of its Table IV, `7b` the same on
Llama-2-7B, `nano` the embedded default, `tiny` for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from earthgptx.model.configuration import (
    EarthGPTXConfig,
    FusionConfig,
    PixelsConfig,
    SpatialConfig,
    VisionConfig,
)
from earthgptx.model.efficientnet_lite import LITE2_STAGES, LITE2_STEM_WIDTH, TINY_STAGES, TINY_STEM_WIDTH

SAM_DECODER = {"hidden_size": 256, "mlp_dim": 2048, "num_hidden_layers": 2, "num_attention_heads": 8}


def tiny() -> EarthGPTXConfig:
    """Random weights, under 2M parameters; every code path of nano."""
    vision = VisionConfig(
        vit={
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "patch_size": 14,
            "image_size": 224,
            "use_mask_token": False,
        },
        cnn_kind="efficientnet_lite",
        cnn={"stem_width": TINY_STEM_WIDTH, "stages": [tuple(stage) for stage in TINY_STAGES]},
        cnn_channels=(12, 16, 24),
        cnn_token_levels=(1, 2),
    )
    llama = {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": True,
    }
    return _with_new_words(
        vision=vision,
        spatial=SpatialConfig(width=32, num_layers=1, num_heads=2),
        fusion=FusionConfig(width=48, num_heads=4, cell_width=24, merge_before=2, merge_after=2, sub_image_pool=2),
        pixels=PixelsConfig(
            width=32,
            neck_width=32,
            view_grid=16,
            sam_decoder={"hidden_size": 32, "mlp_dim": 64, "num_hidden_layers": 1, "num_attention_heads": 2},
        ),
        language=llama,
        size_name="tiny",
    )


def nano() -> EarthGPTXConfig:
    """SmolLM2-135M, DINOv2 ViT-S/14 and EfficientNet-Lite2: runs on two CPU cores."""
    vision = VisionConfig(
        vit={
            "hidden_size": 384,
            "num_hidden_layers": 12,
            "num_attention_heads": 6,
            "patch_size": 14,
            "image_size": 518,
            "use_mask_token": False,
        },
        cnn_kind="efficientnet_lite",
        cnn={"stem_width": LITE2_STEM_WIDTH, "stages": [tuple(stage) for stage in LITE2_STAGES]},
        cnn_channels=(48, 120, 352),
        cnn_token_levels=(1, 2),
    )
    llama = {
        "vocab_size": 49152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"},
        "tie_word_embeddings": True,
        "initializer_range": 0.041666666666666664,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
    return _with_new_words(
        vision=vision,
        spatial=SpatialConfig(width=128, num_layers=3, num_heads=4),
        fusion=FusionConfig(width=384, num_heads=6, cell_width=96, merge_before=4, sub_image_pool=2),
        pixels=PixelsConfig(sam_decoder=SAM_DECODER | {"mlp_dim": 1024}),
        language=llama,
        size_name="nano",
    )


def seven_billion() -> EarthGPTXConfig:
    """The paper's towers on Llama-2-7B."""
    return _published(hidden_size=4096, intermediate_size=11008, num_layers=32, num_heads=32, size_name="7b")


def paper() -> EarthGPTXConfig:
    """The publication's size: Llama-2-13B, DINOv2 ViT-L/14, CLIP-ConvNeXt-L, SAM ViT-H, 448 px in five views."""
    return _published(hidden_size=5120, intermediate_size=13824, num_layers=40, num_heads=40, size_name="paper")


def paper_rn50x16() -> EarthGPTXConfig:
    """Table IV's other convolutional tower: CLIP RN50x16, up to its last map, in the place of ConvNeXt."""
    config = paper()
    vision = config.vision.to_dict() | {
        "cnn_kind": "clip_resnet",
        "cnn": {"width": 96, "depths": [6, 8, 18, 8]},
        "cnn_channels": (3072,),
    }
    config.vision = VisionConfig(**vision)
    config.size_name = "paper-rn50x16"
    return config


SIZES: dict[str, Callable[[], EarthGPTXConfig]] = {
    "tiny": tiny,
    "nano": nano,
    "7b": seven_billion,
    "paper": paper,
    "paper-rn50x16": paper_rn50x16,
}
PUBLISHED = ("paper", "paper-rn50x16", "7b")  # those that are made of published parts


def _published(
    *, hidden_size: int, intermediate_size: int, num_layers: int, num_heads: int, size_name: str
) -> EarthGPTXConfig:
    vision = VisionConfig(
        vit={
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "patch_size": 14,
            "image_size": 518,
            "use_mask_token": False,
        },
        cnn_kind="convnext",
        cnn={"hidden_sizes": [192, 384, 768, 1536], "depths": [3, 3, 27, 3]},
        cnn_channels=(1536,),
        cnn_token_levels=(0,),
        zoom=False,
    )
    llama = {
        "vocab_size": 32000,
        "hidden_size": hidden_size,
        "intermediate_size": intermediate_size,
        "num_hidden_layers": num_layers,
        "num_attention_heads": num_heads,
        "num_key_value_heads": num_heads,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "pad_token_id": 0,
    }
    sam_vit_h = {
        "hidden_size": 1280,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "global_attn_indexes": [7, 15, 23, 31],
        "mlp_dim": 5120,
    }
    # segment-anything's decoder norms have torch's own epsilon, for which transformers writes the encoder's 1e-6.
    sam_decoder = SAM_DECODER | {"layer_norm_eps": 1e-5}
    return _with_new_words(
        vision=vision,
        spatial=SpatialConfig(width=768, num_layers=12, num_heads=12),
        fusion=FusionConfig(width=1024, num_heads=16, cell_width=1024),
        pixels=PixelsConfig(encoder="sam", sam_vision=sam_vit_h, sam_decoder=sam_decoder, mark_prompt=False),
        language=llama,
        dialogue="llama2",
        size_name=size_name,
        exact_rotation=True,
    )


def _with_new_words(*, language: Mapping[str, object], **boxes: object) -> EarthGPTXConfig:
    """Our five words take the ids right after the base vocabulary, in the order of processing.vocabulary."""
    base = int(str(language["vocab_size"]))
    return EarthGPTXConfig(
        language=dict(language),
        image_token_id=base,
        region_token_id=base + 1,
        pix_token_id=base + 2,
        num_new_tokens=5,
        tie_word_embeddings=False,
        **boxes,  # type: ignore[arg-type]
    )
