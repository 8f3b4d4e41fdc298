"""What a network is shown of each frame: the picture itself, or how it has changed.

A network trained on single pictures sees appearance; shown the difference of two frames it sees outlines of
what moves, and no background. Networks for fights do best on that: Sudhakaran and Lanz 2017, "Learning to
detect violent videos using convolutional long short-term memory".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vidlstm.structures import Frame

MOTION_GAIN = 3
"""Differences are mostly small; brightened by this, they fill the range a network for pictures expects."""


def motion(before_HWC: np.ndarray, after_HWC: np.ndarray) -> np.ndarray:
    """|after - before| times ``MOTION_GAIN``, at most 255, per channel; all uint8 ``(H, W, 3)``."""
    change = np.maximum(before_HWC, after_HWC) - np.minimum(before_HWC, after_HWC)
    shown: np.ndarray = np.minimum(change, 255 // MOTION_GAIN) * np.uint8(MOTION_GAIN)
    return shown


def with_views(frames: Iterable[Frame], views: Sequence[str]) -> Iterator[tuple[Frame, np.ndarray]]:
    """Each frame with what is shown of it, the views one after another as channels.

    The first frame, which follows nothing, is shown the motion of the second, so it comes out one frame
    late; a lone frame has not moved.

    Args:
        frames: of one video and one size, in order.
        views: names in ``structures.VIEWS``.

    Yields:
        The frame, and uint8 ``(H, W, 3 * len(views))``.
    """
    if "motion" not in views:
        yield from ((frame, frame.image) for frame in frames)
        return
    before: Frame | None = None
    first: Frame | None = None
    for frame in frames:
        if before is None:
            before = first = frame
            continue
        change = motion(before.image, frame.image)
        if first is not None:
            yield first, _stack(first.image, change, views)
            first = None
        yield frame, _stack(frame.image, change, views)
        before = frame
    if first is not None:
        yield first, _stack(first.image, np.zeros_like(first.image), views)


def _stack(image_HWC: np.ndarray, change_HWC: np.ndarray, views: Sequence[str]) -> np.ndarray:
    shown = {"picture": image_HWC, "motion": change_HWC}
    return np.ascontiguousarray(np.concatenate([shown[view] for view in views], axis=2))
