"""What `cost_curves` measures: each function here does a piece of work at growing sizes and says what each size took.

A folder to write in, the name of a model's size and the sizes come in; a `Cost` a size goes out. Memory is what the
process's resident set grew by at its highest, since before the first size; the kernel counts it, so Linux is needed.
Sizes are taken in rising order, so what an earlier one left behind is not taken for a later one's.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer

from benchmarks.build_corpus import FULL_SAMPLES
from benchmarks.build_corpus import measure as built
from benchmarks.loader import ROWS_A_SHARD, make_row
from benchmarks.made_sources import write_ssdd
from earthgptx.data.corpus.manifest import FORMAT, MANIFEST, Manifest, Settings, Shard
from earthgptx.data.corpus.shards import write_shard
from earthgptx.data.datasets import available
from earthgptx.data.imagery import Scene
from earthgptx.data.instructions import MARK_FAMILIES
from earthgptx.data.mixture import Mixture
from earthgptx.inference.assistant import Assistant
from earthgptx.inference.generation import Generator
from earthgptx.inference.session import Session
from earthgptx.model.feature_store import FeatureStore, feature_key, file_stamp
from earthgptx.model.features import VisionFeatures
from earthgptx.model.sizes import SIZES
from earthgptx.model.weights.assembly import assemble
from earthgptx.processing.processor import Processor, processor_for
from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer
from earthgptx.shapes import Box
from earthgptx.training.caching import fill_store, wanted_windows
from earthgptx.training.corpus import Corpus

VIEW = 224  # pixels a side of a view
LARGEST_GRID = 6  # sub-images a side of 1344 px
SCENE = 1344
QUESTION = "Please identify the object category of each marked region in the image."
MARKS_A_SIDE = 8
MARKS_OF_ANSWER = 3
SEED = 0


@dataclass(frozen=True)
class Cost:
    """Of one size: seconds, and megabytes (10^6) above those before the first size."""

    size: int
    seconds: float
    megabytes: float


class Watch:
    """Seconds and memory of functions; the memory that there is when it is made counts for nothing."""

    def __init__(self) -> None:
        _release()
        self.base = _status("VmRSS")

    def of(self, size: int, function: Callable[[], object], *, repeats: int = 1) -> Cost:
        """The least of some repetitions in time, the most in memory."""
        _release()
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what there is now
        seconds = []
        for _ in range(repeats):
            started = perf_counter()
            function()
            seconds.append(perf_counter() - started)
        return Cost(size, min(seconds), (_status("VmHWM") - self.base) / 1e6)


def _release() -> None:
    """Gives back to the system what earlier work has freed, so that it is not taken for a later size's."""
    ctypes.CDLL(None).malloc_trim(0)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def assistant_of(name: str, *, grid: int) -> Assistant:
    """A model of a size, with so many sub-images a side at most; what no package holds is random."""
    config = SIZES[name]()
    config.vision.sub_image_grid = grid
    assembled = assemble(config)
    assembled.model.requires_grad_(False)
    folder = assembled.tokenizer_folder
    tokenizer = byte_tokenizer(config.base_vocabulary_size) if folder is None else AutoTokenizer.from_pretrained(folder)
    return Assistant(Generator(assembled.model, processor_for(config, Vocabulary.of(tokenizer))))


