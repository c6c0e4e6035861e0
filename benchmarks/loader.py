"""Items a second that a corpus's loader gives to one process, and how often that is what training takes.

A corpus folder or URL is read as training reads it; without one, a corpus of words (and, with --embed, of bytes as
large as images) is written to a temporary folder first. Each mixture is warmed by a few items and then timed. With
--images, one more mixture also opens every item's image below that folder. A table comes first, then a JSON line.
How many samples a second training takes is measured elsewhere and given.

    python benchmarks/loader.py [CORPUS] [--images DIR] [--seconds 5] [--training-samples-per-second 4]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from earthgptx.data.corpus.manifest import FORMAT, MANIFEST, Manifest, Settings, Shard
from earthgptx.data.corpus.reader import Corpus, open_corpus
from earthgptx.data.corpus.shards import Row, write_shard
from earthgptx.data.mixture import Mixture
from earthgptx.data.mixture_parts import Weights
from earthgptx.data.pixels import pixels_of
from earthgptx.data.sample import LabelledObject, PixelTarget, Region, Sample, Turn
from earthgptx.data.sample_file import render
from earthgptx.shapes import Box, Polygon

TARGET = 10.0  # times what training takes
WARM_UP = 64  # items
SOURCES = (("vhr10", "optical"), ("ssdd", "sar"), ("hituav", "infrared"))
ROWS_A_SHARD = 4096
IMAGE_BYTES = 60_000  # of a made image file: about a JPEG of 640 x 512


@dataclass(frozen=True)
class Timing:
    """One way to read, and its items a second."""

    name: str
    items_per_second: float


def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.corpus or make_corpus(Path(folder), arguments.rows, embed=arguments.embed)
        corpus = open_corpus(url)
        tasks = sorted({count.task for count in corpus.manifest.counts if count.split == arguments.split})
        timings = [
            measure("all sources", corpus, arguments),
            measure("one of 16 processes", corpus, arguments, num_ranks=8, num_workers=2),
            measure("sources drawn evenly", corpus, arguments, temperature=1e6),
        ]
        if tasks:
            weights = Weights(task={tasks[0]: 2.0})
            timings.append(measure("a task drawn twice as often", corpus, arguments, weights=weights))
        if arguments.images:
            timings.append(measure("all sources, images opened", corpus, arguments, image_folder=arguments.images))
    slowest = min(timing.items_per_second for timing in timings)
    show(timings, arguments.training_samples_per_second)
    result = {
        timing.name.replace(",", "").replace(" ", "_") + "_items_per_second": timing.items_per_second
        for timing in timings
    }
    if arguments.training_samples_per_second:
        result["times_training"] = round(slowest / arguments.training_samples_per_second, 1)
        result["training_samples_per_second"] = arguments.training_samples_per_second
    print(json.dumps({**result, "num_rows": corpus.manifest.num_samples, "machine": machine()}))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", help="a built corpus; a made one if not given")
    parser.add_argument("--images", type=Path, help="the folder that the corpus was built of: open images too")
    parser.add_argument("--split", default="train")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rows", type=int, default=12_000, help="of the made corpus")
    parser.add_argument("--embed", action="store_true", help="put images into the made corpus")
    parser.add_argument("--training-samples-per-second", type=float, help="what one process's training takes")
    return parser.parse_args()


def measure(name: str, corpus: Corpus, arguments: argparse.Namespace, **settings: Any) -> Timing:
    """Reads for some seconds, in one process, as a training process would."""
    stream = iter(Mixture(corpus, split=arguments.split, **settings))
    for _ in islice(stream, WARM_UP):
        continue
    started = time.perf_counter()
    count = 0
    while (seconds := time.perf_counter() - started) < arguments.seconds:
        item = next(stream)
        count += 1
        if "image_folder" in settings:
            pixels_of(item.sample)
    return Timing(name, round(count / seconds, 1))


def make_corpus(folder: Path, num_rows: int, *, embed: bool) -> str:
    """Writes rows of a usual size: a few marked objects with outlines, a question and an answer."""
    (folder / "samples").mkdir()
    shards = []
    for place, (source, sensor) in enumerate(SOURCES):
        own = [make_row(source, sensor, number, embed=embed) for number in range(num_rows * (place + 1) // 6)]
        for number, start in enumerate(range(0, len(own), ROWS_A_SHARD)):
            rows = own[start : start + ROWS_A_SHARD]
            path = f"samples/{source}-train-{number:05}.parquet"
            shards.append(Shard(path, source, "train", len(rows), write_shard(folder / path, rows)))
    settings = Settings(0, "gaussian", embed, None, 1024, 256, 1280, 0.3)
    manifest = Manifest("made", FORMAT, settings, {}, (), (), tuple(shards), ())
    (folder / MANIFEST).write_text(manifest.to_json())
    return str(folder)


def make_row(source: str, sensor: str, number: int, *, embed: bool) -> Row:
    """One row with six marked and outlined ships; the image's bytes cannot be told from noise, as a JPEG's."""
    objects = [
        LabelledObject(
            Box(40.0 * k, 10.0, 40.0 * k + 30, 50.0),
            "ship",
            (Polygon(tuple((40.0 * k + 15 + 0.25 * x, 30.0 + 1.5 * x) for x in range(-12, 12))),),
        )
        for k in range(6)
    ]
    sample = Sample(
        id=f"{source}/train/{number}",
        image=Path(f"{source}/images/{number}.jpg"),
        sensor=sensor,
        width=640,
        height=512,
        regions=tuple(Region(item.box, item) for item in objects),
        turns=(
            Turn("user", "Please segment each marked region."),
            Turn("model", "\n".join(f"<Region {k + 1}>: <pix>" for k in range(6))),
        ),
        targets=tuple(PixelTarget((item,)) for item in objects),
        task="segment_region",
    )
    image = sample.image.as_posix()
    content = os.urandom(IMAGE_BYTES) if embed else None
    kinds = ("box",)
    return Row(sample.id, source, sensor, "train", sensor, sample.task, kinds, image, render(sample), content)


def show(timings: list[Timing], training: float | None) -> None:
    """The table for people; the last column is what the loader is there for."""
    print(f"{'one process reads':<32}{'items/s':>10}{'x training':>12}")
    for timing in timings:
        times = f"{timing.items_per_second / training:>12.0f}" if training else f"{'':>12}"
        print(f"{timing.name:<32}{timing.items_per_second:>10,.0f}{times}")
    if training:
        print(f"training takes {training:g} samples/s; the loader should give {TARGET:g} times as many")


def machine() -> str:
    """Processor, cores, system and Python; not the host's name."""
    cores = os.cpu_count()
    return f"{platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
