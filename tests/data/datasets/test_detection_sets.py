"""What holds for every optical and SAR detection set: unique ids, boxes in the image, tasks that can be served."""

from __future__ import annotations

import random
import sys

import pytest

from earthgptx.data.datasets import DATASETS
from earthgptx.data.instructions import TASKS, make_sample
from earthgptx.data.sample import check_sample
from tests.fixtures.make_air_sarship import make_air_sarship
from tests.fixtures.make_dior import make_dior
from tests.fixtures.make_dota import make_dota
from tests.fixtures.make_msar import make_msar
from tests.fixtures.make_rsvg import make_dior_rsvg, make_opt_rsvg
from tests.fixtures.make_sar_aircraft import make_sar_aircraft
from tests.fixtures.make_sardet import make_sardet
from tests.fixtures.make_ssdd_official import make_ssdd_official

NAMES = (
    "dior",
    "dior_rsvg",
    "opt_rsvg",
    "dota_v1",
    "dota_v2",
    "ssdd_official",
    "air_sarship",
    "sardet_100k",
    "msar",
    "sar_aircraft",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    for make in (make_dior, make_dota, make_ssdd_official, make_sardet, make_sar_aircraft):
        make(folder, "train")
    make_dota(folder, "train", "v2.0")
    for make_all_splits in (make_dior_rsvg, make_opt_rsvg, make_air_sarship, make_msar):
        make_all_splits(folder)
    return folder


def images_of(root, name):
    return list(DATASETS[name].read(root, "train", [].append))


def test_ids_are_unique_over_all_sets(root):
    ids = [image.id for name in NAMES for image in images_of(root, name)]
    assert len(ids) == len(set(ids)) > len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_images_agree_with_their_row(root, name):
    source = DATASETS[name]
    assert source.has(root, "train")
    assert (root / source.folder).is_dir()
    for image in images_of(root, name):
        assert (image.dataset, image.sensor) == (name, source.sensor)
        assert image.id.startswith(f"{name}/train/")
        assert image.path.is_relative_to(root / source.folder)
        for item in image.objects:
            assert item.box.area > 0
            assert item.box == item.box.clipped(image.width, image.height)


@pytest.mark.parametrize("name", NAMES)
def test_every_task_of_the_row_can_be_served(root, name):
    images = images_of(root, name)
    for task in DATASETS[name].tasks:
        assert task in TASKS
        made = [make_sample(image, task, random.Random(seed)) for image in images for seed in range(10)]
        samples = [check_sample(sample) for sample in made if sample is not None]
        # One object in an image has no other to be related to: these small folders have none of two.
        assert samples or (task == "relation" and all(len(image.objects) < 2 for image in images)), task


@pytest.mark.parametrize("name", NAMES)
def test_the_module_says_what_the_set_is(name):
    about = sys.modules[f"earthgptx.data.datasets.{name}"].__doc__
    keys = [line.split(":")[0] for line in about.splitlines() if line[:1].isupper() and ": " in line]
    assert [key for key in keys if key in _KEYS] == list(_KEYS)


_KEYS = ("Size", "Classes", "Layout", "Terms", "Citation", "Home")
