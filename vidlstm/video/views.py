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
    viewer = Viewer(views)
    for frame in frames:
        yield from viewer.push(frame)
    yield from viewer.finish()


class Viewer:
    """The same as :func:`with_views`, for whoever is handed frames one by one.

    Args:
        views: names in ``structures.VIEWS``.
    """

    def __init__(self, views: Sequence[str]) -> None:
        self._views = views
        self._before: Frame | None = None
        self._waits = False  # whether the frame before has yet to be shown

    def push(self, frame: Frame) -> list[tuple[Frame, np.ndarray]]:
        """What can be shown now that this frame is there: none, one or two frames with their views."""
        if "motion" not in self._views:
            return [(frame, frame.image)]
        before, waited = self._before, self._waits
        self._before, self._waits = frame, before is None
        if before is None:
            return []
        change = motion(before.image, frame.image)
        shown = [(before, _stack(before.image, change, self._views))] if waited else []
        return [*shown, (frame, _stack(frame.image, change, self._views))]

    def finish(self) -> list[tuple[Frame, np.ndarray]]:
        """A lone frame that still waits to be shown."""
        if not self._waits or self._before is None:
            return []
        self._waits, image = False, self._before.image
        return [(self._before, _stack(image, np.zeros_like(image), self._views))]


def _stack(image_HWC: np.ndarray, change_HWC: np.ndarray, views: Sequence[str]) -> np.ndarray:
    shown = {"picture": image_HWC, "motion": change_HWC}
    return np.ascontiguousarray(np.concatenate([shown[view] for view in views], axis=2))
