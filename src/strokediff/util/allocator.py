"""Freed memory is kept for the next layer, where the C library lets a program say so."""

from __future__ import annotations

import ctypes
import os
import platform

# malloc.h of glibc; see mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have malloc keep what is freed, in one heap for all threads. Whether it was told so.

    A layer's output is tens of megabytes. By default glibc takes each from the system and gives
    it back, and the system fills the pages with zeros every time: up to two fifths of the
    network's time at 448 x 448 (docs/inference.md). The peak stays; less is returned after it.
    For the owner of the process to call, before it starts threads. A user's own MALLOC_* settings
    win; other C libraries are left alone.
    """
    if platform.libc_ver()[0] != "glibc" or any(k.startswith("MALLOC_") for k in os.environ):
        return False
    settings = ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST_INT))
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(option, value) == 1 for option, value in settings)
