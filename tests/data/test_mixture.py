"""A mixture: shares as asked, every row once an epoch over all processes, resumed to the very item, clear refusals."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from itertools import islice

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earthgptx.data.corpus.reader import open_corpus
from earthgptx.data.mixture import Mixture
from earthgptx.data.mixture_parts import Weights
from earthgptx.errors import MalformedCorpus, MalformedMixture
from tests.fixtures.make_corpus import make_corpus

SIZES = {"vhr10": 130, "ssdd": 60, "hituav": 3}


def in_memory() -> str:
    return f"memory://corpus-{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def corpus() -> str:
    return make_corpus(in_memory(), SIZES)


def ids(items):
    return [item.sample.id for item in items]


def whole(corpus) -> list[str]:
    return [f"{source}/train/{place}" for source, size in SIZES.items() for place in range(size)]


def test_an_item_holds_the_sample_and_where_it_comes_from(corpus, tmp_path):
    item = next(iter(Mixture(corpus, weights=Weights(source={"vhr10": 0, "hituav": 0}))))
    assert (item.source, item.domain, item.sample.sensor, item.image_bytes) == ("ssdd", "sar", "sar", None)
    embedded = make_corpus(str(tmp_path / "out"), {"ssdd": 5}, embed=True)
    item = next(iter(Mixture(embedded, image_folder=tmp_path)))
    place = item.sample.id.split("/")[-1]
    assert item.image_bytes == f"bytes of {place}".encode()
    assert item.sample.image == tmp_path / f"ssdd/images/{place}.png"


@settings(max_examples=12)
@given(num_ranks=st.integers(1, 4), num_workers=st.integers(1, 3), seed=st.integers(0, 3), by_task=st.booleans())
def test_all_processes_together_see_every_row_of_a_pass_once(corpus, num_ranks, num_workers, seed, by_task):
    found = []
    weights = Weights(task={"roc": 2.0}) if by_task else None
    opened = open_corpus(corpus)
    for rank in range(num_ranks):
        for worker in range(num_workers):
            share = {"rank": rank, "num_ranks": num_ranks, "worker": worker, "num_workers": num_workers}
            found += ids(Mixture(opened, repeats=False, seed=seed, weights=weights, **share))
    assert sorted(found) == sorted(whole(corpus))


@pytest.mark.parametrize("num_ranks", [1, 2, 5])
def test_every_epoch_of_every_source_is_whole_in_an_endless_mixture(corpus, num_ranks):
    seen = Counter()
    for rank in range(num_ranks):
        mixture = Mixture(corpus, rank=rank, num_ranks=num_ranks, temperature=1e6, buffer_rows=20)
        for item in islice(mixture, 1000 // num_ranks + 200):
            seen[item.epoch, item.sample.id] += 1
    assert [seen[0, name] for name in whole(corpus)] == [1] * sum(SIZES.values())
    assert max(seen.values()) == 1


@settings(max_examples=15)
@given(
    taken=st.integers(0, 260),
    repeats=st.booleans(),
    rank=st.integers(0, 1),
    temperature=st.sampled_from([0.5, 1.0, 3.0]),
    buffer_rows=st.sampled_from([1, 40, 2048]),
)
def test_stop_and_resume_gives_what_would_have_come(corpus, taken, repeats, rank, temperature, buffer_rows):
    def make() -> Mixture:
        return Mixture(
            corpus, repeats=repeats, rank=rank, num_ranks=2, temperature=temperature, buffer_rows=buffer_rows
        )

    straight = make()
    stream = iter(straight)
    before = ids(islice(stream, taken))
    state = json.loads(json.dumps(straight.state_dict()))
    rest = ids(islice(stream, 100))
    resumed = make()
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert ids(islice(resumed, 100)) == rest
    assert ids(islice(make(), taken + 100)) == before + rest


def test_a_mixture_that_ended_begins_its_next_pass_in_another_order(corpus):
    mixture = Mixture(corpus, repeats=False)
    first, second = ids(mixture), ids(mixture)
    assert first != second
    assert sorted(first) == sorted(second)
    ended = Mixture(corpus, repeats=False)
    list(ended)
    resumed = Mixture(corpus, repeats=False)
    resumed.load_state_dict(ended.state_dict())
    assert list(resumed) == []  # what an uninterrupted pass would still have given
    assert ids(resumed) == second


def drawn_shares(mixture: Mixture, count: int = 1500) -> dict[str, float]:
    counts = Counter(item.source for item in islice(mixture, count))
    return {source: number / count for source, number in counts.items()}


@pytest.mark.parametrize("temperature", [1e-9, 1e-3])
def test_a_low_temperature_leaves_the_largest_source(corpus, temperature):
    assert Mixture(corpus, temperature=temperature).shares == pytest.approx({"vhr10": 1.0, "ssdd": 0.0, "hituav": 0.0})
    assert sorted(ids(Mixture(corpus, temperature=temperature, repeats=False))) == sorted(whole(corpus))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 1e9])
def test_shares_follow_size_and_temperature(corpus, temperature):
    mixture = Mixture(corpus, temperature=temperature)
    raw = {source: size ** (1 / temperature) for source, size in SIZES.items()}
    expected = {source: value / sum(raw.values()) for source, value in raw.items()}
    assert mixture.shares == pytest.approx(expected)
    for source, share in drawn_shares(mixture).items():
        assert share == pytest.approx(expected[source], abs=0.04)


def test_weights_multiply_and_nothing_of_weight_0_comes(corpus):
    weights = Weights(source={"vhr10": 2}, sensor={"infrared": 10}, domain={"sar": 0.5}, task={"count": 0})
    mixture = Mixture(corpus, weights=weights, temperature=1.0)
    # Tasks take turns in a source: of 130, 60 and 3 rows, 87, 40 and 2 are no counts.
    raw = {"vhr10": 87 * 2, "ssdd": 40 * 0.5, "hituav": 2 * 10}
    assert mixture.shares == pytest.approx({source: value / sum(raw.values()) for source, value in raw.items()})
    assert mixture.num_rows == 87 + 40 + 2
    tasks = Counter(item.sample.task for item in islice(mixture, 300))
    assert set(tasks) == {"roc", "vqa"}


def test_what_is_not_there_is_said(corpus):
    with pytest.raises(MalformedCorpus, match=r"nowhere holds no corpus: there is no manifest.json"):
        Mixture("memory://nowhere")
    with pytest.raises(MalformedCorpus, match="Protocol not known: nosuch"):
        Mixture("nosuch://nowhere")
    with pytest.raises(MalformedMixture, match="has no split 'tset'; it has train"):
        Mixture(corpus, split="tset")
    with pytest.raises(MalformedMixture, match="no source 'sdd' to weigh; there are hituav, ssdd, vhr10"):
        Mixture(corpus, weights=Weights(source={"sdd": 1}))
    with pytest.raises(MalformedMixture, match="no task 'rok' to weigh; there are count, roc, vqa"):
        Mixture(corpus, weights=Weights(task={"rok": 1}))
    with pytest.raises(MalformedMixture, match="All 3 parts of the train split have weight 0"):
        Mixture(corpus, weights=Weights(source=dict.fromkeys(SIZES, 0)))
    with pytest.raises(MalformedMixture, match="at least 0, not -1"):
        Mixture(corpus, weights=Weights(source={"ssdd": -1}))
    with pytest.raises(MalformedMixture, match="no rank 2 among 2"):
        Mixture(corpus, rank=2, num_ranks=2)
    with pytest.raises(MalformedMixture, match="no worker 1 among 1"):
        Mixture(corpus, worker=1)
    with pytest.raises(MalformedMixture, match="above 0, not 0"):
        Mixture(corpus, temperature=0)
    with pytest.raises(MalformedMixture, match="at least 1 row, not 0"):
        Mixture(corpus, buffer_rows=0)


def test_a_position_of_another_corpus_or_run_is_refused(corpus):
    state = Mixture(corpus, num_ranks=2).state_dict()
    with pytest.raises(MalformedMixture, match="its number of ranks is 2, that of this mixture is 3"):
        Mixture(corpus, num_ranks=3).load_state_dict(state)
    with pytest.raises(MalformedMixture, match="its rank is 0, that of this mixture is 1"):
        Mixture(corpus, num_ranks=2, rank=1).load_state_dict(state)
    with pytest.raises(MalformedMixture, match="its seed is 0, that of this mixture is 7"):
        Mixture(corpus, num_ranks=2, seed=7).load_state_dict(state)
    other = make_corpus(in_memory(), {"vhr10": 5})
    with pytest.raises(MalformedMixture, match="its corpus is "):
        Mixture(other, num_ranks=2).load_state_dict(state)
    with pytest.raises(MalformedMixture, match="its corpus is None"):
        Mixture(corpus).load_state_dict({})


def test_missing_and_changed_shards_are_found():
    url = make_corpus(in_memory(), {"vhr10": 60})
    opened = open_corpus(url)
    opened.check_files()
    filesystem, folder = fsspec.core.url_to_fs(url)
    shard = f"{folder}/samples/vhr10-train-00000.parquet"
    content = filesystem.cat_file(shard)
    filesystem.pipe_file(shard, content[:-1] + b"x")
    with pytest.raises(MalformedCorpus, match="is not the file that was built: its SHA-256 begins "):
        opened.check_files()
    with pytest.raises(
        MalformedCorpus, match=r"vhr10-train-00000.parquet cannot be read: it is no shard of a corpus \(Parquet magic"
    ):
        list(Mixture(url, repeats=False))
    filesystem.rm_file(shard)
    for look in (opened.check_files, lambda: list(Mixture(url, repeats=False))):
        with pytest.raises(MalformedCorpus, match=r"the shard samples/vhr10-train-00000.parquet .* is missing"):
            look()
    filesystem.pipe_file(f"{folder}/manifest.json", b"[]")
    with pytest.raises(MalformedCorpus, match="is not a corpus's manifest"):
        open_corpus(url)
