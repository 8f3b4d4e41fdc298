"""Where batches are run: on a CPU one thread per core, each with whole batches; on a GPU one thread.

Whole batches on one thread keep all cores busy beside the decoders; one batch spread over all cores makes
every layer wait for the core that a decoder has taken.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from vidlstm.backbones.cpu import available_cores, keep_freed_memory

if TYPE_CHECKING:
    from concurrent.futures import Future

    from vidlstm.backbones.base import Backbone


_LOCK = threading.Lock()


class Lanes:
    """Threads that run batches through one backbone.

    Args:
        backbone: what runs.
        batch_size: frames per forward pass; 0 takes what suits the device.
        threads: on a CPU; None takes all cores.
        small: batches come with few frames, which are not padded where that changes no bit.

    Attributes:
        most_under_way: batches worth having here at once. One more than there are threads, so that none is
            idle while its features are filed, and half as many again for when one is slower than the rest.
    """

    _open = 0
    """Lanes on the CPU in this process; until the last is closed MKL takes one thread, or bits change."""

    def __init__(
        self, backbone: Backbone, batch_size: int, *, threads: int | None = None, small: bool = False
    ) -> None:
        self._backbone = backbone
        self._on_cpu = backbone.device.type == "cpu"
        rows = backbone.frames_at_once(batch_size)
        self._shape = (rows, backbone.size.height, backbone.size.width, backbone.channels)
        threads = (threads or available_cores()) if self._on_cpu else 1
        self.most_under_way = threads + 1 + threads // 2
        self._executor = ThreadPoolExecutor(threads, "backbone", initializer=self._start)
        if self._on_cpu:
            keep_freed_memory()
            with _LOCK:
                Lanes._open += 1
        if small:
            self._executor.submit(backbone.allow_small_batches).result()

    def _start(self) -> None:
        if self._on_cpu:
            torch.set_num_threads(1)  # of this thread; those that exist already keep theirs

    def new_batch(self) -> np.ndarray:
        """An empty batch ``(B, H, W, C)`` uint8, for frames to be copied into.

        An array: torch would call up all its threads for every copy, and they would spin for a while after.
        """
        if self._on_cpu:
            return np.zeros(self._shape, np.uint8)
        return torch.zeros(self._shape, dtype=torch.uint8, pin_memory=True).numpy()

    def submit(self, batch: np.ndarray, count: int) -> Future[np.ndarray]:
        """Runs a batch when a thread is free.

        Args:
            batch: from :meth:`new_batch`; not to be written to any more.
            count: how many of its rows, from the first on, are frames.

        Returns:
            ``(count, F)`` float16.
        """
        return self._executor.submit(self._run, batch, count)

    def _run(self, batch: np.ndarray, count: int) -> np.ndarray:
        rows = batch[: self._backbone.rows_to_run(count, len(batch))]
        features: np.ndarray = self._backbone(torch.from_numpy(rows))[:count].half().cpu().numpy()
        return features

    def close(self) -> None:
        """Waits for the batches being run and drops those that wait."""
        self._executor.shutdown(cancel_futures=True)
        if self._on_cpu:
            with _LOCK:
                Lanes._open -= 1
                if not Lanes._open:
                    # What the lanes set is also MKL's number, and the default of threads started from now on.
                    torch.set_num_threads(torch.get_num_threads())
