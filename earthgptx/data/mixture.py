"""Streams the samples of a built corpus: many sources mixed by weight, shared out over processes, resumed exactly.

In comes a corpus (a folder or any URL that fsspec opens), out come `MixtureItem`s, for ever or for one pass. It is a
plain iterable with `state_dict` and `load_state_dict`, as torchdata's StatefulDataLoader asks of a dataset; torch
itself is not known here. In torch's hands it is one line and one function::

    class TorchMixture(Mixture, torch.utils.data.IterableDataset): ...

    def take_share(_: int) -> None:  # the loader's worker_init_fn
        info = torch.utils.data.get_worker_info()
        info.dataset.take_share(worker=info.id, num_workers=info.num_workers)
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from earthgptx.data import sample_file
from earthgptx.data.corpus.reader import Corpus, open_corpus
from earthgptx.data.mixture_parts import Part, Weights, parts_of, read_block
from earthgptx.data.sample import Sample
from earthgptx.data.source_stream import Deal, Row, SourceStream
from earthgptx.errors import MalformedMixture

_DRAWS_AT_ONCE = 1024  # random numbers made together; going on from any draw costs at most this many


@dataclass(frozen=True)
class MixtureItem:
    """One sample and where it comes from.

    Attributes:
        sample: as it was built; its image path is below the image folder.
        source: the dataset's name.
        domain: "natural", "optical", "sar" or "infrared".
        image_bytes: the image's file, where the corpus was built with images in it; of a sample with a window,
            a PNG of the window alone (`corpus.embedded_image.with_image` makes a sample that can be opened).
        epoch: how often the whole source was gone through before, over all processes.
    """

    sample: Sample
    source: str
    domain: str
    image_bytes: bytes | None
    epoch: int


class Mixture:
    """A weighted mixture of a corpus's sources, as one process of a training run sees it.

    Every source is gone through epoch after epoch, each in an order of its own, and the processes of all ranks
    and workers together see each row once an epoch (see `SourceStream`). Which source comes next is drawn at random
    with probability share_i, where share_i is proportional to size_i ** (1 / temperature) times the weights: at
    temperature 1 sources come as often as their size says, at a high one all equally often.

    Memory does not grow with the corpus: about `buffer_rows` rows are held, and at least one block a source.

    Attributes:
        corpus: what is read.
        shares: the probability of every source, by name.
    """

    def __init__(
        self,
        corpus: str | Path | Corpus,
        *,
        split: str = "train",
        weights: Weights | None = None,
        temperature: float = 1.0,
        seed: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
        worker: int = 0,
        num_workers: int = 1,
        repeats: bool = True,
        buffer_rows: int = 2048,
        image_folder: Path | None = None,
    ) -> None:
        """Opens the corpus and finds what each source holds; no sample is read yet.

        Args:
            corpus: its folder or URL, or an opened one.
            split: "train", "val" or "test".
            weights: factors by source, sensor, domain and task; None leaves sizes to speak.
            temperature: above 0; see the class.
            seed: of every shuffle and draw.
            rank, num_ranks: this process among those of the run.
            worker, num_workers: this loading process among those of the rank.
            repeats: False gives every row once over all processes, and then ends; shares only say in which order.
            buffer_rows: rows shuffled together and held in memory, over all sources.
            image_folder: what image paths are relative to; they stay relative if not given.

        Raises:
            MalformedCorpus: there is no corpus, or its shards are not what its manifest says.
            MalformedMixture: a split, source or weight that cannot be used, or a rank or worker that is not one.
        """
        self.corpus = corpus if isinstance(corpus, Corpus) else open_corpus(corpus)
        if not 0 <= rank < num_ranks:
            raise MalformedMixture(f"There is no rank {rank} among {num_ranks}; they are counted from 0.")
        if not 0.0 < temperature < float("inf"):
            raise MalformedMixture(f"The temperature of a mixture must be a number above 0, not {temperature:g}.")
        if buffer_rows < 1:
            raise MalformedMixture(f"A mixture needs a buffer of at least 1 row, not {buffer_rows}.")
        self._weights = weights or Weights()
        self._split, self._temperature, self._seed = split, temperature, seed
        self._rank, self._num_ranks = rank, num_ranks
        self._repeats, self._buffer_rows = repeats, buffer_rows
        self._image_folder = image_folder
        self._parts = parts_of(self.corpus, split, self._weights, temperature)
        self._was_loaded = False
        self.shares: dict[str, float] = {}
        for part in self._parts:
            self.shares[part.source] = self.shares.get(part.source, 0.0) + part.share
        self.take_share(worker=worker, num_workers=num_workers)

    def take_share(self, *, worker: int, num_workers: int) -> None:
        """Says which loading process this is, once that is known; the stream begins anew.

        Raises:
            MalformedMixture: there is no such worker.
        """
        if not 0 <= worker < num_workers:
            raise MalformedMixture(f"There is no worker {worker} among {num_workers}; they are counted from 0.")
        self._worker, self._num_workers = worker, num_workers
        self._start_pass(0)

    @property
    def num_rows(self) -> int:
        """Rows of one epoch of every source that is mixed in, over all processes."""
        return sum(part.num_rows for part in self._parts)

    def __iter__(self) -> Iterator[MixtureItem]:
        """The items from the present position on.

        A mixture that ended, and was not just set to its end by `load_state_dict`, starts its next pass.

        Raises:
            MalformedCorpus: a shard is missing or not what the manifest says.
            MalformedDataset: a row does not hold a sample.
        """
        if not self._was_loaded and all(stream.is_finished for stream in self._streams):
            self._start_pass(self._pass + 1)
        self._was_loaded = False
        while True:
            live = [place for place, stream in enumerate(self._streams) if not stream.is_finished]
            if not live:
                return
            limits = list(accumulate(self._parts[place].share for place in live))
            finished = False
            while not finished:
                found = bisect_right(limits, self._next_draw() * limits[-1])
                place = live[min(found, len(live) - 1)]
                epoch, row = self._streams[place].next_row()
                finished = self._streams[place].is_finished  # then the rest share its part
                yield self._item(self._parts[place], epoch, row)

    def state_dict(self) -> dict[str, Any]:
        """The position, in numbers and words that JSON can hold."""
        return {
            "made_for": self._identity(),
            "pass": self._pass,
            "num_drawn": self._num_drawn,
            "positions": {stream.name: [stream.window, stream.offset] for stream in self._streams},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes to a position: the items from there on are those that would have come next.

        Raises:
            MalformedMixture: the position belongs to another corpus, another process or other settings.
        """
        own, other = self._identity(), state.get("made_for", {})
        for name, value in own.items():
            if other.get(name) != value:
                raise MalformedMixture(
                    f"The saved position cannot be used here: its {name.replace('_', ' ')} is {other.get(name)}, "
                    f"that of this mixture is {value}."
                )
        self._start_pass(int(state["pass"]))
        self._num_drawn = int(state["num_drawn"])
        for stream in self._streams:
            stream.seek(*state["positions"][stream.name])
        self._was_loaded = True

    def _identity(self) -> dict[str, Any]:
        """All that the order of items depends on."""
        return {
            "corpus": self.corpus.fingerprint,
            "number_of_ranks": self._num_ranks,
            "number_of_workers": self._num_workers,
            "rank": self._rank,
            "worker": self._worker,
            "split": self._split,
            "seed": self._seed,
            "temperature": self._temperature,
            "weights": self._weights.to_text(),
            "repeats": self._repeats,
            "buffer_rows": self._buffer_rows,
        }

    def _start_pass(self, number: int) -> None:
        """Puts every source at its beginning; passes differ only in a mixture that does not repeat."""
        self._pass = number
        self._num_drawn = 0
        self._draws: tuple[int, list[float]] = (-1, [])
        deal = Deal(
            seed=self._seed,
            consumer=self._rank * self._num_workers + self._worker,
            num_consumers=self._num_ranks * self._num_workers,
        )
        rows_each = max(1, self._buffer_rows // len(self._parts))
        self._streams = []
        for part in self._parts:
            blocks = part.blocks(deal.num_consumers)
            rows_a_block = max(1, -(-part.num_rows // len(blocks)))
            self._streams.append(
                SourceStream(
                    part.name,
                    blocks,
                    partial(read_block, self.corpus, part),
                    deal,
                    window_blocks=max(1, rows_each // rows_a_block),
                    only_epoch=None if self._repeats else number,
                )
            )

    def _next_draw(self) -> float:
        """The next random number in [0, 1); any draw can be made again from its number alone."""
        chunk, place = divmod(self._num_drawn, _DRAWS_AT_ONCE)
        if self._draws[0] != chunk:
            consumer = f"{self._rank * self._num_workers + self._worker}"
            rng = random.Random(f"{self._seed}/draws/{consumer}/{self._pass}/{chunk}")
            self._draws = (chunk, [rng.random() for _ in range(_DRAWS_AT_ONCE)])
        self._num_drawn += 1
        return self._draws[1][place]

    def _item(self, part: Part, epoch: int, row: Row) -> MixtureItem:
        return MixtureItem(
            sample=sample_file.parse(row["sample"], root=self._image_folder, where=f"a row of {part.source}"),
            source=part.source,
            domain=str(row["domain"]),
            image_bytes=row["image_bytes"],
            epoch=epoch,
        )
