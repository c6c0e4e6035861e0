"""The ablations of nano, on short equal budgets: the paper's Tables IV and V, and what the paper leaves open.

    earthgptx ablate recipes/ablations.py --set data=../shared/data --set 'features_from=["cache/features-nano"]'

Every row is trained from the same start as recipes/nano.py: pretrained towers and language model, everything between
them random. docs/ablations.md says what so short a training can show and what it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from earthgptx.evaluation.ablation.study import Contrast, Questions, Row, Stage, Study, Table
from earthgptx.training.recipe import TrainingRecipe

SENSORS: dict[str, tuple[str, ...]] = {
    "optical": ("vhr10",),
    "sar": ("ssdd", "sar_acd", "mstar"),
    "infrared": ("hituav",),
}


def shares(*sensors: str) -> dict[str, float]:
    """Sensors in equal shares, a sensor's sets in equal shares of it; sets of no sensor named are never drawn."""
    return {name: 1 / len(names) if sensor in sensors else 0.0 for sensor, names in SENSORS.items() for name in names}


def only(*sensors: str, part: float = 1.0) -> Stage:
    """Training on some sensors alone, for a part of the budget.

    The sets stay in the recipe, so that all rows have the same table of classes.
    """
    return Stage({"dataset_weights": shares(*sensors), "warm_dataset_weights": shares(*sensors)}, part)


def changed(**boxes: Mapping[str, Any]) -> Stage:
    """Changes of the configuration: changed(vision={"zoom": False})."""
    return Stage({"overrides": {f"{box}.{name}": v for box, fields in boxes.items() for name, v in fields.items()}})


BASE = TrainingRecipe(
    name="ablations",
    size="nano",
    data="../shared/data",
    datasets={"vhr10": None, "ssdd": 400, "hituav": 400, "sar_acd": None, "mstar": None},
    task_weights={"roc": 0.8, "segment_region": 0.2},
    warm_task_weights={"roc": 0.85, "segment_region": 0.15},
    dataset_weights=shares(*SENSORS),
    warm_steps=80,
    warm_batch_size=12,
    steps=42,
    batch_size=6,
    learning_rate=8e-4,
    language_learning_rate=4e-4,
    mark_seed=0,
    checkpoint_minutes=10.0,
    features="cache/features-ablations",
)

ROWS = (
    Row(name="base", freeform=True, masks=True),
    Row(name="cnn-only", stages=(changed(vision={"use_vit": False}),), masks=True),
    Row(name="vit-only", stages=(changed(vision={"use_cnn": False}),), masks=True),
    Row(
        name="single-scale",
        stages=(changed(vision={"sub_image_grid": 0, "zoom": False, "cnn_token_levels": (1,)}),),
        masks=True,
    ),
    Row(name="multi-scale", stages=(changed(vision={"sub_image_grid": 0, "zoom": False}),), masks=True),
    Row(name="sub-images", stages=(changed(vision={"zoom": False}),), masks=True),
    Row(name="fusion-literal", stages=(changed(fusion={"kind": "literal"}),)),
    Row(name="fusion-none", stages=(changed(fusion={"kind": "none"}),)),
    Row(name="coordinates", stages=(changed(spatial={"kind": "coordinates"}),), freeform=True),
    Row(name="exact-boxes", stages=(Stage({"marks": "box"}),), freeform=True, masks=True),
    Row(name="optical-alone", stages=(only("optical"),)),
    Row(name="sar-alone", stages=(only("sar"),)),
    Row(name="infrared-alone", stages=(only("infrared"),)),
    Row(name="optical-third", stages=(only("optical", part=1 / 3),)),
    Row(name="sar-third", stages=(only("sar", part=1 / 3),)),
    Row(name="infrared-third", stages=(only("infrared", part=1 / 3),)),
    Row(name="staged", stages=(only("optical", part=1 / 3), only("sar", "infrared", part=2 / 3))),
)

