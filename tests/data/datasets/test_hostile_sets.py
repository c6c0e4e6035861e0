"""Every dataset with one of its files damaged: what is whole is read, the rest reported, and nothing else raised."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earthgptx.data.datasets import DATASETS
from tests.fixtures import make_infiray
from tests.fixtures.hostile import check, damaged_bytes
from tests.fixtures.make_air_sarship import make_air_sarship
from tests.fixtures.make_chips import make_mstar, make_sar_acd_release
from tests.fixtures.make_coco import make_ssdd, make_vhr10_release
from tests.fixtures.make_dior import make_dior
from tests.fixtures.make_dota import make_dota
from tests.fixtures.make_hituav import make_hituav, make_hituav_rotate_json, make_hituav_xml
from tests.fixtures.make_msar import make_msar
from tests.fixtures.make_openimages import make_openimages
from tests.fixtures.make_rsicd import make_rsicd, make_rsicd_release
from tests.fixtures.make_rsvg import make_dior_rsvg, make_opt_rsvg
from tests.fixtures.make_rsvp import make_rsvp
from tests.fixtures.make_sar_aircraft import make_sar_aircraft
from tests.fixtures.make_sardet import make_sardet
from tests.fixtures.make_ssdd_official import make_ssdd_official, make_ssdd_official_coco
from tests.fixtures.make_visual_genome import make_visual_genome

MAKERS = [
    ("vhr10", make_vhr10_release, ()),
    ("ssdd", make_ssdd, ("train",)),
    ("hituav", make_hituav, ("train",)),
    ("hituav", make_hituav_rotate_json, ("train",)),
    ("hituav", make_hituav_xml, ("train", "normal_xml")),
    ("rsicd", make_rsicd, ("train",)),
    ("rsicd", make_rsicd_release, ()),
    ("sar_acd", make_sar_acd_release, ()),
    ("mstar", make_mstar, ("train",)),
    ("dior", make_dior, ("train",)),
    ("dior_rsvg", make_dior_rsvg, ()),
    ("opt_rsvg", make_opt_rsvg, ()),
    ("dota_v1", make_dota, ("train",)),
    ("dota_v2", make_dota, ("train", "v2.0")),
    ("ssdd_official", make_ssdd_official, ("train",)),
    ("ssdd_official", make_ssdd_official_coco, ("train",)),
    ("air_sarship", make_air_sarship, ()),
    ("sardet_100k", make_sardet, ("train",)),
    ("msar", make_msar, ()),
    ("sar_aircraft", make_sar_aircraft, ("train",)),
    ("sea_shipping", make_infiray.make_voc, ("sea_shipping",)),
    ("infrared_security", make_infiray.make_yolo, ("infrared_security",)),
    ("aerial_mancar", make_infiray.make_voc, ("aerial_mancar",)),
    ("double_light_vehicle", make_infiray.make_yolo, ("double_light_vehicle",)),
    ("openimages", make_openimages, ("train",)),
    ("visual_genome", make_visual_genome, ()),
    ("rsvp", make_rsvp, ("train",)),
]


def test_every_dataset_is_here():
    assert {name for name, _, _ in MAKERS} == set(DATASETS)


@pytest.mark.parametrize(("name", "make", "arguments"), MAKERS)
def test_a_damaged_file(tmp_path, name, make, arguments):
    make(tmp_path, *arguments)
    contents = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    labels = [path for path in contents if path.suffix in (".json", ".xml", ".txt", ".csv")]

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(labels or list(contents)), st.data())
    def search(path, data):
        path.write_bytes(data.draw(damaged_bytes(contents[path])))
        try:
            check(lambda on_broken: DATASETS[name].read(tmp_path, "train", on_broken))
        finally:
            path.write_bytes(contents[path])

    search()
