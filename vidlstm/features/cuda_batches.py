"""How a batch gets to a CUDA GPU and its features back, while the GPU works on the batch before.

Two threads take turns: one waits for the features of its batch, asleep, while the other copies its own on a
stream of its own and queues the network behind it. So the GPU has the next batch when it is done with one.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.backbones.base import Backbone

cuda: Any = torch.cuda  # parts of it have no types

THREADS = 2
PIECE = 32
"""Frames that one decode process hands over at a time; a batch is made of several."""


class CudaBatches:
    """Runs batches on one GPU.

    Args:
        backbone: on it.
        shape: of a batch, ``(B, H, W, C)``; every batch is run at this size.
    """

    def __init__(self, backbone: Backbone, shape: tuple[int, ...]) -> None:
        self._backbone, self._shape, self._device = backbone, shape, backbone.device
        self._own = threading.local()
        self._network = threading.Lock()
        self._pinned: list[np.ndarray] = []

    def pin(self, memory: np.ndarray) -> None:
        """Lets the GPU copy out of this memory by itself; where it cannot, copies take the usual way."""
        runtime = cuda.cudart()
        with cuda.device(self._device):
            if runtime.cudaHostRegister(memory.ctypes.data, memory.nbytes, 0) == runtime.cudaError.success:
                self._pinned.append(memory)

    def run(self, pieces: Sequence[np.ndarray], count: int) -> np.ndarray:
        """Features ``(count, F)`` float16 of pieces ``(n, H, W, C)``; what is beyond ``count`` is padding."""
        with cuda.device(self._device):
            network_stream = cuda.current_stream()
            frames_BHWC = self._copied(pieces)
            with self._network:  # which is compiled by the first that calls it
                network_stream.wait_stream(self._own.copies)
                frames_BHWC.record_stream(network_stream)
                features_BF = self._backbone(frames_BHWC)[:count].half()
                answer = torch.empty(features_BF.shape, dtype=features_BF.dtype, pin_memory=True)
                answer.copy_(features_BF, non_blocking=True)
                done = cuda.Event(blocking=True)
                done.record()
            done.synchronize()
        return answer.numpy()

    def _copied(self, pieces: Sequence[np.ndarray]) -> torch.Tensor:
        """A batch on the GPU, as far as this thread's own stream will have come."""
        if not hasattr(self._own, "copies"):
            self._own.copies = cuda.Stream()
        with cuda.stream(self._own.copies):
            frames_BHWC = torch.empty(self._shape, dtype=torch.uint8, device=self._device)
            row = 0
            for piece in pieces:
                frames_BHWC[row : row + len(piece)].copy_(torch.from_numpy(piece), non_blocking=True)
                row += len(piece)
        return frames_BHWC

    def close(self) -> None:
        """Gives pinned memory back; nothing may be running."""
        runtime = cuda.cudart()
        for memory in self._pinned:
            runtime.cudaHostUnregister(memory.ctypes.data)
        self._pinned.clear()
