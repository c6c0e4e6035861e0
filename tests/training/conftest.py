"""One fabricated data folder for all tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.make_all import make_all


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_all(tmp_path_factory.mktemp("data"))
