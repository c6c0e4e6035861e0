"""The six fabricated sets, and the corpus that is built of them, once for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from earthgptx.data.corpus.build import build
from tests.fixtures.make_all import make_all


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    make_all(folder, "train")
    return make_all(folder, "val")


@pytest.fixture(scope="session")
def corpus(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "mrsvp"
    build(root, out, num_workers=1)
    return out
