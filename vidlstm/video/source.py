"""A video that is watched: read in a thread of its own, and opened again where it breaks off."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from vidlstm.errors import VideoError, without_login
from vidlstm.structures import Frame
from vidlstm.video.views import with_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from vidlstm.video.base import VideoReader

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
"""How long after a loss a source is tried again; each wait is twice the one before."""

WAITING_FRAMES = 8
"""How many frames of a source that drops none may wait, until its reader waits too."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame that is due, and what the network is shown of it.

    Attributes:
        source: its number.
        frame: as it was read.
        image: uint8 ``(H, W, C)``, see :func:`~vidlstm.video.views.with_views`.
        taken_seconds: when it was taken, by ``time.monotonic()``.
        dropped: wanted frames of this source that were dropped before it.
    """

    source: int
    frame: Frame
    image: np.ndarray
    taken_seconds: float
    dropped: int


@dataclass(frozen=True)
class Note:
    """What happened to a source.

    Attributes:
        source: its number.
        kind: ``opened``; ``lost``, it broke off and is tried again; ``ended``, it is over as it should be;
            ``failed``, it is given up.
        detail: how large it is, or why.
        at_seconds: when, by ``time.monotonic()``.
    """

    source: int
    kind: Literal["opened", "lost", "ended", "failed"]
    detail: str
    at_seconds: float


Item = Shown | Note


class Mailbox:
    """What the readers' threads hand over to the one that runs the networks.

    Args:
        sources: how many there are.
        newest: keep the newest frame of each and count the others as dropped; else readers wait.
    """

    def __init__(self, sources: int, *, newest: bool) -> None:
        self._waiting: list[deque[Item]] = [deque() for _ in range(sources)]
        self._newest = newest
        self._changed = threading.Condition()
        self._open = True

    def put(self, item: Item) -> None:
        """Hands over one thing; waits where nothing may be dropped and much is waiting already."""
        with self._changed:
            waiting = self._waiting[item.source]
            if isinstance(item, Shown) and waiting and isinstance(waiting[-1], Shown):
                if self._newest:
                    dropped = waiting.pop()
                    item = _after(item, dropped)
                else:
                    self._changed.wait_for(lambda: len(waiting) < WAITING_FRAMES or not self._open)
            waiting.append(item)
            self._changed.notify_all()

    def take(self, seconds: float, frames: int = 1) -> list[Item]:
        """What is there; waits for something for so long.

        Args:
            seconds: at most.
            frames: of each source, at most.

        Returns:
            Notes and frames, those of one source in the order in which they happened; no note after a frame.
        """
        with self._changed:
            self._changed.wait_for(lambda: any(self._waiting), seconds)
            taken = [item for waiting in self._waiting for item in _notes_then_frames(waiting, frames)]
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Lets readers that wait go on."""
        with self._changed:
            self._open = False
            self._changed.notify_all()


def _after(item: Shown, dropped: Item) -> Shown:
    """A frame that takes the place of one that waited."""
    before = dropped.dropped if isinstance(dropped, Shown) else 0
    return replace(item, dropped=item.dropped + before + 1)


def _notes_then_frames(waiting: deque[Item], most: int) -> Iterator[Item]:
    while waiting and isinstance(waiting[0], Note):
        yield waiting.popleft()
    while waiting and isinstance(waiting[0], Shown) and most:
        yield waiting.popleft()
        most -= 1


class Source(threading.Thread):
    """Reads one video into a mailbox until it is over, given up, or stopped.

    Args:
        number: among the sources.
        name: for messages.
        open: opens the video, each time with a sampler that starts anew.
        mailbox: takes what is read.
        views: what the network is shown of each frame.
        finite: a file, which ends when it ends; else a loss, which is tried again.
        real_pace: give frames at the pace of their times, as a camera would.
        reconnect_seconds: for so long after its last frame a source that was lost is tried again.
    """

    def __init__(
        self,
        number: int,
        name: str,
        open: Callable[[], VideoReader],
        mailbox: Mailbox,
        *,
        views: Sequence[str],
        finite: bool,
        real_pace: bool = False,
        reconnect_seconds: float = 60.0,
    ) -> None:
        super().__init__(name=f"source {number}", daemon=True)
        self.number, self._name = number, name
        self._open, self._mailbox, self._views = open, mailbox, views
        self._finite, self._real_pace, self._reconnect = finite, real_pace, reconnect_seconds
        self._stopped = threading.Event()
        self._told = 0  # dropped frames of the present reader that were handed over

    def stop(self) -> None:
        """Ends the reading at the next frame."""
        self._stopped.set()

    def run(self) -> None:
        """Reads, and opens again what breaks off, waiting longer each time."""
        wait, heard = FIRST_WAIT_SECONDS, time.monotonic()
        while not self._stopped.is_set():
            frames, why = self._read_once()
            if self._stopped.is_set():
                return
            if frames:
                wait, heard = FIRST_WAIT_SECONDS, time.monotonic()
            if self._finite and not why:
                return self._note("ended", f"after {frames} frames")
            if self._finite or time.monotonic() + wait > heard + self._reconnect:
                return self._note("failed", why)
            self._note("lost", f"{why}; tried again in {wait:g} s")
            self._stopped.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)
        return None

    def _read_once(self) -> tuple[int, str]:
        """The number of frames that came, and why there are no more."""
        frames = 0
        try:
            with self._open() as reader:
                info, self._told = reader.info, 0
                self._note("opened", f"{info.width}x{info.height} {info.codec}")
                for frame, image in with_views(self._paced(reader), self._views):
                    if self._stopped.is_set():
                        break
                    frames += 1
                    self._mailbox.put(self._shown(frame, image, reader))
                return frames, reader.truncated
        except VideoError as error:
            return frames, error.detail or str(error)
        except Exception as error:  # noqa: BLE001 - a thread that dies unheard is waited for without end
            return frames, f"{type(error).__name__}: {error}"

    def _shown(self, frame: Frame, image: np.ndarray, reader: VideoReader) -> Shown:
        dropped = getattr(reader, "dropped_frames", 0)
        fresh, self._told = dropped - self._told, dropped
        taken = time.monotonic() if frame.taken_seconds is None else frame.taken_seconds
        return Shown(self.number, frame, image, taken, fresh)

    def _paced(self, reader: VideoReader) -> Iterator[Frame]:
        first: float | None = None
        for frame in reader:
            if not self._real_pace:
                yield frame
                continue
            first = time.monotonic() - frame.timestamp_seconds if first is None else first
            due = first + frame.timestamp_seconds
            if self._stopped.wait(max(0.0, due - time.monotonic())):
                return
            yield replace(frame, taken_seconds=due)

    def _note(self, kind: Literal["opened", "lost", "ended", "failed"], detail: str) -> None:
        told = detail.replace(self._name, without_login(self._name))
        self._mailbox.put(Note(self.number, kind, told, time.monotonic()))
