"""`earthgptx data`: list, build and describe, with what a user gets wrong in one sentence each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earthgptx.data.datasets import DATASETS
from tests.fixtures.make_all import make_all
from tests.test_cli import refused, run


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_all(tmp_path_factory.mktemp("sources"), "val")


@pytest.mark.parametrize("verb", ["build", "describe", "list"])
def test_help_has_an_example(verb: str):
    result = run("data", verb, "--help")
    assert result.exit_code == 0
    assert f"Example: earthgptx data {verb}" in " ".join(result.stdout.split())


def test_list_names_every_source_without_a_folder():
    result = run("data", "list", "--json")
    listed = json.loads(result.stdout)
    assert [row["name"] for row in listed] == list(DATASETS)
    assert {"domain", "sensor", "tasks", "home"} <= set(listed[0])
    assert run("data", "list").exit_code == 0
    assert run("data", "list", "--markdown").stdout.startswith("# Sources")


def test_list_counts_what_a_folder_holds(root: Path):
    listed = json.loads(run("data", "list", "--root", str(root), "--json").stdout)
    assert {row["data set"]: row["images"] for row in listed}["vhr10"] == 4


def test_build_and_describe(root: Path, tmp_path: Path):
    out = tmp_path / "mrsvp"
    result = run("data", "build", "mrsvp", "--root", str(root), "--out", str(out), "--workers", "1")
    assert result.exit_code == 0, result.output
    assert "samples of 6 splits" in result.stdout
    assert "dota_v2 is not there. Home: https://" in result.stderr
    assert "quarantine.jsonl" in result.stderr
    described = run("data", "describe", str(out))
    assert described.exit_code == 0
    for words in ("samples by source and task", "samples by source and mark", "sar_acd", "Seed 0"):
        assert words in described.stdout
    manifest = json.loads(run("data", "describe", str(out), "--json").stdout)
    total = sum(count["num_samples"] for count in manifest["counts"])
    assert f"{total:,} samples" in result.stdout
    assert "| vhr10 |" in run("data", "describe", str(out), "--markdown").stdout


def test_your_own_labels_alone(root: Path, tmp_path: Path):
    own = ("--own", str(root / "ssdd"), "--own-sensor", "sar")
    result = run("data", "build", "mrsvp", *own, "--out", str(tmp_path / "out"), "--workers", "1")
    assert result.exit_code != 0  # a source of the table is not one's own
    assert "ssdd" in result.stderr
    mine = (root / "ssdd").rename(root / "My Ships")
    own = ("--own", str(mine), "--own-sensor", "sar")
    result = run("data", "build", "mrsvp", *own, "--out", str(tmp_path / "out"), "--workers", "1")
    mine.rename(root / "ssdd")
    assert result.exit_code == 0, result.output
    assert "is not there" not in result.stderr
    assert list((tmp_path / "out" / "samples").glob("my_ships-val-*.parquet"))


def test_bad_input_is_one_sentence(root: Path, tmp_path: Path):
    out = ("--out", str(tmp_path / "out"))
    there = ("--root", str(root))
    refused(run("data", "build", "imagenet", *there, *out), "imagenet", "mrsvp")
    refused(run("data", "build", "mrsvp", *out), "--root", "--own")
    refused(run("data", "build", "mrsvp", "--root", str(tmp_path / "none"), *out), "none")
    refused(run("data", "build", "mrsvp", "--root", str(tmp_path), *out), "none of the sources")
    refused(run("data", "build", "mrsvp", *there, *out, "--only", "vhr1O"), "vhr1O", "vhr10")
    refused(run("data", "build", "mrsvp", *there, *out, "--noise", "pink"), "pink", "gaussian")
    refused(run("data", "build", "mrsvp", *there, *out, "--tile-overlap", "5000"), "5000", "1024")
    refused(run("data", "build", "mrsvp", *there, *out, "--tile-above", "100"), "100", "1024")
    refused(run("data", "build", "mrsvp", *there, *out, "--own", str(root)), "--own-sensor")
    refused(run("data", "build", "mrsvp", *there, *out, "--own", str(root), "--own-sensor", "sonar"), "sonar")
    refused(run("data", "describe", str(tmp_path)), "manifest.json")
    (tmp_path / "manifest.json").write_text("{}")
    refused(run("data", "describe", str(tmp_path)), "manifest")
