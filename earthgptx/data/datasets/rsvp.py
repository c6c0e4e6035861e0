"""RSVP: image - point - text and image - region - text dialogues about optical images, made for EarthMarker.

The dataset gives dialogues, not labels, so that its samples are taken as they are. Its release could not be found:
the names of its files and folders are ours, and what is read is the form that its makers' relatives publish: records
with ``image``, ``conversations`` and either ``bbox`` (boxes as x, y, width, height) or ``points`` (x, y), in pixels;
see `formats.dialogues`. Records with neither are about the whole image.

Size: more than 3.65 million pairs over all sources, as the paper counts them.
Classes: none; free text.
Layout: rsvp/{split}/*.json or rsvp/{split}.json (arrays of records, or JSON Lines with the ending jsonl);
    rsvp/images/ with the images below it, under the paths that the records write or the ends of these.
Terms: not stated.
Citation: Zhang, Cai, Zhang, Li, Zhuang, Mao, "EarthMarker: A Visual Prompting Multi-modal Large Language Model for
    Remote Sensing", arXiv 2407.13596 (2024).
Home: https://github.com/wivizhang/EarthMarker
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earthgptx.data.formats import dialogues
from earthgptx.data.formats.folder_layout import files_below
from earthgptx.data.quarantine import OnBroken, refuse
from earthgptx.data.sample import Sample
from earthgptx.errors import MalformedDataset

SPLIT_PATHS = ("rsvp/{split}", "rsvp/{split}.json", "rsvp/{split}.jsonl")


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[Sample]:
    """The split's dialogues, file by file; `root` is the folder that holds ``rsvp``.

    Raises:
        MalformedDataset: the split is not there, or a file is no JSON.
    """
    folder = root / "rsvp"
    single = [folder / f"{split}{ending}" for ending in (".json", ".jsonl")]
    files = [*(path for path in single if path.is_file()), *files_below(folder / split, ".json", ".jsonl")]
    if not files:
        raise MalformedDataset(f"{folder / split} does not exist or holds no JSON, nor does {single[0]} exist.")
    for path in files:
        yield from dialogues.read(
            path,
            folder / "images",
            dataset="rsvp",
            split=split,
            sensor="optical",
            on_broken=on_broken,
            name=path.relative_to(folder / split if path not in single else folder).with_suffix("").as_posix(),
        )
