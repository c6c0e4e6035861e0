"""What a mixture is made of: the parts of a corpus that are drawn from with one probability each.

In come a corpus, a split and weights; out come parts with their shares and their blocks of rows. A part is a source,
or, where weights are given for sensors, domains or tasks, the rows of a source that share these. The order of rows
and the draws are not known here.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from earthgptx.data.corpus.reader import Corpus
from earthgptx.data.corpus.shards import ROWS_A_GROUP
from earthgptx.data.source_stream import Block, Row
from earthgptx.errors import MalformedMixture

BLOCK_ROWS = ROWS_A_GROUP  # of a block where a source has plenty: the least that can be read alone
BLOCKS_A_CONSUMER = 4  # smaller blocks where a source would otherwise give a process fewer than these an epoch

_KINDS = ("domain", "sensor", "task")
_PAYLOAD = ("domain", "sample", "image_bytes")


@dataclass(frozen=True)
class Weights:
    """Factors on how often things are drawn; 1 where nothing is said, 0 leaves them out.

    Attributes:
        source, sensor, domain, task: a factor by name. Those of one row are multiplied.
    """

    source: Mapping[str, float] = field(default_factory=dict)
    sensor: Mapping[str, float] = field(default_factory=dict)
    domain: Mapping[str, float] = field(default_factory=dict)
    task: Mapping[str, float] = field(default_factory=dict)

    @property
    def look_into_sources(self) -> bool:
        """Whether rows of one source may differ in weight."""
        return bool(self.sensor or self.domain or self.task)

    def to_text(self) -> str:
        """The same text for the same weights."""
        written = {kind: dict(getattr(self, kind)) for kind in ("source", *_KINDS)}
        return json.dumps({kind: factors for kind, factors in written.items() if factors}, sort_keys=True)


@dataclass(frozen=True)
class Part:
    """Rows of one source that are drawn alike.

    Attributes:
        name: unique in the corpus.
        source: the dataset's name.
        share: the probability of drawing from it.
        num_rows: all its rows.
        kinds: the columns, and their values, that tell its rows from others of the source; empty for all rows.
        counts: for each shard that holds rows of it: the shard's number in the corpus, and how many of the
            part's rows lie in each stretch of BLOCK_ROWS rows (the last one may be shorter).
        shard_rows: the number of all rows of those shards.
    """

    name: str
    source: str
    share: float
    num_rows: int
    kinds: Mapping[str, str]
    counts: Mapping[int, Sequence[int]]
    shard_rows: Mapping[int, int]

    def blocks(self, num_consumers: int) -> list[Block]:
        """Its blocks, none of them empty; small where there are few rows for many processes.

        Where a part is not all of its source, blocks stay as large as they are read: only there it is known how
        many rows each holds.
        """
        wanted = BLOCK_ROWS
        if not self.kinds:
            wanted = max(1, min(BLOCK_ROWS, self.num_rows // (BLOCKS_A_CONSUMER * num_consumers)))
        found = []
        for shard, counts in self.counts.items():
            end = self.shard_rows[shard]
            if self.kinds:
                starts = range(0, end, BLOCK_ROWS)
                found += [
                    Block(shard, start, min(start + BLOCK_ROWS, end), count)
                    for start, count in zip(starts, counts, strict=True)
                    if count
                ]
            else:
                starts = range(0, end, wanted)
                found += [Block(shard, s, min(s + wanted, end), min(wanted, end - s)) for s in starts]
        return found


def parts_of(corpus: Corpus, split: str, weights: Weights, temperature: float) -> list[Part]:
    """The parts of a split with a share above 0; shares sum to 1.

    Raises:
        MalformedMixture: the corpus lacks the split, or has nothing with a name that is weighted, or a weight is
            negative or not a number, or all are 0.
    """
    splits = sorted({shard.split for shard in corpus.shards})
    if split not in splits:
        raise MalformedMixture(f"{corpus.url} has no split {split!r}; it has {', '.join(splits) or 'none'}.")
    raw: dict[tuple[str, ...], dict[int, list[int]]] = defaultdict(dict)  # (source, domain, sensor, task)
    sizes: Counter[str] = Counter()
    for number, shard in enumerate(corpus.shards):
        if shard.split == split and shard.num_rows:
            sizes[shard.source] += shard.num_rows
            for key, counts in _stretches(corpus, number, weights.look_into_sources).items():
                raw[(shard.source, *key)][number] = counts
    _check(weights, raw)
    logs = {}  # of shares that do not sum to 1 yet: a power of a size may be too large for a number
    for key, shards in raw.items():
        factor = math.prod(
            float(getattr(weights, kind).get(value, 1.0)) for kind, value in zip(("source", *_KINDS), key, strict=False)
        )
        count = sum(map(sum, shards.values()))
        if factor > 0:
            logs[key] = math.log(sizes[key[0]]) / temperature + math.log(count / sizes[key[0]]) + math.log(factor)
    if not logs:
        raise MalformedMixture(f"All {len(raw)} parts of the {split} split have weight 0: there is nothing to draw.")
    most = max(logs.values())
    # Never 0, or rows of one pass would be lost.
    drawn = {key: max(math.exp(value - most), sys.float_info.min) for key, value in logs.items()}
    total = sum(drawn.values())
    return [
        Part(
            name="/".join(key),
            source=key[0],
            share=drawn[key] / total,
            num_rows=sum(map(sum, raw[key].values())),
            kinds=dict(zip(_KINDS, key[1:], strict=False)),
            counts=raw[key],
            shard_rows={number: corpus.shards[number].num_rows for number in raw[key]},
        )
        for key in drawn
    ]


def read_block(corpus: Corpus, part: Part, block: Block) -> list[Row]:
    """The part's rows of one of its blocks, with the columns that an item is made of."""
    columns = dict.fromkeys((*_PAYLOAD, *part.kinds))
    rows = corpus.rows(corpus.shards[block.shard], block.start, block.stop, tuple(columns))
    return [row for row in rows if all(row[kind] == value for kind, value in part.kinds.items())]


def _stretches(corpus: Corpus, number: int, look_into: bool) -> dict[tuple[str, ...], list[int]]:
    """How many rows of each kind lie in each stretch of a shard; one kind, (), where nobody looks into it."""
    shard = corpus.shards[number]
    starts = range(0, shard.num_rows, BLOCK_ROWS)
    if not look_into:
        return {(): [min(BLOCK_ROWS, shard.num_rows - start) for start in starts]}
    found: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(corpus.rows(shard, 0, shard.num_rows, _KINDS)):
        key = tuple(str(row[kind]) for kind in _KINDS)
        found.setdefault(key, [0] * len(starts))[place // BLOCK_ROWS] += 1
    return found


def _check(weights: Weights, keys: Collection[tuple[str, ...]]) -> None:
    """Raises MalformedMixture for a weight of something that is not there, or that is no weight."""
    for position, kind in enumerate(("source", *_KINDS)):
        factors: Mapping[str, Any] = getattr(weights, kind)
        known = sorted({key[position] for key in keys if len(key) > position})
        for name, factor in factors.items():
            if name not in known:
                raise MalformedMixture(f"There is no {kind} {name!r} to weigh; there are {', '.join(known)}.")
            if not 0.0 <= factor < math.inf:
                raise MalformedMixture(
                    f"The weight of the {kind} {name!r} must be a number of at least 0, not {factor}."
                )
