from __future__ import annotations

import importlib.util
import random
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.errors import MetricUnavailable
from earthgptx.evaluation.metrics import scene_tuples
from earthgptx.evaluation.metrics.meteor import find_jar
from earthgptx.evaluation.metrics.scene_tuples import load_scene_parser
from earthgptx.evaluation.metrics.spice import SceneTuple, spice
from earthgptx.evaluation.metrics.synsets import Synsets

MEANINGS = {"plane": {1, 2}, "airplane": {1}, "level": {2}, "ship": {3}, "gray": {4}, "grey": {4}}
NOUNS = st.sampled_from(["plane", "airplane", "level", "ship", "port"])
ATTRIBUTES = st.sampled_from(["gray", "grey", "big"])
TUPLES = st.frozensets(
    st.one_of(
        st.tuples(NOUNS),
        st.tuples(NOUNS, ATTRIBUTES),
        st.tuples(NOUNS, st.sampled_from(["in", "be in", "near"]), NOUNS),
    ),
    min_size=1,
    max_size=6,
)


def synsets_of(word: str) -> frozenset[int]:
    return frozenset(MEANINGS.get(word, ()))


def test_f1_by_hand():
    said = {("ship",), ("ship", "big"), ("port",)}
    # Truth: ship, ship-grey, ship-in-port, port: of three said two are right, and of four true two are said.
    references = [{("ship",), ("ship", "gray")}, {("ship",), ("port",), ("ship", "in", "port")}]
    precision, recall = 2 / 3, 2 / 4
    assert spice(said, references, synsets_of) == pytest.approx(2 * precision * recall / (precision + recall))


def test_synonyms_match_in_every_place():
    said = {("airplane",), ("airplane", "grey"), ("airplane", "be in", "port"), ("port",)}
    references = [{("plane",), ("plane", "gray"), ("plane", "in", "port"), ("port",)}]
    assert spice(said, references, synsets_of) == 1


def test_references_that_mean_the_same_are_one():
    assert spice({("plane",)}, [{("plane",)}, {("airplane",)}], synsets_of) == 1
    assert spice({("plane",)}, [{("plane",)}, {("ship",)}], synsets_of) == pytest.approx(2 / 3)


def test_recall_stops_at_one():
    # Both are right by the one true tuple, which is one node of two meanings.
    assert spice({("airplane",), ("level",)}, [{("plane",)}], synsets_of) == 1


@pytest.mark.parametrize(("said", "references"), [(set(), [{("ship",)}]), ({("ship",)}, [set()]), (set(), [])])
def test_nothing_said_or_nothing_true_is_zero(said: set[SceneTuple], references: list[set[SceneTuple]]):
    assert spice(said, references, synsets_of) == 0


@given(TUPLES, st.lists(TUPLES, min_size=1, max_size=4))
def test_bounds_and_order(said: frozenset[SceneTuple], references: list[frozenset[SceneTuple]]):
    score = spice(said, references, synsets_of)
    assert 0 <= score <= 1
    assert spice(sorted(said), random.Random(1).sample(references, len(references)), synsets_of) == score


@given(TUPLES)
def test_perfect_is_perfect(said: frozenset[SceneTuple]):
    assert spice(said, [said, said], synsets_of) == 1


def test_synsets_are_read_from_an_archive(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "program.jar", "w") as archive:
        archive.writestr("synonym/english.synsets", "ship\n0003\nparking_lot\n0005 0006\nfoot\n0007\nnear\n0008\n")
        archive.writestr("synonym/english.exceptions", "foot\nfeet\n")
    synsets = Synsets.read(tmp_path / "program.jar")
    assert synsets.of("ship") == {3}
    assert synsets.of("ships") == {3}
    assert synsets.of("parking lots") == {5, 6}
    assert synsets.of("feet") == {7}
    assert synsets.of("nearest") == {8}
    assert synsets.of("shipful") == set()
    assert synsets.of("unknown") == set()


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("airplane", "plane", True),
        ("grey", "gray", True),
        ("large", "big", True),
        ("parking lot", "car park", True),
        ("roundabout", "traffic circle", True),
        ("ship", "vessel", False),
        ("ship", "boat", False),
        ("plane", "aircraft", False),
        ("harbor", "port", False),
        ("near", "beside", False),
        ("colorful", "color", False),
    ],
)
def test_words_of_remote_sensing(real_synsets: Synsets, one: str, other: str, is_same: bool):
    assert bool(real_synsets.of(one) & real_synsets.of(other)) == is_same


@pytest.fixture(scope="module")
def real_synsets() -> Synsets:
    try:
        return Synsets.read(find_jar())
    except MetricUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def parse():
    try:
        return load_scene_parser()
    except MetricUnavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(
    ("sentence", "tuples"),
    [
        ("two tennis courts next to a parking lot",
         "court, court-two, court-tennis, court-next to-lot, lot, lot-parking"),
        ("a large white ship is docked at the harbor", "ship, ship-large, ship-white, harbor"),
        ("the gray car parked in front of the house", "car, car-gray, car-park in front of-house, house"),
        ("a lot of boats are docked in the harbor", "boat, boat-a lot of, harbor"),
        ("several buildings and many green trees are around a pond",
         "building, building-several, tree, tree-many, tree-green, pond, building-around-pond, tree-around-pond"),
        ("the church is surrounded by many buildings", "church, building, building-many, building-surround-church"),
        ("a pond surrounded by trees", "pond, tree, pond-surround by-tree"),
        ("a bridge crosses the river", "bridge, river, bridge-cross-river"),
        ("a woman smiles", "woman, woman-smile"),
        ("the house's roof is red", "house, roof, roof-red, house-have-roof"),
        ("the building is a church", "building, church, building-church"),
        ("some ships that sail near the port", "ship, port, ship-sail near-port"),
        ("people walking on the beach", "people, beach, people-walk on-beach"),
        ("", ""),
    ],
)  # fmt: skip
def test_sentences_become_tuples(parse, sentence: str, tuples: str):
    expected = {tuple(one.split("-")) for one in tuples.split(", ") if one}
    assert parse([sentence]) == [expected]


def test_without_spacy_or_its_model_there_is_no_parser(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scene_tuples, "SPACY_MODEL", "no_such_model")
    if importlib.util.find_spec("spacy"):
        with pytest.raises(MetricUnavailable, match="needs the package no_such_model"):
            load_scene_parser()
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MetricUnavailable, match="needs spaCy, which is not installed"):
        load_scene_parser()


def test_equal_sentences_are_parsed_alike(parse):
    first, other, again = parse(["a ship", "a port", "a ship"])
    assert first == again == {("ship",)}
    assert other == {("port",)}
