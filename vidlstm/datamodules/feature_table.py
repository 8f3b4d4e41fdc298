"""All features of a dataset in one contiguous tensor: in memory when they fit, in a mapped file when not."""

from __future__ import annotations

import math
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from vidlstm.devices import free_memory_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vidlstm.features.given import GivenStore
    from vidlstm.features.store import FeatureStore

R = TypeVar("R")
MEMORY_SHARE = 0.5
"""The share of the memory still free that features may take before they are mapped instead."""


class FeatureTable:
    """The features of some videos, one after another.

    Args:
        store: where they lie.
        hashes: the videos.
        map_above_bytes: map a file instead of holding more than this; None is half the free memory.

    Attributes:
        rows_NF: ``(sum of T, F)``, float16, or float32 of features that were made elsewhere.
    """

    def __init__(
        self, store: FeatureStore | GivenStore, hashes: Iterable[str], *, map_above_bytes: int | None = None
    ) -> None:
        unique = list(dict.fromkeys(hashes))
        lengths = list(_each(store.length, unique, store.readers))
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shape = (int(starts[-1]), store.spec.feature_dim)
        limit = free_memory_bytes() * MEMORY_SHARE if map_above_bytes is None else map_above_bytes
        dtype = torch.from_numpy(np.empty(0, store.dtype)).dtype
        self.is_mapped = math.prod(shape) * dtype.itemsize > limit
        self.rows_NF = (
            _mapped(store.local, shape, dtype) if self.is_mapped else torch.empty(shape, dtype=dtype)
        )
        self._start = dict(zip(unique, starts.tolist(), strict=False))
        whole_NF, begins = self.rows_NF.numpy(), starts.tolist()  # cut by torch it would take twice as long
        rows = {h: whole_NF[a:b] for h, a, b in zip(unique, begins, begins[1:], strict=False)}
        times = _each(lambda video: store.read_into(video, rows[video]), unique, store.readers)
        self._timestamps: dict[str, np.ndarray] = dict(zip(unique, times, strict=True))

    def rows_of(
        self, video_hash: str, start_seconds: float | None, end_seconds: float | None
    ) -> tuple[int, int]:
        """The rows ``[first, last)`` of a stretch of a video, by its timestamps.

        Times are in the container's own clock; None is the video's beginning or end. The range is empty
        where no sampled frame falls into it.
        """
        times = self._timestamps[video_hash]
        first = 0 if start_seconds is None else int(np.searchsorted(times, start_seconds - 1e-6))
        last = len(times) if end_seconds is None else int(np.searchsorted(times, end_seconds - 1e-6))
        return self._start[video_hash] + first, self._start[video_hash] + max(first, last)

    def times_of(self, video_hash: str) -> np.ndarray:
        """The times ``(T,)`` of a video's steps, in the container's own clock."""
        return self._timestamps[video_hash]

    def duration_of(self, video_hash: str) -> float:
        """Seconds from the first sampled frame to the last."""
        times = self._timestamps[video_hash]
        return float(times[-1] - times[0]) if len(times) else 0.0


def _each(read: Callable[[str], R], hashes: Sequence[str], readers: int) -> Iterator[R]:
    """What is read of each, in order; several at a time, of which few are held in memory."""
    if readers == 1:
        yield from map(read, hashes)
        return
    with ThreadPoolExecutor(readers, "read") as pool:
        for first in range(0, len(hashes), readers):
            yield from pool.map(read, hashes[first : first + readers])


def _mapped(folder: Path, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".table-", dir=folder)
    os.close(handle)
    rows = torch.from_file(name, shared=True, size=math.prod(shape), dtype=dtype).view(shape)
    if os.name == "posix":
        Path(name).unlink()  # the mapping keeps it alive; nothing is left behind, however the process ends
    return rows
