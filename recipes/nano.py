"""nano, the embedded default: one stage, all sensors mixed, on two CPU cores."""

from __future__ import annotations

from earthgptx.training.recipe import TrainingRecipe


def recipe() -> TrainingRecipe:
    """The run whose weights ship in checkpoints/nano."""
    return TrainingRecipe(
        name="nano",
        size="nano",
        data="../shared/data",
        datasets={"vhr10": None, "ssdd": None, "hituav": 480, "rsicd": None, "sar_acd": None, "mstar": None},
        task_weights={
            "roc": 0.34,
            "segment_region": 0.13,
            "image_caption": 0.29,
            "region_caption": 0.05,
            "scene": 0.02,
            "relation": 0.03,
            "segment_class": 0.05,
            "grounded_caption": 0.03,
            "count": 0.04,
            "vqa": 0.04,
        },
        dataset_weights={"hituav": 4.0, "vhr10": 2.5, "ssdd": 1.0, "sar_acd": 2.0, "mstar": 2.0, "rsicd": 1.0},
        joint_every=3,
        warm_batch_size=24,
        warm_task_weights={"roc": 0.85, "segment_region": 0.15},
        warm_dataset_weights={"hituav": 6.0, "vhr10": 1.5, "ssdd": 0.5, "sar_acd": 4.0, "mstar": 4.0},
        warm_steps=230,
        steps=980,
        batch_size=16,
        learning_rate=6e-4,
        language_learning_rate=2e-4,
        compiled=True,
        features="cache/features-nano",
    )
