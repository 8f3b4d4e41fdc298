"""What networks need to know of the processor they run on."""

from __future__ import annotations

import contextlib
import ctypes
import os


def available_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_freed_memory(megabytes: int = 256) -> None:
    """Stops glibc from giving the memory of every layer's activations back to the system.

    The system clears it anew for the next layer, which took 5 to 20 % of a network's time with several
    threads at work. Elsewhere than on glibc, nothing is changed.

    Args:
        megabytes: how much may lie idle; what is freed beyond it goes back.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    with contextlib.suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        if hasattr(libc, "gnu_get_libc_version"):
            libc.mallopt(trim_threshold, megabytes << 20)
            libc.mallopt(mmap_threshold, 32 << 20)
