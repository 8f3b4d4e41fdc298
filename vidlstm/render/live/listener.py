"""What is told of events and shown frames while sources are watched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from vidlstm.render.draw.object_overlay import Moment
    from vidlstm.structures import PathForecast

Event = dict[str, Any]
News = tuple[Event, int | None]
"""An event, and the number of its source."""


@dataclass(frozen=True, eq=False)
class Shot:
    """What a source shows at a step, and what is said of it.

    Attributes:
        source: its number, from 0.
        name: what it is called.
        picture: the whole frame, RGB uint8 ``(H, W, 3)``.
        seconds: on the source's own clock.
        utc: the wall time, ISO 8601; None for a file that is read as fast as it goes.
        labels: the K class names.
        lasting: labels that have begun and are not over, of the source and of all objects in it.
        likeliest: the likeliest label and its probability; None where nothing is said of the whole frame.
        age_seconds: from the taking of the frame until now; None without a pace.
        dropped_frames: of this source so far.
        objects: those that are followed, boxes in pixels of the picture.
        forecasts: where they will be, one an object.
        place: positions of these to pixels of the picture.
    """

    source: int
    name: str
    picture: np.ndarray
    seconds: float
    utc: str | None
    labels: tuple[str, ...]
    lasting: tuple[str, ...]
    likeliest: tuple[str, float] | None
    age_seconds: float | None
    dropped_frames: int
    objects: tuple[Moment, ...] = ()
    forecasts: tuple[PathForecast, ...] = ()
    place: Callable[[np.ndarray], np.ndarray] = lambda positions: positions

    @cached_property
    def drawn(self) -> np.ndarray:
        """The picture with all that drawn; made when somebody looks at it for the first time."""
        from vidlstm.render.live.annotate import annotated

        return annotated(self)

    @cached_property
    def jpeg(self) -> bytes:
        """The same as a JPEG file."""
        from vidlstm.render.live.annotate import as_jpeg

        return as_jpeg(self.drawn)


class Listener:
    """One surface. Its methods are called by the thread that runs the networks, and do not keep it long.

    Attributes:
        takes_shots: whether ``on_shot`` is of any use; pictures are made only where one says so.
        done: set to end the watching.
    """

    takes_shots: ClassVar[bool] = False
    done: bool = False

    def on_event(self, event: Event, source: int | None) -> None:
        """Takes an event, and the number of its source."""

    def on_shot(self, shot: Shot) -> None:
        """Takes what a source shows now."""

    def turn(self) -> list[News]:
        """Is called several times a second; gives what this surface itself has to tell."""
        return []

    def close(self) -> None:
        """The watching is over. May be called twice; what there is to tell of it, the last turn gives."""


class TellingListener(Listener):
    """A surface that has something to tell at any time, from any thread: what it puts into ``_news``."""

    def __init__(self) -> None:
        self._news: SimpleQueue[News] = SimpleQueue()

    def turn(self) -> list[News]:
        """All that there is to tell now."""
        return [self._news.get_nowait() for _ in range(self._news.qsize())]


def note(surface: str, detail: str, kind: Literal["note", "failed"] = "note") -> News:
    """What a surface has to tell of itself, or what it could not do, as an event."""
    return {"event": kind, "source": None, "surface": surface, "detail": detail}, None
