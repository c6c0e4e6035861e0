"""nano goes on from its shipped weights: all of HIT-UAV, turned chips, and more captions."""

from __future__ import annotations

from earthgptx.training.recipe import TrainingRecipe


def recipe() -> TrainingRecipe:
    """The second run of nano: no warm-up, fine classes and captions foremost."""
    return TrainingRecipe(
        name="nano-further",
        size="nano",
        data="../shared/data",
        start_from="checkpoints/nano",
        datasets={"vhr10": None, "ssdd": None, "hituav": None, "rsicd": None, "sar_acd": None, "mstar": None},
        # A scene seen from above has no right way up. Chips stay as they are: what a radar sees depends on where it
        # looks from, and with turned copies SAR-ACD's types were told apart less well (docs/log.md).
        orientations={"rsicd": 3},
        task_weights={
            "roc": 0.27,
            "segment_region": 0.05,
            "image_caption": 0.48,
            "region_caption": 0.03,
            "scene": 0.02,
            "relation": 0.02,
            "segment_class": 0.04,
            "grounded_caption": 0.03,
            "count": 0.04,
            "vqa": 0.02,
        },
        dataset_weights={"hituav": 4.0, "vhr10": 1.5, "ssdd": 0.7, "sar_acd": 3.0, "mstar": 2.0, "rsicd": 1.0},
        joint_every=3,
        warm_batch_size=32,
        warm_task_weights={"roc": 0.93, "segment_region": 0.07},
        warm_dataset_weights={"hituav": 5.0, "vhr10": 0.5, "ssdd": 0.2, "sar_acd": 8.0, "mstar": 4.0},
        steps=1450,
        batch_size=16,
        learning_rate=5e-4,
        language_learning_rate=3e-4,
        difference_bits=4,
        compiled=True,
        features="cache/features-nano",
    )
