"""What networks need to know of the processor they run on."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


_processes = 1
"""How many have the cores of this one."""


def available_cores() -> int:
    """The cores this process may use, or its share of them; see :func:`sharing_cores`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // _processes)


@contextlib.contextmanager
def sharing_cores(processes: int) -> Iterator[None]:
    """Leaves the other processes of this machine their part of the cores, in the block.

    Args:
        processes: that have the same cores, this one among them.
    """
    global _processes
    before, _processes = _processes, processes
    try:
        yield
    finally:
        _processes = before


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
