"""Sizes and names that keep code readable: short files, short functions, no attic, nothing left undone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80
ATTICS = {"util", "utils", "helper", "helpers", "common", "misc"}
# Written in halves, or this file would find itself.
UNDONE = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b")


def python_files() -> list[Path]:
    """Every Python file that the repository keeps, as a path below its root."""
    folders = ("earthgptx", "recipes", "tests", "benchmarks")
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("file", python_files(), ids=str)
def test_file_is_within_budget(file: Path):
    text = (ROOT / file).read_text(encoding="utf-8")
    num_lines = text.count("\n")
    assert num_lines <= MAX_FILE_LINES, f"{file} has {num_lines} lines, at most {MAX_FILE_LINES} are allowed"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{file}:{node.lineno}: {node.name} has {length} lines"
    assert file.stem not in ATTICS, f"{file}: name a file after what it holds"
    undone = UNDONE.search(text)
    assert undone is None, f"{file} still says {undone.group() if undone else ''}"


@pytest.mark.parametrize("file", [f for f in python_files() if f.parts[0] in ("earthgptx", "recipes")], ids=str)
def test_file_says_what_it_is(file: Path):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    if tree.body:
        assert ast.get_docstring(tree), f"{file} has no module docstring"


def test_typed_marker_ships():
    assert (ROOT / "earthgptx" / "py.typed").exists()
