"""The demo: real answers and masks on an optical, a radar and an infrared scene, and on two more.

Run it as `make demo`, or `python recipes/demo.py [OUTPUT_FOLDER]`. Sample scenes come in; for each of them an
annotated picture, a GeoJSON and the answers as JSON go to the output folder, and one page shows them all.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from demo_page import RegionRow, SceneEntry, build_page
from PIL import Image

from earthgptx.data import phrasing
from earthgptx.data.datasets import hituav
from earthgptx.data.datasets.class_names import plural
from earthgptx.data.drawing import colour_of
from earthgptx.data.imagery import Scene
from earthgptx.data.sample import LabelledImage
from earthgptx.data.sample_scenes import (
    SAMPLE_SCENES,
    SampleMark,
    SampleScene,
    fetch_sample_scenes,
    rendered_scene,
)
from earthgptx.data.wording import listed
from earthgptx.errors import EarthGPTXError
from earthgptx.inference.answer import Answer
from earthgptx.inference.drawing import picture_scale
from earthgptx.shapes import Box, Ellipse, Mark, Point, Scribble

if TYPE_CHECKING:
    from earthgptx.inference.session import Session

MODEL = "nano"
OUTPUT = Path("outputs/demo")
# Of the validation split: takes the rendered picture's place where the labelled sets are at hand.
REAL_INFRARED = "1_110_80_0_05896.jpg"


class Looker(Protocol):
    """What the demo needs of an Assistant."""

    def look(self, scene: Scene) -> Session:
        """Encode a scene, ready for questions."""


@dataclass(frozen=True, eq=False)
class AskedScene:
    """A sample scene, and what was answered about it."""

    sample: SampleScene
    scene: Scene
    regions: Answer  # the labels of the classification with the masks of the segmentation
    dialogue: tuple[tuple[str, str], ...]  # every question and answer, in words
    seconds: float


def ask_all(assistant: Looker, sample: SampleScene, folder: Path) -> AskedScene:
    """Ask what the marked regions are, their masks, a caption and a count, each in its own dialogue."""
    scene = Scene.open(folder / sample.file, sensor=sample.sensor)
    started = time.perf_counter()
    session = assistant.look(scene)
    marks = [item.mark for item in sample.marks]
    named = listed([f"<Region {number}>" for number in range(1, len(marks) + 1)])
    labels = session.ask(phrasing.usual("roc"), marks)
    session.reset()
    masks = session.ask(phrasing.usual("segment_region").format(regions=named), marks)
    session.reset()
    caption = session.ask(phrasing.usual("image_caption"))
    session.reset()
    count = session.ask(phrasing.usual("count").format(labels=plural(sample.subject)))
    seconds = time.perf_counter() - started
    answers = (labels, masks, caption, count)
    return AskedScene(
        sample=sample,
        scene=scene,
        regions=_joined(labels, masks),
        dialogue=tuple((answer.question, answer.text) for answer in answers),
        seconds=seconds,
    )


def write_files(asked: AskedScene, output: Path) -> tuple[str, ...]:
    """Write the scene's picture, GeoJSON and answers; return their names."""
    name = asked.sample.name
    asked.regions.draw().save(output / f"{name}.png")
    (output / f"{name}.geojson").write_text(json.dumps(asked.regions.to_geojson(), indent=1), encoding="utf-8")
    record = {"dialogue": asked.dialogue, "seconds": round(asked.seconds, 3), **asked.regions.to_json()}
    (output / f"{name}.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return (f"{name}.png", f"{name}.geojson", f"{name}.json")


def entry_of(asked: AskedScene, files: tuple[str, ...]) -> SceneEntry:
    """The scene's card on the page."""
    sample, scene = asked.sample, asked.scene
    rows = tuple(
        RegionRow(
            number=region.number,
            kind=_shape_word(region.mark),
            colour=colour_of(region.number - 1),
            label=region.label,
            confidence=region.confidence,
            mask_pixels=None if region.mask is None else int(region.mask.sum()),
            truth=item.truth,
        )
        for region, item in zip(asked.regions.regions, sample.marks, strict=True)
    )
    scale = picture_scale(scene.width, scene.height)
    size = (round(scene.width * scale), round(scene.height * scale))
    return SceneEntry(
        name=sample.name,
        title=sample.title,
        sensor=sample.sensor,
        ground=sample.ground,
        attribution=sample.attribution,
        is_rendered="rendered" in sample.title,
        bare=Image.fromarray(scene.pixels).resize(size, Image.Resampling.BICUBIC),
        drawn=asked.regions.draw(),
        rows=rows,
        dialogue=asked.dialogue[2:],
        seconds=asked.seconds,
        notes=scene.notes,
        files=files,
    )


def infrared_scene(folder: Path, data: Path) -> tuple[SampleScene, Path]:
    """A real thermal image where the labelled sets are at hand, else the rendered one; and its folder."""
    if (data / "hituav" / "val" / REAL_INFRARED).is_file():
        images = hituav.read(data, "val")
        for image in images:
            if image.path.name == REAL_INFRARED:
                return _real_infrared(image), image.path.parent
    return rendered_scene(folder), folder


def _real_infrared(image: LabelledImage) -> SampleScene:
    """The labelled thermal image with up to four objects marked: unlike classes first, unlike marks."""
    objects = sorted(image.objects, key=lambda item: item.box.area, reverse=True)
    largest = {item.label: item for item in reversed(objects)}  # the last to be written is the largest
    first_of_each = list(largest.values())[::-1]
    chosen = (first_of_each + [item for item in objects if item not in first_of_each])[:4]
    kinds = (_as_box, _as_circle, _as_point, _as_scribble)
    return SampleScene(
        name="parking_infrared",
        file=image.path.name,
        sensor="infrared",
        title="A parking lot at night, seen by a thermal camera",
        ground="640 x 512 pixels, 8 bit, grey",
        subject="car",
        marks=tuple(SampleMark(kind(item.box), item.label) for kind, item in zip(kinds, chosen, strict=False)),
        attribution="The thermal image is from HIT-UAV (Suo et al., 2023), CC BY 4.0, validation split.",
    )


def _as_box(box: Box) -> Mark:
    return box


def _as_circle(box: Box) -> Mark:
    x, y = box.centre
    radius = max(box.width, box.height) / 2
    return Ellipse(x, y, radius, radius)


def _as_point(box: Box) -> Mark:
    return Point(*box.centre)


def _as_scribble(box: Box) -> Mark:
    """A wavy stroke along the longer side."""
    steps: tuple[tuple[float, float], ...] = ((0.15, 0.5), (0.35, 0.4), (0.6, 0.6), (0.85, 0.5))
    if box.height > box.width:
        steps = tuple((across, along) for along, across in steps)
    return Scribble(tuple((box.x0 + u * box.width, box.y0 + v * box.height) for u, v in steps))


def _joined(labels: Answer, masks: Answer) -> Answer:
    """One answer of two: each region's words from the first, its mask from the second."""
    found = {region.number: region.mask for region in masks.regions}
    regions = tuple(replace(region, mask=found.get(region.number)) for region in labels.regions)
    return replace(labels, regions=regions, masks=masks.masks)


def _shape_word(mark: Mark) -> str:
    """The mark's kind as a person would say it."""
    is_circle = isinstance(mark, Ellipse) and mark.radius_x == mark.radius_y
    return "circle" if is_circle else mark.kind


def main(output: Path) -> None:
    """Fetch the scenes, ask, write everything and say where it is."""
    import earthgptx

    started = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    print("fetching the sample scenes ...", flush=True)
    folder = fetch_sample_scenes()
    data = Path(os.environ.get("EARTHGPTX_DATA", "../shared/data"))
    samples = [(sample, folder) for sample in SAMPLE_SCENES]
    samples.insert(2, infrared_scene(folder, data))
    print(f"loading {MODEL} ...", flush=True)
    assistant = earthgptx.load(MODEL)
    entries = []
    for sample, place in samples:
        asked = ask_all(assistant, sample, place)
        entries.append(entry_of(asked, write_files(asked, output)))
        said = "; ".join(f"{region.number} {region.label or '(none)'}" for region in asked.regions.regions)
        print(f"{sample.name}: {said}  [{asked.seconds:.1f} s]", flush=True)
    total = time.perf_counter() - started
    cores = f"{os.cpu_count()} processor cores ({platform.machine()}), no GPU needed"
    facts = f"{cores}: {total:.0f} s for everything, loading included."
    page = output / "index.html"
    page.write_text(build_page(entries, model=MODEL, facts=facts), encoding="utf-8")
    print(f"open {page}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    try:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT)
    except EarthGPTXError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
