"""Fabricates seven sources in their publishers' own forms, as many images as asked for, for `build_corpus.py`.

Labels are random and as many an image as in the real sets. Images have the real sizes and nothing on them: every name
of a source is one file, linked, so that a hundred thousand images take no room.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

Sized = tuple[int, int]

VHR10 = ("airplane", "ship", "storage_tank", "baseball_diamond", "tennis_court", "basketball_court")
VHR10 += ("ground_track_field", "harbor", "bridge", "vehicle")
SARDET = ("ship", "aircraft", "car", "tank", "bridge", "harbor")
HITUAV = ("Person", "Car", "Bicycle", "OtherVehicle", "DontCare")
DIOR = ("airplane", "airport", "bridge", "chimney", "dam", "golffield", "harbor", "ship", "vehicle", "windmill")
DOTA = ("plane", "ship", "small-vehicle", "large-vehicle", "harbor", "storage-tank", "swimming-pool")
CAPTIONS = (
    "many houses are near a road .",
    "a port with some ships beside the harbor .",
    "several planes are parked near a terminal .",
    "some green trees are around a lake .",
    "a bridge is over a wide river .",
)


@dataclass(frozen=True)
class Made:
    """One source: how it is written, and how many images give about 200,000 samples together."""

    name: str
    write: Callable[[Path, int, random.Random], None]
    num_images: int


def make_sources(root: Path, share: float) -> None:
    """Writes all sources below `root`, with this share of their images."""
    for source in SOURCES:
        source.write(root, max(1, round(source.num_images * share)), random.Random(source.name))


def write_vhr10(root: Path, count: int, rng: random.Random) -> None:
    """COCO with outlines, six objects an image."""
    _write_outlined(root / "vhr10", count, rng, VHR10, size=(800, 600), mode="RGB", most=12)


def write_ssdd(root: Path, count: int, rng: random.Random) -> None:
    """COCO with outlines, two or three ships an image."""
    _write_outlined(root / "ssdd", count, rng, ("ship",), size=(500, 350), mode="L", most=4)


def write_sardet(root: Path, count: int, rng: random.Random) -> None:
    """COCO with boxes, two objects an image."""
    folder = root / "SARDet_100K"
    names = _link_images(folder / "JPEGImages" / "train", count, (512, 512), "L", ".png")
    content = _coco(names, (512, 512), SARDET, [_boxes(rng, (512, 512), 4) for _ in names], rng, first_category=0)
    _write_json(folder / "Annotations" / "train.json", content)


def write_hituav(root: Path, count: int, rng: random.Random) -> None:
    """HIT-UAV's own JSON, ten objects an image."""
    folder = root / "hituav"
    names = _link_images(folder / "train", count, (640, 512), "L", ".jpg")
    content = _coco(names, (640, 512), HITUAV, [_boxes(rng, (640, 512), 20) for _ in names], rng, first_category=0)
    content["annotation"] = content.pop("annotations")
    for row in content["images"]:
        row["filename"] = row.pop("file_name")
    _write_json(folder / "annotations" / "train.json", content)


def write_dior(root: Path, count: int, rng: random.Random) -> None:
    """A VOC file an image, eight objects each."""
    folder = root / "DIOR"
    names = _link_images(folder / "JPEGImages-trainval", count, (800, 800), "RGB", ".jpg")
    upright = folder / "Annotations" / "Horizontal Bounding Boxes"
    upright.mkdir(parents=True)
    for name in names:
        objects = "".join(
            f"<object><name>{rng.choice(DIOR)}</name><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
            for x, y, w, h in _boxes(rng, (800, 800), 16)
        )
        size = "<size><width>800</width><height>800</height><depth>3</depth></size>"
        text = f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"
        (upright / f"{Path(name).stem}.xml").write_text(text, encoding="utf-8")
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("".join(f"{Path(name).stem}\n" for name in names), encoding="utf-8")


