"""Batches of frames through a detector, several at once, results in order.

On a CPU a lane has two threads, and there is one lane more than pairs of cores, so that cores have work
while a lane waits for Python or for the core that the decoder has taken. Measured on two cores, 160 frames,
network alone 44 frames/s: 2 lanes of 2 threads 38, 1 of 2: 33, 2 of 1: 33, 3 of 1: 33. On a GPU there is
one lane.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from vidlstm.backbones.cpu import available_cores, keep_freed_memory
from vidlstm.tracking.read_ahead import held_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from vidlstm.structures import Detections, Frame
    from vidlstm.tracking.detector import Detector

    Pair = tuple[Frame, np.ndarray]

BATCH = {"cpu": 4, "cuda": 16}
"""Frames that go through the network together, by device."""
THREADS = 2
"""Of a lane on a CPU."""
MOST_BYTES = 1 << 28
"""Of the pictures of a batch; a larger one goes alone."""


def detect_frames(
    frames: Iterable[Pair], detector: Detector, *, batch_size: int = 0
) -> Iterator[tuple[Frame, Detections]]:
    """Detects in every frame; gives each frame with what was found in it, in order.

    Args:
        frames: frames and what ``detector.prepare`` made of each.
        detector: the network.
        batch_size: frames that go through it together; 0 takes what suits the device. A frame's detections
            do not depend on it but for the last bits.
    """
    size = batch_size or BATCH.get(detector.device.type, 1)
    on_cpu = detector.device.type == "cpu"
    lanes = 1 + available_cores() // THREADS if on_cpu else 1
    waiting: deque[tuple[list[Pair], Future[list[Detections]]]] = deque()
    pool = ThreadPoolExecutor(lanes, "detect", initializer=_start if on_cpu else None)
    if on_cpu:
        keep_freed_memory()
    try:
        for batch in batches(frames, size):
            waiting.append((batch, pool.submit(_run, detector, batch)))
            if len(waiting) > lanes + 1:
                yield from _finished(*waiting.popleft())
        while waiting:
            yield from _finished(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)
        if on_cpu:
            torch.set_num_threads(torch.get_num_threads())  # what a lane set is the default of new threads


def batches(frames: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    """Lists of up to ``size`` frames that follow each other, are alike in size and fit in ``MOST_BYTES``."""
    stream = iter(frames)
    held: list[Pair] = []
    for pair in stream:
        alike = held and pair[1].shape == held[0][1].shape
        if held and not (alike and held_bytes(pair[0]) * (len(held) + 1) <= MOST_BYTES):
            yield held
            held = []
        held.append(pair)
        if len(held) == size:
            yield held
            held = []
    yield from ([held] if held else [])


def _start() -> None:
    torch.set_num_threads(min(THREADS, available_cores()))  # of this thread; others keep theirs


def _run(detector: Detector, batch: list[Pair]) -> list[Detections]:
    return detector(np.stack([prepared for _, prepared in batch]), batch[0][0].image.shape[:2])


def _finished(batch: list[Pair], future: Future[list[Detections]]) -> Iterator[tuple[Frame, Detections]]:
    for (frame, _), found in zip(batch, future.result(), strict=True):
        yield frame, found
