"""What is shared by whatever watches tracked objects: who is in the picture, and whose time is over."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import torch

from vidlstm.errors import SettingsError
from vidlstm.tasks.live import Said, Watcher
from vidlstm.tracking.live import LiveTracker
from vidlstm.tracking.tracker import TOLERANCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.structures import Detections
    from vidlstm.tasks.tracking_predictor import TrackingPredictor
    from vidlstm.tracking.tracker import Tracked
    from vidlstm.video.source import Shown


class TrackingWatcher(Watcher):
    """Follows the objects of every source, and lets a task say something of each.

    An object that has not been seen for longer than ``lost_seconds`` is over: it comes back, if it does, as
    another.

    Args:
        predictor: loaded, with what finds objects in ``settings.tracking``.
        sources: how many there are.
    """

    size = None
    views = ("picture",)

    def __init__(self, predictor: TrackingPredictor, sources: int) -> None:
        tracking = predictor.settings.tracking
        boxes = predictor.boxes()
        if isinstance(boxes, list) and len(boxes) != sources:
            raise SettingsError(f"`boxes`: {len(boxes)} files for {sources} sources; give one for each")
        self._tracker, self._lost_seconds = LiveTracker(boxes, tracking, sources), tracking.lost_seconds
        # What is done for each object is little: with more threads they would wait for each other.
        self._one = ThreadPoolExecutor(1, "objects", initializer=partial(torch.set_num_threads, 1))
        self.fps = tracking.fps
        self._seen: dict[int, dict[int, float]] = defaultdict(dict)

    def step(self, shown: Sequence[Shown], seconds: Sequence[float]) -> list[list[Said]]:
        """Follows, ends what is gone, and hears the task."""
        sources = [item.source for item in shown]
        tracked = self._tracker.step(sources, [item.frame for item in shown], seconds)
        over = [
            [Said(track=track, over=True) for track in self._ended(source, now, found)]
            for source, now, (_, found) in zip(sources, seconds, tracked, strict=True)
        ]
        said = self._one.submit(self.say, shown, seconds, tracked).result()
        return [gone + there for gone, there in zip(over, said, strict=True)]

    def _ended(self, source: int, now: float, found: Tracked) -> list[int]:
        seen = self._seen[source]
        gone = [t for t, last in seen.items() if now - last > self._lost_seconds + TOLERANCE_SECONDS]
        for track in gone:
            del seen[track]
            self.forget_track(source, track)
        seen |= dict.fromkeys(found.track_id_N.tolist(), now)
        return gone

    def forget(self, source: int) -> None:
        """Whoever comes next was never seen before."""
        self._tracker.forget(source)
        for track in self._seen.pop(source, {}):
            self.forget_track(source, track)

    def close(self) -> None:
        """Ends the threads."""
        self._one.shutdown()
        self._tracker.close()

    @abstractmethod
    def say(
        self,
        shown: Sequence[Shown],
        seconds: Sequence[float],
        tracked: Sequence[tuple[Detections, Tracked]],
    ) -> list[list[Said]]:
        """What is said of each source; something, with a box, of each object in its frame."""

    @abstractmethod
    def forget_track(self, source: int, track: int) -> None:
        """An object is over."""
