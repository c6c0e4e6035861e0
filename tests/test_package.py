"""The package's front door: every public name is there, and none costs anything before it is asked for."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import earthgptx


@pytest.mark.parametrize("name", earthgptx.__all__)
def test_every_public_name_is_there(name: str):
    assert getattr(earthgptx, name) is not None
    assert name in dir(earthgptx)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Scenes'"):
        _ = earthgptx.Scenes


def test_importing_the_package_or_the_command_line_loads_nothing_heavy():
    heavy = "torch", "transformers", "rasterio", "PIL"
    code = f"import sys, earthgptx.cli; print(sorted(set(sys.modules) & set({heavy!r})))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    assert run.stderr == ""


def test_the_versions_agree():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == earthgptx.__version__
