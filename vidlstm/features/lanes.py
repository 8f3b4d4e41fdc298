"""Where batches are run: on a CPU one thread per core, each with whole batches; for a GPU two take turns.

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
from vidlstm.features import cuda_batches
from vidlstm.features.cuda_batches import CudaBatches

if TYPE_CHECKING:
    from collections.abc import Sequence
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
        rows: frames of a piece: on a GPU a batch is made of several, elsewhere of one.
        pieces: so many, where they are full.
    """

    _open = 0
    """Lanes on the CPU in this process; until the last is closed MKL takes one thread, or bits change."""

    def __init__(
        self, backbone: Backbone, batch_size: int, *, threads: int | None = None, small: bool = False
    ) -> None:
        self._backbone = backbone
        self._on_cpu = backbone.device.type == "cpu"
        batch_size = self.rows = backbone.frames_at_once(batch_size)
        self._shape = (batch_size, backbone.size.height, backbone.size.width, backbone.channels)
        self._cuda = CudaBatches(backbone, self._shape) if backbone.device.type == "cuda" else None
        if self._cuda:
            threads, self.rows = cuda_batches.THREADS, min(cuda_batches.PIECE, batch_size)
        else:
            threads = (threads or available_cores()) if self._on_cpu else 1
        self.pieces = batch_size // self.rows
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

    def reads(self, memory: np.ndarray) -> None:
        """Batches will come out of this memory, which stays until these lanes are closed."""
        if self._cuda:
            self._cuda.pin(memory)

    def submit(self, pieces: Sequence[np.ndarray], count: int) -> Future[np.ndarray]:
        """Runs a batch when a thread is free.

        Args:
            pieces: its frames ``(n, H, W, C)``, one piece after the other, and not to be written to until
                the features are there. One alone may be from :meth:`new_batch`.
            count: how many of them, from the first on, are frames; the others are padding.

        Returns:
            ``(count, F)`` float16.
        """
        return self._executor.submit(self._cuda.run if self._cuda else self._run, pieces, count)

    def _run(self, pieces: Sequence[np.ndarray], count: int) -> np.ndarray:
        batch = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        rows = batch[: self._backbone.rows_to_run(count, len(batch))]
        features: np.ndarray = self._backbone(torch.from_numpy(rows))[:count].half().cpu().numpy()
        return features

    def close(self) -> None:
        """Waits for the batches being run and drops those that wait."""
        self._executor.shutdown(cancel_futures=True)
        if self._cuda:
            self._cuda.close()
        if self._on_cpu:
            with _LOCK:
                Lanes._open -= 1
                if not Lanes._open:
                    # What the lanes set is also MKL's number, and the default of threads started from now on.
                    torch.set_num_threads(torch.get_num_threads())
