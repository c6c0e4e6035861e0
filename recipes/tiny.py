"""tiny: a model of random parts on any folder laid out like the data folder; a few steps, seconds, no download.

It learns nothing worth having. It shows that the whole way works, from labels to an exported model that answers:

    earthgptx train recipes/tiny.py --set data=DIR --set runs=runs --set features=cache/features-tiny
"""

from __future__ import annotations

from earthgptx.data.instructions import TASKS
from earthgptx.training.recipe import TrainingRecipe

SETS = ("vhr10", "ssdd", "hituav", "rsicd", "sar_acd", "mstar")


def recipe() -> TrainingRecipe:
    """Eight images of each set, every task, marks and masks alone first, then everything."""
    return TrainingRecipe(
        name="tiny",
        size="tiny",
        data="../shared/data",
        datasets=dict.fromkeys(SETS, 8),
        task_weights=dict.fromkeys(TASKS, 1.0),
        warm_task_weights={"roc": 1.0, "segment_region": 1.0},
        warm_steps=2,
        joint_every=2,
        steps=6,
        warm_batch_size=4,
        batch_size=4,
        learning_rate=2e-3,
        language_learning_rate=1e-3,
        features="cache/features-tiny",
    )
