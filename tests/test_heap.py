"""Freed memory stays or goes, as it was asked for."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

MEGABYTES = 200
ASK = f"""
import resource, sys
import numpy as np
from earthgptx import heap

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if "keep" in sys.argv:
    heap.keep_freed()
def step():
    for block in [np.ones(1 << 20, np.uint8) for _ in range({MEGABYTES})]:
        del block
step()
if "give back" in sys.argv:
    heap.give_back()()
before = faults()
step()
print(faults() - before)
"""


def new_pages(*wishes: str) -> int:
    """How many pages the second of two equal steps gets from the system."""
    return int(subprocess.run([sys.executable, "-c", ASK, *wishes], check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_what_is_kept_need_not_come_again_until_it_is_given_back():
    pages = MEGABYTES << 8  # of 4 kB
    assert new_pages("keep") < pages / 10
    assert new_pages("keep", "give back") > pages / 2
