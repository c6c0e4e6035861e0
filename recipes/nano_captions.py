"""nano goes on from the weights of recipes/nano_further.py: captions foremost, enough marks that none is forgotten."""

from __future__ import annotations

from earthgptx.training.recipe import TrainingRecipe


def recipe() -> TrainingRecipe:
    """The third run of nano: every step writes words, four of five of them captions."""
    return TrainingRecipe(
        name="nano-captions",
        size="nano",
        data="../shared/data",
        start_from="checkpoints/nano",
        datasets={"vhr10": None, "ssdd": None, "hituav": None, "rsicd": None, "sar_acd": None, "mstar": None},
        orientations={"rsicd": 3},
        task_weights={
            "roc": 0.16,
            "segment_region": 0.04,
            "image_caption": 0.74,
            "grounded_caption": 0.02,
            "count": 0.02,
            "segment_class": 0.02,
        },
        dataset_weights={"hituav": 4.0, "vhr10": 1.5, "ssdd": 0.7, "sar_acd": 3.0, "mstar": 2.0, "rsicd": 1.0},
        joint_every=1,
        steps=700,
        batch_size=16,
        learning_rate=3e-4,
        language_learning_rate=3e-4,
        difference_bits=4,
        compiled=True,
        features="cache/features-nano",
    )
