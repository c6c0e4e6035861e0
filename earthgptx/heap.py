"""Memory that was freed: whether this process keeps it for the next step, or gives it back to the system.

The system hands out memory page by page, each first cleared; tensors of a few megabytes, taken and freed a thousand
times a step, would wait for it each time. Both wishes are the C library's to fulfil; elsewhere than with glibc
(musl, macOS) they do nothing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's malloc.h
_NEVER = -1


def keep_freed() -> None:
    """From now on this process keeps what it frees: for one that is all steps."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_MAX, 0)  # no block comes from the system for itself alone, to go back there when it is freed
        set_option(_TRIM_THRESHOLD, _NEVER)


def give_back() -> Callable[[], None]:
    """What gives all freed memory back.

    A batch of questions takes and frees some hundred megabytes in blocks of many sizes. The next batch, whose lengths
    are others, fits into them only partly: the process would grow though it holds no more.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return lambda: None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return lambda: trim(0)
