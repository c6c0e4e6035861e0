"""METEOR's program answered the lines below once; its own scores of them are kept beside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from earthgptx.errors import MetricUnavailable
from earthgptx.evaluation.metrics.bootstrap import interval
from earthgptx.evaluation.metrics.meteor import (
    NUM_COUNTS,
    find_jar,
    find_java,
    meteor_counts,
    meteor_of,
    meteor_of_counts,
)

CAPTIONS = (
    # caption, references, counts, METEOR
    ("the ship is on the port", ("the ship lies on the port", "a big ship is here"),
     "6 6 4 3 2 2 3 3 0 0 0 0 0 0 0 0 0 1 1 0 1 6 6", 0.9085173501577287),
    ("many green trees", ("many green trees are here",),
     "3 5 0 1 3 3 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 3 3", 0.3762254489108673),
    ("a white plane is parked", ("a white airplane parked near the terminal",),
     "5 7 2 2 2 2 1 1 0 0 0 0 1 1 0 0 0 0 0 0 2 4 4", 0.27888787720558134),
    ("", ("a ship",), "0 2 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0", 0.0),
    ("grey cars", ("grey cars",), "2 2 0 0 2 2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 2 2", 1.0),
    ("ships", ("ship",), "1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0", 0.0),
    ("xyz", ("a ship",), "1 2 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0", 0.0),
    ("a", ("a",), "1 1 1 1 0 0 1 1 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1", 1.0),
)  # fmt: skip
WHOLE = 0.35823246697872785
COUNTS = np.array([counts.split() for _, _, counts, _ in CAPTIONS], dtype=float)


def java_that(folder: Path, lines: str) -> Path:
    program = folder / "java"
    program.write_text(f"#!/bin/sh\n{lines}\n")
    program.chmod(0o755)
    return program


def test_scores_of_captions_are_the_programs():
    assert meteor_of_counts(COUNTS) == pytest.approx([score for *_, score in CAPTIONS], abs=1e-12)


def test_the_corpus_is_scored_by_sums_and_not_by_the_mean():
    assert meteor_of(COUNTS)(np.ones((1, len(CAPTIONS)))) == pytest.approx([WHOLE], abs=1e-12)
    assert np.mean([score for *_, score in CAPTIONS]) > WHOLE + 0.05


def test_the_order_does_not_matter_and_perfect_is_perfect():
    ones = np.ones((1, len(CAPTIONS)))
    assert meteor_of(COUNTS[::-1])(ones) == pytest.approx(meteor_of(COUNTS)(ones))
    assert meteor_of(COUNTS[[4, 7, 4]])(np.ones((1, 3))) == pytest.approx([1])
    found = interval(meteor_of(COUNTS), len(CAPTIONS), resamples=100)
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.slow
def test_the_program_gives_these_counts():
    try:
        counts = meteor_counts([one[0] for one in CAPTIONS], [one[1] for one in CAPTIONS])
    except MetricUnavailable as reason:
        pytest.skip(str(reason))
    assert counts.tolist() == COUNTS.tolist()


@pytest.mark.slow
def test_corpus_and_captions_agree_with_pycocoevalcap():
    meteor = pytest.importorskip("pycocoevalcap.meteor.meteor", reason="METEOR is in the eval extra")
    try:
        find_java()
    except MetricUnavailable as reason:
        pytest.skip(str(reason))
    truth = {place: list(one[1]) for place, one in enumerate(CAPTIONS)}
    score, scores = meteor.Meteor().compute_score(truth, {place: [one[0]] for place, one in enumerate(CAPTIONS)})
    assert score == pytest.approx(WHOLE, abs=1e-12)
    assert scores == pytest.approx(meteor_of_counts(COUNTS).tolist(), abs=1e-12)


def test_one_program_scores_all_captions(tmp_path: Path):
    pytest.importorskip("pycocoevalcap", reason="METEOR is in the eval extra")
    line = CAPTIONS[1][2]
    java = java_that(tmp_path, f"echo started >> {tmp_path}/starts; tee {tmp_path}/asked | sed 's/.*/{line}/'")
    counts = meteor_counts(["a ship", "trees"], [["one ship", "a boat"], ["green trees"]], java=java)
    assert counts.shape == (2, NUM_COUNTS)
    assert (tmp_path / "starts").read_text() == "started\n"
    assert (
        tmp_path / "asked"
    ).read_text() == "SCORE ||| one ship ||| a boat ||| a ship\nSCORE ||| green trees ||| trees\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("cat > /dev/null; echo no memory >&2; exit 3", "gave 0 lines for 2 captions and ended with code 3: no memory"),
        ("cat > /dev/null; echo 1 2 3; echo 4", "gave 2 lines for 2 captions and ended with code 0: it says nothing"),
    ],
)
def test_a_program_that_fails_is_named(tmp_path: Path, lines: str, message: str):
    pytest.importorskip("pycocoevalcap", reason="METEOR is in the eval extra")
    with pytest.raises(MetricUnavailable, match=message):
        meteor_counts(["a", "b"], [["a"], ["b"]], java=java_that(tmp_path, lines))


def test_java_is_looked_for_in_its_home_and_then_on_the_path(tmp_path: Path):
    (tmp_path / "home" / "bin").mkdir(parents=True)
    (tmp_path / "path").mkdir()
    on_path = java_that(tmp_path / "path", "")
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path")}
    assert find_java(environment) == on_path  # the home has none
    in_home = java_that(tmp_path / "home" / "bin", "")
    assert find_java(environment) == in_home
    with pytest.raises(MetricUnavailable, match="none on PATH or in JAVA_HOME"):
        find_java({"PATH": str(tmp_path)})


def test_without_the_package_its_program_is_missed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetricUnavailable, match="comes with pycocoevalcap, the extra eval"):
        find_jar()


def test_captions_without_their_references_are_refused():
    with pytest.raises(ValueError, match="2 captions do not belong to 1"):
        meteor_counts(["a", "b"], [["a"]])
