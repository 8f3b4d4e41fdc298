"""What each person or thing does, while it is watched."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.features.in_process import features_of_frames
from vidlstm.features.lanes import Lanes
from vidlstm.inference.stream import CarriedState
from vidlstm.tasks.live import Said
from vidlstm.tasks.object_action.memory import Moment, ObjectMemory
from vidlstm.tasks.stream import frames_together
from vidlstm.tasks.tracking_watcher import TrackingWatcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.structures import Detections
    from vidlstm.tasks.object_action.predictor import ObjectActionPredictor
    from vidlstm.tracking.tracker import Tracked
    from vidlstm.video.source import Shown

SLACK_SECONDS = 1.0
"""So much more than it needs is kept of each source: rows before a window tell which way its objects go."""
ROUNDING_SECONDS = 1e-3
LOOKED_AT = 64
"""Of the last frames so many say how soon the next may come."""
Key = tuple[int, int]
"""A source and a track in it."""


class ObjectWatcher(TrackingWatcher):
    """Carries the state of every object, or reads windows over all of them anew.

    Args:
        predictor: loaded.
        sources: how many there are.
    """

    def __init__(self, predictor: ObjectActionPredictor, sources: int) -> None:
        super().__init__(predictor, sources)
        card = predictor.card
        self.labels, self._network = predictor.labels, predictor.network
        self._classifier, self._cut = predictor.windows, predictor.windows.cut
        model: Any = predictor.model
        self._carried = None if predictor.why_not_carried() else CarriedState(model.sequences)
        self._fps, self._gap = card.fps, card.objects.max_gap_seconds
        self._memories: dict[int, ObjectMemory] = {}
        self._clocks: dict[int, WindowClock] = {}
        self._last: dict[Key, tuple[int, float, np.ndarray]] = {}  # step, time and features
        self._lanes = self._open_lanes(sources)
        window = self._cut.window_seconds
        self.how = "of each object, " + (
            CarriedState.how
            if self._carried
            else f"a window of {window:.3g} s is read anew every {self._cut.stride_seconds:.3g} s"
        )
        kept = 0.0 if self._carried else window
        self._keep = kept + max(self._gap, self._lost_seconds) + SLACK_SECONDS

    def _open_lanes(self, sources: int) -> Lanes | None:
        crops = self._network.crops
        return None if crops is None else Lanes(crops, frames_together(crops, 4 * sources), small=True)

    def close(self) -> None:
        """Ends the threads."""
        super().close()
        if self._lanes is not None:
            self._lanes.close()

    def forget(self, source: int) -> None:
        """Whoever comes next was never seen before."""
        super().forget(source)
        self._memories.pop(source, None)
        self._clocks.pop(source, None)

    def forget_track(self, source: int, track: int) -> None:
        """Drops the state of an object."""
        self._last.pop((source, track), None)
        if self._carried is not None:
            self._carried.forget((source, track))

    def say(
        self,
        shown: Sequence[Shown],
        seconds: Sequence[float],
        tracked: Sequence[tuple[Detections, Tracked]],
    ) -> list[list[Said]]:
        """One batch of what is cut out of all frames, then one step, or the windows that are due."""
        fresh = self._remember(shown, seconds, tracked)
        if self._carried is not None:
            judged = self._step(fresh)
        else:
            judged = {
                (item.source, track): probabilities_K
                for item, now in zip(shown, seconds, strict=True)
                for track, probabilities_K in self._window(item.source, now).items()
            }
        return [self._said(item.source, of, judged) for item, (_, of) in zip(shown, tracked, strict=True)]

    def _said(self, source: int, tracked: Tracked, judged: dict[Key, np.ndarray]) -> list[Said]:
        """Something of each object in the frame, and of those that are judged and out of sight."""
        boxes = dict(zip(tracked.track_id_N.tolist(), tracked.boxes_N4, strict=True))
        away = [t for s, t in judged if s == source and t not in boxes and t in self._seen[source]]
        return [Said(judged.get((source, t)), t, boxes.get(t)) for t in [*boxes, *away]]

    def _remember(
        self,
        shown: Sequence[Shown],
        seconds: Sequence[float],
        tracked: Sequence[tuple[Detections, Tracked]],
    ) -> list[int]:
        """Describes the objects of frames that are due; gives the sources of which there is something new."""
        ready = [
            (item.source, moment, images)
            for item, now, found in zip(shown, seconds, tracked, strict=True)
            for moment, images in self._memory(item.source).take(item.frame, now, *found)
        ]
        pictures = iter(self._described([image for _, _, images in ready for image in images]))
        for source, moment, images in ready:
            described = [next(pictures) for _ in images]
            whole = replace(moment, pictures_NF=np.stack(described)) if images else moment
            self._memory(source).add(whole)
        return [source for source, _, _ in ready]

    def _memory(self, source: int) -> ObjectMemory:
        if source not in self._memories:
            self._memories[source] = ObjectMemory(
                self._network, fps=self._fps, keep_seconds=self._keep, max_gap_seconds=self._gap
            )
        return self._memories[source]

    def _described(self, images: list[np.ndarray]) -> np.ndarray:
        crops = self._network.crops
        if crops is None or not images:
            return np.zeros((0, 0), np.float16)
        _, features = features_of_frames(((0.0, image) for image in images), crops, lanes=self._lanes)
        return features

    def _window(self, source: int, now: float) -> dict[int, np.ndarray]:
        """Of each object of a source what is said of it in the window that is due, if one is."""
        if source not in self._clocks:
            self._clocks[source] = WindowClock(now, self._cut.window_seconds, self._cut.stride_seconds)
        window = self._clocks[source].due(now)
        if window is None:
            return {}
        return self._classifier.of_window(self._memory(source).sequences(), *window)

    def _step(self, sources: Sequence[int]) -> dict[Key, np.ndarray]:
        """One step of every object in sight, in one batch; after those that it was missed at."""
        assert self._carried is not None
        rows: list[tuple[Key, list[np.ndarray]]] = []
        for source in dict.fromkeys(sources):
            moment, features_NF = self._memory(source).newest()
            for track, x_F in zip(moment.track_id_N.tolist(), features_NF, strict=True):
                rows.append(((source, track), self._up_to(moment, (source, track), x_F)))
        longest = max((len(steps) for _, steps in rows), default=0)
        judged: dict[Key, np.ndarray] = {}
        for left in range(longest, 0, -1):  # those with most to catch up with begin; all end together
            now = [(key, steps[-left]) for key, steps in rows if len(steps) >= left]
            said = self._carried.push([key for key, _ in now], np.stack([x_F for _, x_F in now]), [])
            judged |= {key: said_K for (key, _), said_K in zip(now, said, strict=True) if said_K is not None}
        return judged

    def _up_to(self, moment: Moment, key: Key, x_F: np.ndarray) -> list[np.ndarray]:
        """The features of an object's next steps: its own, and before it a line where it was missed."""
        last = self._last.get(key)
        self._last[key] = moment.step, moment.seconds, x_F
        if last is None or moment.step - last[0] < 2:
            return [x_F]
        if moment.seconds - last[1] > self._gap + 1e-9:
            assert self._carried is not None
            self._carried.forget(key)
            return [x_F]
        share_T = np.arange(1, moment.step - last[0] + 1)[:, None] / (moment.step - last[0])
        before, after = last[2].astype(np.float32), x_F.astype(np.float32)
        return list((before * (1 - share_T) + after * share_T).astype(np.float16))


class WindowClock:
    """Says when a window over a source is complete: as soon as the next frame would lie after it.

    Args:
        first_seconds: of the source; the first window begins there.
        window_seconds, stride_seconds: how long windows are, and how far apart.
    """

    def __init__(self, first_seconds: float, window_seconds: float, stride_seconds: float) -> None:
        self._first, self._window, self._stride = first_seconds, window_seconds, stride_seconds
        self._number, self._last = 0, first_seconds
        self._apart: deque[float] = deque(maxlen=LOOKED_AT)

    def due(self, seconds: float) -> tuple[float, float] | None:
        """Start and end of the latest window that is complete with the frame at this time, once each."""
        if seconds > self._last:
            self._apart.append(seconds - self._last)
            self._last = seconds
        following = seconds + min(self._apart, default=0.0) + ROUNDING_SECONDS
        complete = (following - self._first - self._window) / self._stride
        if complete < self._number:
            return None
        number = int(complete)
        self._number = number + 1
        start = self._first + self._stride * number
        return start, start + self._window
