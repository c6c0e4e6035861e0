"""The package's front door: what a user types after `import earthgptx as egx`."""

from __future__ import annotations

import subprocess
import sys

import pytest

import earthgptx

# A script that only names the package, to ask for its version or help, should not wait seconds for these.
HEAVY = ("torch", "transformers", "numpy", "PIL", "rasterio", "typer")


def test_importing_the_package_imports_nothing_else():
    code = f"import sys, earthgptx; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    assert result.stderr == ""


@pytest.mark.parametrize("name", earthgptx.__all__)
def test_every_public_name_is_there_and_stays_the_same(name: str):
    assert name in dir(earthgptx)
    first = getattr(earthgptx, name)
    assert getattr(earthgptx, name) is first


def test_shapes_and_scenes_need_no_torch():
    code = "import sys, earthgptx as egx; egx.Box(0, 0, 4, 4), egx.Scene; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Boxx'"):
        earthgptx.Boxx  # noqa: B018
    with pytest.raises(ImportError):
        exec("from earthgptx import nothing_of_the_kind")
