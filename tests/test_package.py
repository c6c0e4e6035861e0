"""The package as an installation sees it: its version, and a command line that starts at once."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import earthgptx


def test_the_versions_agree():
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["project"]["version"] == earthgptx.__version__


def test_importing_the_command_line_loads_nothing_heavy():
    heavy = "torch", "transformers", "rasterio", "PIL"
    code = f"import sys, earthgptx.cli; print(sorted(set(sys.modules) & set({heavy!r})))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    assert run.stderr == ""
