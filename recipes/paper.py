"""paper: the publication's size and hyper-parameters, on 8 cards of 80 GB.

    earthgptx weights assemble paper --llama DIR --dinov2 DIR --convnext FILE --sam DIR --out models/paper
    torchrun --nproc-per-node 8 -m earthgptx train recipes/paper.py --set data=DIR

It trains what has no trained ancestor in public (policy "scratch"); from an ancestor, `--set policy=paper` trains the
language model's self-attention and the cross-attention alone, as the paper writes. docs/training.md has more machines.
"""

from __future__ import annotations

from earthgptx.training.recipe import TrainingRecipe

# Section IV of the paper names them. SARDet-100K holds MSAR, AIR-SARShip-2.0, SAR-Aircraft-1.0 and SSDD among its
# parts, cut and labelled anew, so their own releases get small shares. RSVP holds dialogues: `earthgptx data build`
# makes a corpus of it, which this loop does not read.
NATURAL = {"openimages": 0.5, "visual_genome": 1.0}
SAR = {"sardet_100k": 1.0, "msar": 0.3, "ssdd_official": 0.3, "sar_aircraft": 0.2, "air_sarship": 0.1}
INFRARED = {
    "sea_shipping": 0.5,
    "infrared_security": 0.5,
    "aerial_mancar": 0.3,
    "double_light_vehicle": 0.3,
    "hituav": 0.3,
}
OPTICAL = {"dior_rsvg": 1.0, "opt_rsvg": 1.0}  # their train splits; the test splits are the paper's benchmarks


def recipe() -> TrainingRecipe:
    """One stage, all domains mixed; AdamW, 2e-5, weight decay 0.01, cosine with 3 % warm-up."""
    weights = NATURAL | SAR | INFRARED | OPTICAL
    return TrainingRecipe(
        name="paper",
        size="paper",
        parts="models/paper",
        data="data",
        datasets=dict.fromkeys(weights) | {"openimages": 60_000, "visual_genome": 60_000},
        task_weights={
            "roc": 0.46,
            "region_caption": 0.2,
            "relation": 0.05,
            "segment_region": 0.12,
            "segment_class": 0.02,
            "grounded_caption": 0.02,
            "count": 0.06,
            "vqa": 0.07,
        },
        dataset_weights=weights,
        policy="scratch",
        steps=5_000,
        batch_size=128,
        learning_rate=2e-5,
        language_learning_rate=2e-5,
        weight_decay=0.01,
        warm_up_share=0.03,
        clip=1.0,
        alignment_weight=0.3,
        checkpoint_minutes=30.0,
        device="cuda",
        recompute=True,
        features="",  # two terabytes for 200,000 images: the frozen parts look anew in every step
    )
