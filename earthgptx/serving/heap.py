"""Memory that was freed is given back to the system, where the C library does not do that by itself.

A batch of questions takes and frees some hundred megabytes in blocks of many sizes. glibc keeps them for later; the
next batch, whose lengths are others, fits into them only partly: the process would grow though it holds no more.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable


def give_back() -> Callable[[], None]:
    """What gives freed memory back; it does nothing where the C library has no `malloc_trim` (musl, macOS)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return lambda: None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return lambda: trim(0)
