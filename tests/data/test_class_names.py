"""Names of classes: one label a class over all sets, open names tidied, words for one and for many."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.datasets import DATASETS
from earthgptx.data.datasets.class_names import CLASSES, SCENES, absent_label, canonical, plural, tidied, with_article
from earthgptx.data.datasets.class_table import NUM_IMAGES
from earthgptx.data.datasets.synonyms import SYNONYMS
from earthgptx.data.grammar import article_of, plural_of
from earthgptx.data.imagery import SENSORS
from earthgptx.errors import MalformedDataset

NAMES = st.text(alphabet=st.sampled_from(string.ascii_letters + string.digits + " _-.,'/&é"), min_size=1, max_size=30)


def test_every_row_is_canonical_and_no_name_has_two():
    sources = [source for name in CLASSES for source in name.sources]
    assert len(sources) == len(set(sources))
    assert len({name.label for name in CLASSES}) == len(CLASSES)
    assert len({name.plural for name in CLASSES}) == len(CLASSES)
    for name in CLASSES:
        assert tidied(name.label) == name.label
        assert name.plural != name.label
        assert name.article in ("a", "an", "some")
        assert name.sensors
        assert set(name.sensors) <= set(SENSORS)
        assert name.sources
        for source in name.sources:
            assert canonical(*source.split(":", 1)) == name.label


def test_sources_belong_to_known_datasets_of_the_rows_sensors():
    for name in CLASSES:
        for source in name.sources:
            assert DATASETS[source.split(":")[0]].sensor in name.sensors, source


def test_synonyms_lead_straight_to_the_label():
    for word, label in SYNONYMS.items():
        assert word != label
        assert label not in SYNONYMS
        assert tidied(word) == tidied(label) == label
    assert {plural(label) for label in SYNONYMS.values()}.isdisjoint(SYNONYMS)


@given(NAMES)
def test_a_tidied_name_stays_as_it_is(name):
    try:
        label = tidied(name)
    except MalformedDataset:
        assert not any(character.isalnum() for character in name.replace("a", "").replace("A", "")) or set(
            name.lower().replace("-", " ").replace("_", " ").split()
        ) <= {"a", "an", "the"}
        return
    assert tidied(label) == label == canonical("visual_genome", label)
    assert label == label.lower() == " ".join(label.split())
    assert tidied(f"  {name}. ") == label


@given(st.text(max_size=40))
def test_any_text_is_tidied_once_or_refused(name):
    try:
        label = tidied(name)
    except MalformedDataset:
        return
    assert tidied(label) == label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("plane", "airplane"),
        ("Aeroplane", "airplane"),
        ("the harbour", "harbor"),
        ("small-vehicle", "small vehicle"),
        ("OtherVehicle", "other vehicle"),
        ("Large_Vehicle", "large vehicle"),
        ("Boeing737", "boeing737"),
        ("A320/321", "a320/321"),
        ("TVMonitor", "tv monitor"),
        ("iPhone", "iphone"),
        ("SUVs", "suvs"),
        ("Kitchen & dining room table", "kitchen & dining room table"),
        ("  a  'car', ", "car"),
        ("oil tank", "storage tank"),
        ("truck", "truck"),
    ],
)
def test_open_names(name, label):
    assert tidied(name) == label


def test_closed_lists_forgive_case_and_separators_and_nothing_else():
    assert canonical("vhr10", "Ground Track-Field") == "ground track field"
    assert canonical("hituav", "OtherVehicle") == "other vehicle"
    with pytest.raises(MalformedDataset, match=r"ssdd has no class named 'shp'; known are ship\."):
        canonical("ssdd", "shp")
    with pytest.raises(MalformedDataset, match="holds no word"):
        canonical("visual_genome", " -_. ")


@pytest.mark.parametrize("row", CLASSES, ids=lambda row: row.label)
def test_the_rules_of_english_give_what_the_table_says(row):
    assert plural_of(row.label) == row.plural
    assert article_of(row.label) == row.article or row.article == "some"
    assert row.article != "some" or row.label.startswith("other ")
    assert plural_of(row.plural) == row.plural  # what is many already stays as it is
    assert article_of(row.plural) == "some"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("trees", "some trees"),
        ("skis", "some skis"),
        ("mice", "some mice"),
        ("traffic lights", "some traffic lights"),
        ("bus", "a bus"),
        ("glass", "a glass"),
        ("lens", "a lens"),
        ("deer", "a deer"),
        ("suv", "an suv"),
        ("rv", "an rv"),
        ("x-ray", "an x-ray"),
        ("lcd screen", "an lcd screen"),
        ("f-16", "an f-16"),
        ("8 wheeler", "an 8 wheeler"),
        ("80s car", "an 80s car"),
        ("1 way sign", "a 1 way sign"),
        ("11th floor", "an 11th floor"),
        ("house", "a house"),
        ("sign", "a sign"),
        ("ukulele", "a ukulele"),
        ("urinal", "a urinal"),
        ("u turn", "a u turn"),
        ("eucalyptus", "a eucalyptus"),
        ("one way sign", "a one way sign"),
        ("onesie", "an onesie"),
        ("uninhabited island", "an uninhabited island"),
    ],
)
def test_articles(words, said):
    assert with_article(words) == said
    assert plural(words) != words or said.startswith(("some", "a deer"))


def test_words_for_one_and_for_many():
    many = ["boxes", "bus stops", "bushes", "berries", "boys", "people", "policemen", "humans", "bookshelves", "sheep"]
    one = ["box", "bus stop", "bush", "berry", "boy", "person", "policeman", "human", "bookshelf", "sheep"]
    assert [plural_of(word) for word in one] == many
    articles = [article_of(word) for word in ("hour", "unicycle", "umbrella", "utility pole", "dry grass", "house")]
    assert articles == ["an", "a", "an", "a", "some", "a"]
    assert with_article("water", "green") == "some green water"
    assert with_article("other vehicle", "large") == "a large other vehicle"


def test_what_is_absent_is_of_the_mixture_or_of_the_datasets_own_list():
    rng = random.Random(3)
    for sensor, numbers in NUM_IMAGES.items():
        drawn = {absent_label(sensor, (), rng) for _ in range(3000)}
        assert drawn == {absent_label(sensor, (), rng, "vhr10") for _ in range(3000)} == set(numbers)
        for label in numbers:
            assert any(name.label == label and sensor in name.sensors for name in CLASSES)
    listed = {name.label for name in CLASSES if any(source.startswith("dior:") for source in name.sources)}
    assert {absent_label("optical", ("ship",), rng, "dior") for _ in range(800)} == listed - {"ship"}
    # Whoever sees a ship may see a liner: "no" would not be true.
    assert absent_label("infrared", ("ship",), rng, "sea_shipping") is None
    assert absent_label("infrared", ("liner",), rng, "sea_shipping") not in (None, "liner")
    # What an open vocabulary does not name may be there all the same.
    assert absent_label("optical", ("ship",), rng, "visual_genome") is None


def test_the_first_mixture_is_drawn_as_it_always_was():
    rng = random.Random(0)
    drawn = [absent_label(sensor, ("ship",), rng) for sensor in ("optical", "sar", "infrared") for _ in range(4)]
    assert drawn == [
        "bridge",
        "ground track field",
        "tennis court",
        "baseball diamond",
        "2s1",
        "boeing 737",
        "d7",
        "arj21",
        "car",
        "car",
        "bicycle",
        "car",
    ]


def test_scenes_have_one_name_each():
    assert len(set(SCENES.values())) == len(SCENES) == 30
