"""Without the extra `data`, what needs it says so in one sentence, and nothing else does."""

from __future__ import annotations

import subprocess
import sys

NEEDED = (
    ("pyarrow", "earthgptx.data.mixture"),
    ("pyarrow", "earthgptx.data.corpus.build"),
    ("fsspec", "earthgptx.data.mixture"),
    ("imagehash", "earthgptx.data.checks.check"),
)
WITHOUT = f"""
import importlib, sys
from earthgptx.errors import MissingExtra

for package in ("fsspec", "pyarrow", "imagehash", "openai"):
    sys.modules[package] = None
for module in ("datasets", "instructions", "sample_file", "source_stream", "corpus.manifest"):
    importlib.import_module(f"earthgptx.data.{{module}}")
importlib.import_module("earthgptx.cli")
for package in ("fsspec", "pyarrow", "imagehash"):
    del sys.modules[package]
for package, module in {NEEDED!r}:
    sys.modules[package] = None
    try:
        importlib.import_module(module)
    except MissingExtra as error:
        print(error)
    del sys.modules[package]
"""


def test_what_needs_the_extra_says_so():
    """In a process of its own, which can forget a package."""
    told = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    sentences = told.stdout.splitlines()
    assert len(sentences) == len(NEEDED)
    for sentence, (package, _) in zip(sentences, NEEDED, strict=True):
        assert package in sentence
        assert "pip install 'earthgptx[data]'" in sentence