TABLES = (
    Table(
        title="Visual encoders (the paper's Table IV)",
        rows=(("cnn-only", "EfficientNet-Lite2"), ("vit-only", "DINOv2 ViT-S/14"), ("base", "both")),
        published="IV",
        counterparts={
            "cnn-only": "CLIP-ConvNeXt-L",
            "vit-only": "DINOv2 ViT-L/14",
            "base": "CLIP-ConvNeXt-L and DINOv2 ViT-L/14",
        },
        note="The paper's numbers are of other towers, other data (not stated which) and a whole training: only the "
        "order can be compared. It also has CLIP RN50x16 alone (95.28 and 94.17) and with DINOv2 (97.68 and 96.67), "
        "which have no counterpart here.",
    ),
    Table(
        title="Views of the image (the paper's Table V)",
        rows=(
            ("single-scale", "the whole view, one map of the CNN"),
            ("multi-scale", "the whole view, two maps of the CNN"),
            ("sub-images", "and 2 x 2 sub-images"),
            ("base", "and zoom views (ours)"),
        ),
        published="V",
        counterparts={
            "single-scale": "Single-scale",
            "multi-scale": "Multi-scale",
            "sub-images": "Multi-scale + Sub-images",
        },
        note="Zoom views are not in the paper. Its numbers are of other data (not stated which) and a whole training: "
        "only the order can be compared.",
    ),
    Table(
        title="Fusion of image and marks",
        rows=(
            ("base", "mutual: each attends to the other"),
            ("fusion-literal", "literal: Eq. 7 as printed"),
            ("fusion-none", "none: they meet in the language model"),
        ),
        note="Only `mutual` lets region tokens see the image, and only they are trained by the steps on marks alone: "
        "the other two have to learn in the joint steps what they were not shown before.",
    ),
    Table(
        title="Spatial encoder",
        rows=(("base", "canvases"), ("coordinates", "coordinates alone (SPHINX-V's way)")),
        note="The mask decoder's own mark prompt is a canvas in both rows; masks are therefore not compared.",
    ),
    Table(
        title="Free-form marks in training",
        rows=(("base", "boxes, points and jittered free forms"), ("exact-boxes", "exact boxes alone")),
    ),
    Table(
        title="One stage, single sensors, stages",
        by_sensor=True,
        contrasts=tuple(
            Contrast(words=f"{words}: {what}", first="base", second=f"{sensor}-{row}", sensor=sensor)
            for sensor, words in (("optical", "optical"), ("sar", "SAR"), ("infrared", "infrared"))
            for row, what in (
                ("third", "mixed less alone, as many samples of its own (the gain from other sensors)"),
                ("alone", "mixed less alone, as many steps"),
            )
        ),
        rows=(
            ("base", "one stage, all mixed"),
            ("optical-alone", "optical alone, as many steps"),
            ("sar-alone", "SAR alone, as many steps"),
            ("infrared-alone", "infrared alone, as many steps"),
            ("optical-third", "optical alone, as many optical samples as in the mixture"),
            ("sar-third", "SAR alone, as many SAR samples as in the mixture"),
            ("infrared-third", "infrared alone, as many infrared samples as in the mixture"),
            ("staged", "optical for a third, then SAR and infrared"),
        ),
        note="Whether SAR and infrared gain from optical: the mixed row beside the rows with as many of their own "
        "samples. Beside the rows with as many steps it is asked to do with a third of their samples what they do with "
        "all.",
    ),
)


def study() -> Study:
    """The rows, and about 100 regions a sensor to ask each of them about."""
    return Study(
        name="ablations",
        base=BASE,
        rows=ROWS,
        tables=TABLES,
        questions=Questions(
            regions={"vhr10": 96, "hituav": 96, "ssdd": 24, "sar_acd": 36, "mstar": 36},
            nearest_regions={"vhr10": 400, "hituav": 400, "ssdd": 120, "sar_acd": 102, "mstar": 100},
            mask_regions={"vhr10": 60, "ssdd": 40},
        ),
    )