def scene_of(folder: Path, side: int) -> Scene:
    """Blobs, the same for the same side."""
    coarse = np.random.default_rng(SEED).integers(0, 256, (side // 16 + 1, side // 16 + 1, 3), dtype=np.uint8)
    path = folder / f"{side}.png"
    Image.fromarray(coarse.repeat(16, axis=0).repeat(16, axis=1)[:side, :side]).save(path)
    return Scene.open(path, sensor="optical")


def views_that_grow(folder: Path, model: str, sides: Sequence[int]) -> Iterator[Cost]:
    """Looking at a scene and reading it, with as many sub-images as give every view the scene's own resolution."""
    yield from _looks(folder, model, sides, grid_of=lambda side: side // VIEW if side > VIEW else 0)


def views_that_stay(folder: Path, model: str, sides: Sequence[int]) -> Iterator[Cost]:
    """The same with a size's own sub-images: five views of any scene larger than one."""
    yield from _looks(folder, model, sides, grid_of=lambda _: 2)


def _looks(folder: Path, model: str, sides: Sequence[int], *, grid_of: Callable[[int], int]) -> Iterator[Cost]:
    generator = assistant_of(model, grid=LARGEST_GRID).generator
    geometry = generator.processor.geometry
    scenes = {side: scene_of(folder, side) for side in sides}

    def look(side: int) -> None:
        generator.processor = replace(generator.processor, geometry=replace(geometry, sub_image_grid=grid_of(side)))
        Assistant(generator).look(scenes[side]).ask("What is in the image?", max_new_tokens=1)

    look(sides[0])
    watch = Watch()
    for side in sides:
        yield watch.of(side, partial(look, side), repeats=2)


def boxes(count: int) -> list[Box]:
    """Small boxes, spread evenly and none of whose surroundings are another's."""
    step = SCENE / MARKS_A_SIDE
    places = [divmod(number, MARKS_A_SIDE) for number in range(count)]
    return [Box(x * step + 60, y * step + 60, x * step + 100, y * step + 100) for y, x in places]


def marks_first_seen(folder: Path, model: str, counts: Sequence[int]) -> Iterator[Cost]:
    """A question about marks on a scene that was looked at, up to the answer's first word."""
    assistant = assistant_of(model, grid=2)
    scene = scene_of(folder, SCENE)
    assistant.look(scene).ask(QUESTION, boxes(1), max_new_tokens=1)
    watch = Watch()
    for count in counts:
        session = assistant.look(scene)
        yield watch.of(count, partial(session.ask, QUESTION, boxes(count), max_new_tokens=1))


def marks_seen_before(folder: Path, model: str, counts: Sequence[int]) -> Iterator[Cost]:
    """The same question once more: what the towers saw is kept."""
    session = assistant_of(model, grid=2).look(scene_of(folder, SCENE))
    session.ask(QUESTION, boxes(max(counts)), max_new_tokens=1)

    def again(count: int) -> None:
        session.reset()
        session.ask(QUESTION, boxes(count), max_new_tokens=1)

    watch = Watch()
    for count in counts:
        yield watch.of(count, partial(again, count), repeats=2)


def answers(folder: Path, model: str, lengths: Sequence[int]) -> Iterator[Cost]:
    """Answers about three marks that never end by themselves."""
    session = assistant_of(model, grid=2).look(scene_of(folder, SCENE))
    _never_end(session)
    session.ask(QUESTION, boxes(MARKS_OF_ANSWER), max_new_tokens=2)

    def answer(length: int) -> None:
        session.reset()
        session.ask(QUESTION, boxes(MARKS_OF_ANSWER), max_new_tokens=length)

    watch = Watch()
    for length in lengths:
        yield watch.of(length, partial(answer, length))


def _never_end(session: Session) -> None:
    engine = session._generator.engine
    engine.words = replace(engine.words, end=-1)  # no word has this number


def corpora_built(folder: Path, model: str, sizes: Sequence[int]) -> Iterator[Cost]:
    """`earthgptx data build` of seven fabricated sources, all its processes together."""
    for size in sizes:
        build = built(size / FULL_SAMPLES, 1.0, 2, folder)
        yield Cost(build.num_samples, build.seconds, 1000 * build.peak_gigabytes)


def corpora_read(folder: Path, model: str, sizes: Sequence[int]) -> Iterator[Cost]:
    """Opening a built corpus and going through all its samples once, in the shuffled order of training."""
    watch = None
    for size in sizes:
        place = folder / str(size)
        write_corpus(place, size)
        watch = watch or Watch()
        yield watch.of(size, lambda place=place: sum(1 for _ in Mixture(place, repeats=False)))


def write_corpus(folder: Path, num_rows: int) -> None:
    """One usual row under many names."""
    (folder / "samples").mkdir(parents=True)
    row, shards = make_row("ssdd", "sar", 0, embed=False), []
    for number, start in enumerate(range(0, num_rows, ROWS_A_SHARD)):
        names = [f"ssdd/train/{k}" for k in range(start, min(start + ROWS_A_SHARD, num_rows))]
        rows = [replace(row, id=name, sample=row.sample.replace(row.id, name)) for name in names]
        path = f"samples/ssdd-train-{number:05}.parquet"
        shards.append(Shard(path, "ssdd", "train", len(rows), write_shard(folder / path, rows)))
    settings = Settings(SEED, "gaussian", False, None, 1024, 256, 1280, 0.3)
    manifest = Manifest("made", FORMAT, settings, {}, (), (), tuple(shards), ())
    (folder / MANIFEST).write_text(manifest.to_json())


def training_starts(folder: Path, model: str, sizes: Sequence[int]) -> Iterator[Cost]:
    """All that a run does before its first batch, and that batch, where every feature is cached already."""
    config = SIZES[model]()
    processor = processor_for(config, Vocabulary.of(byte_tokenizer(config.base_vocabulary_size)))
    watch = None
    for size in sizes:
        data = folder / str(size)
        write_ssdd(data, size, random.Random(SEED))
        kept = folder / f"features-{size}"
        watch = watch or Watch()

        def start(data: Path = data, kept: Path = kept) -> None:
            images = available(data, "train", names=["ssdd"])
            wanted = [wanted_windows(image, processor, SEED, MARK_FAMILIES) for image in images]
            store = FeatureStore(kept, [(1,)])
            fill_store(store, images, wanted, None, processor)  # type: ignore[arg-type]  # the towers are not asked
            weights = {"roc": 1.0, "segment_region": 1.0}
            corpus = Corpus(
                images, task_weights=weights, dataset_weights={}, processor=processor, store=store, seed=SEED
            )
            corpus.batch(0, 16)
            store.close()

        cache_features(data, kept, processor)
        yield watch.of(size, start)


def cache_features(data: Path, folder: Path, processor: Processor) -> None:
    """Features of one number a view, under the names that the towers' would have."""
    store = FeatureStore(folder, [(1,)])
    keys: dict[str, None] = {}
    for image in available(data, "train", names=["ssdd"]):
        store.name_image(image.id, "one", file_stamp(image.path))
        windows = wanted_windows(image, processor, SEED, MARK_FAMILIES)
        keys |= dict.fromkeys(feature_key("one", window) for window in windows)
    store.append(list(keys), VisionFeatures(vit=torch.zeros(len(keys), 1), cnn=()))
    store.close()


def num_views(side: int) -> float:
    """Of a scene that is seen at its own resolution: the whole view and n x n sub-images."""
    return 1 + (side // VIEW) ** 2 if side > VIEW else 1


def num_views_that_stay(side: int) -> float:
    """With two sub-images a side."""
    return 5 if side > VIEW else 1
