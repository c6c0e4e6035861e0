"""A corpus from the command line: built, checked, and shown, with its images beside it and in it."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from earthgptx.cli import app
from earthgptx.data.mixture import Mixture
from tests.fixtures.make_all import make_all


@pytest.fixture(scope="module", params=["beside", "embedded"])
def built(request, tmp_path_factory):
    """(corpus, options that say where its images are)."""
    folder = tmp_path_factory.mktemp("built")
    root, out = make_all(folder / "root"), folder / "out"
    options = ["--root", str(root), "--out", str(out), "--only", "ssdd", "--only", "mstar", "--workers", "1"]
    options += ["--embed"] if request.param == "embedded" else []
    result = CliRunner().invoke(app, ["data", "build", "mrsvp", *options])
    assert result.exit_code == 0, result.output
    return str(out), ["--data", str(root)] if request.param == "beside" else []


def test_a_built_corpus_passes_its_check(built, tmp_path):
    corpus, images = built
    report = tmp_path / "report.json"
    result = CliRunner().invoke(app, ["data", "check", corpus, *images, "--json", str(report)])
    assert result.exit_code == 0, result.output
    written = json.loads(report.read_text())
    assert {row["source"] for row in written["counts"]} == {"ssdd", "mstar"}
    assert written["problems"] == []


def test_a_contact_sheet_is_drawn_of_a_corpus(built, tmp_path):
    corpus, images = built
    sheet = tmp_path / "sheet.png"
    options = ["--corpus", corpus, *images, "--split", "train", "--task", "segment_region", "--out", str(sheet)]
    result = CliRunner().invoke(app, ["data", "show", *options, "--count", "2", "--dataset", "ssdd"])
    assert result.exit_code == 0, result.output
    with Image.open(sheet) as opened:
        assert opened.width > 900


def test_every_row_of_a_corpus_comes_through_the_loader(built):
    corpus, _ = built
    mixture = Mixture(corpus, repeats=False)
    assert len({item.sample.id for item in mixture}) == mixture.num_rows == mixture.corpus.manifest.num_samples


def test_show_needs_to_know_where_samples_come_from(tmp_path):
    result = CliRunner().invoke(app, ["data", "show", "--out", str(tmp_path / "sheet.png")])
    assert result.exit_code == 2
    assert "--corpus" in result.stderr
