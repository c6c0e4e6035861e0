"""`earthgptx data show`: contact sheets of samples, made on the spot or taken from a corpus."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from earthgptx.cli.speaking import check_outputs, complain, refuse

if TYPE_CHECKING:
    from earthgptx.data.sample import Sample


def show_data(
    out: Annotated[Path, typer.Option(help="The picture to write.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder that holds vhr10/, ssdd/, ...; for a corpus, its images.")
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Take the samples from this corpus: a folder or a URL.")] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    task: Annotated[str, typer.Option(help="roc, region_caption, segment_region, vqa, ...")] = "roc",
    dataset: Annotated[list[str] | None, typer.Option(help="Only this data set; repeatable.")] = None,
    count: Annotated[int, typer.Option(min=1, max=64, help="Samples to show.")] = 9,
    columns: Annotated[int, typer.Option(min=1, max=8, help="Samples a row.")] = 3,
    seed: Annotated[int, typer.Option(help="Picks the images and their wording.")] = 0,
) -> None:
    """Draw a contact sheet of training samples: marks, words and masks as the model gets them.

    Example: earthgptx data show --data ../shared/data --split val --task segment_region --out sheet.png
    """
    from earthgptx.data.contact_sheet import contact_sheet

    check_outputs(save=out)
    rng = random.Random(seed)
    names = tuple(dataset or ())
    with TemporaryDirectory() as folder:
        if corpus is not None:
            samples = _taken(corpus, data, split, task, names, count, rng, Path(folder))
        elif data is not None:
            samples = _made(data, split, task, names, count, rng, seed)
        else:
            refuse("Say where the samples come from: --data with a folder of data sets, or --corpus.")
        contact_sheet(samples, columns).save(out)
    complain(f"{len(samples)} samples were drawn to {out}.")


def _taken(
    corpus: str,
    data: Path | None,
    split: str,
    task: str,
    sources: tuple[str, ...],
    count: int,
    rng: random.Random,
    folder: Path,
) -> list[Sample]:
    """Samples that were built."""
    from earthgptx.data.corpus.pick import pick_samples
    from earthgptx.data.corpus.reader import open_corpus

    return pick_samples(
        open_corpus(corpus),
        split=split,
        task=task,
        count=count,
        rng=rng,
        sources=sources,
        image_folder=data,
        written_to=folder,
    )


def _made(
    data: Path, split: str, task: str, names: Sequence[str], count: int, rng: random.Random, seed: int
) -> list[Sample]:
    """Samples that are made now of a folder of data sets."""
    from earthgptx.data.datasets import DATASETS, available
    from earthgptx.data.instructions import TASKS, make_sample

    if task not in TASKS:
        refuse(f"There is no task {task!r}; choose one of {', '.join(TASKS)}.")
    images = available(data, split, names=names or present(data, split))
    rng.shuffle(images)
    samples: list[Sample] = []
    for image in images:
        if task in DATASETS[image.dataset].tasks and len(samples) < count:
            sample = make_sample(image, task, rng, seed=seed)
            samples += [] if sample is None else [sample]
    if not samples:
        refuse(f"None of the {len(images):,} images of the {split} split can serve the task {task}.")
    return samples


def present(data: Path, split: str) -> Sequence[str]:
    """Names of the data sets that are there; all names where none is, so that the reader says so."""
    from earthgptx.data.datasets import DATASETS, missing

    found = tuple(name for name in DATASETS if not missing(data, split, (name,)))
    return found or tuple(DATASETS)
