"""Freed memory stays or goes, as it was asked for."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

MEGABYTES = 200
ASK = f"""
import resource, sys
from earthgptx import heap

SIZE = int(sys.argv[1]) << 20

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if "keep" in sys.argv:
    heap.keep_freed()
def step():
    blocks = [b"x" * SIZE for _ in range(({MEGABYTES} << 20) // SIZE)]
step()
if "give back" in sys.argv:
    heap.give_back()()
before = faults()
step()
print(faults() - before)
"""


def new_pages(size: int, *wishes: str) -> int:
    """How many pages the second of two equal steps gets from the system, in blocks of so many megabytes."""
    words = [sys.executable, "-c", ASK, str(size), *wishes]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
@pytest.mark.parametrize("size", [1, 50])  # more than 32 MB glibc never keeps by itself
def test_what_is_kept_need_not_come_again_until_it_is_given_back(size: int):
    pages = MEGABYTES << 8  # of 4 kB
    assert new_pages(size, "keep") < pages / 10
    assert new_pages(size, "keep", "give back") > pages / 2