def write_dota(root: Path, count: int, rng: random.Random) -> None:
    """A text file an image of 4,000 pixels a side, 300 oriented boxes each; the builder cuts it into windows."""
    folder = root / "DOTA" / "train"
    names = _link_images(folder / "images", count, (4000, 4000), "L", ".png")
    labels = folder / "labelTxt-v2.0" / "DOTA-v2.0_train"
    labels.mkdir(parents=True)
    for name in names:
        lines = []
        for x, y, w, h in _boxes(rng, (4000, 4000), 600):
            corners = f"{x + w / 2} {y} {x + w} {y + h / 2} {x + w / 2} {y + h} {x} {y + h / 2}"
            lines.append(f"{corners} {rng.choice(DOTA)} {rng.randint(0, 1)}\n")
        (labels / f"{Path(name).stem}.txt").write_text("".join(lines), encoding="utf-8")


def write_rsicd(root: Path, count: int, rng: random.Random) -> None:
    """Five captions an image."""
    folder = root / "rsicd"
    names = _link_images(folder / "images", count, (224, 224), "RGB", ".jpg", prefix="port_")
    rows = [{"file_name": name, "captions": rng.choices(CAPTIONS, k=5)} for name in names]
    _write_json(folder / "captions_train.json", rows)


SOURCES = (
    Made("vhr10", write_vhr10, 1200),
    Made("ssdd", write_ssdd, 1200),
    Made("rsicd", write_rsicd, 5000),
    Made("dior", write_dior, 4500),
    Made("dota_v2", write_dota, 100),
    Made("sardet_100k", write_sardet, 5500),
    Made("hituav", write_hituav, 3000),
)


def _write_outlined(
    folder: Path, count: int, rng: random.Random, classes: Sequence[str], *, size: Sized, mode: str, most: int
) -> None:
    names = _link_images(folder / "images", count, size, mode, ".jpg")
    content = _coco(names, size, classes, [_boxes(rng, size, most) for _ in names], rng, first_category=1)
    for row in content["annotations"]:
        x, y, w, h = row["bbox"]
        angles = [2 * math.pi * number / 24 for number in range(24)]
        ring = ((x + w / 2 * (1 + math.cos(a)), y + h / 2 * (1 + math.sin(a))) for a in angles)
        row["segmentation"] = [[round(value, 1) for point in ring for value in point]]
    _write_json(folder / "instances_train.json", content)


def _coco(
    names: Sequence[str],
    size: Sized,
    classes: Sequence[str],
    boxes: Sequence[Sequence[tuple[int, int, int, int]]],
    rng: random.Random,
    *,
    first_category: int,
) -> dict:
    images, annotations = [], []
    for number, (name, own) in enumerate(zip(names, boxes, strict=True)):
        images.append({"id": number, "file_name": name, "width": size[0], "height": size[1]})
        for box in own:
            category = first_category + rng.randrange(len(classes))
            row = {"id": len(annotations), "image_id": number, "category_id": category, "iscrowd": 0}
            annotations.append({**row, "bbox": list(box), "area": box[2] * box[3], "segmentation": []})
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=first_category)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _boxes(rng: random.Random, size: Sized, most: int) -> list[tuple[int, int, int, int]]:
    boxes = []
    for _ in range(rng.randint(1, most)):
        w, h = rng.randint(8, 90), rng.randint(8, 90)
        boxes.append((rng.randint(0, size[0] - w), rng.randint(0, size[1] - h), w, h))
    return boxes


def _link_images(folder: Path, count: int, size: Sized, mode: str, suffix: str, prefix: str = "") -> list[str]:
    """Names for one grey picture, in the folder under each of them."""
    folder.mkdir(parents=True)
    names = [f"{prefix}{number:06d}{suffix}" for number in range(count)]
    Image.new(mode, size, 90 if mode == "L" else (90, 90, 90)).save(folder / names[0])
    for name in names[1:]:
        os.link(folder / names[0], folder / name)
    return names


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
