"""Features of one video here and now: no store, no other process.

The pipeline in ``extract.py`` is for many videos and for damaged ones; this is for one that is at hand, in a
program that stays loaded. Both run the same batches through the same lanes, so that a frame gives the same
features bit for bit.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.features.lanes import Lanes
from vidlstm.features.store import storable
from vidlstm.structures import FeatureSequence
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler
from vidlstm.video.views import with_views

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from vidlstm.backbones.base import Backbone


def features_of_video(
    source: str | Path | np.ndarray,
    backbone: Backbone,
    *,
    fps: float,
    decoder: Any = "auto",
    image_fps: float = 25.0,
    batch_size: int = 0,
    lanes: Lanes | None = None,
) -> FeatureSequence:
    """The features of one video at a steady rate.

    Args:
        source: a file, a folder of images, or RGB uint8 frames ``(T, H, W, 3)`` of any size.
        backbone: the frozen network.
        fps: features per second of video.
        decoder: see ``SamplingSettings``.
        image_fps: the rate of a folder of images, and of frames in memory.
        batch_size: frames per forward pass; 0 takes what suits the device.
        lanes: where batches run; None starts lanes of this call's own.

    Raises:
        VideoError: the video cannot be read.
        StoreError: a feature is not a number.
    """
    with open_video(
        source, decoder=decoder, size=backbone.size, wanted=SteadySampler(fps), image_fps=image_fps
    ) as reader:
        shown = ((frame.timestamp_seconds, view) for frame, view in with_views(reader, backbone.views))
        times, features = features_of_frames(shown, backbone, batch_size=batch_size, lanes=lanes)
        return FeatureSequence(storable(features, reader.info.path), times, reader.truncated)


def features_of_frames(
    frames: Iterable[tuple[float, np.ndarray]],
    backbone: Backbone,
    *,
    batch_size: int = 0,
    lanes: Lanes | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Times ``(T,)`` float64 and features ``(T, F)`` float16 of frames of the backbone's size and views."""
    own = lanes or Lanes(backbone, batch_size)
    times, parts = list[float](), [np.zeros((0, backbone.feature_dim), np.float16)]
    try:
        under_way: deque[Future[np.ndarray]] = deque()
        for batch, seconds in _batches(frames, own):
            times += seconds
            under_way.append(own.submit([batch], len(seconds)))
            while len(under_way) >= own.most_under_way:
                parts.append(under_way.popleft().result())
        parts += [future.result() for future in under_way]
    finally:
        if lanes is None:
            own.close()
    return np.array(times, np.float64), np.concatenate(parts)


def _batches(
    frames: Iterable[tuple[float, np.ndarray]], lanes: Lanes
) -> Iterator[tuple[np.ndarray, list[float]]]:
    batch, seconds = lanes.new_batch(), list[float]()
    for time, shown in frames:
        batch[len(seconds)] = shown
        seconds.append(time)
        if len(seconds) == len(batch):
            yield batch, seconds
            batch, seconds = lanes.new_batch(), []
    if seconds:
        yield batch, seconds
