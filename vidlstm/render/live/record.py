"""A video of each event: what was seen before it, while it lasted, and after it."""

from __future__ import annotations

import math
import queue
import re
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.files import check_writable, make_folder
from vidlstm.render.live.annotate import from_jpeg
from vidlstm.render.live.listener import Event, Shot, TellingListener, note
from vidlstm.render.names import short_names
from vidlstm.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

WAITING_SHOTS = 32
"""That wait for the recorder's thread; where it is too slow, those of cameras are left out and counted."""
MOST_BYTES = 64 * 2**20
"""Of the JPEGs that are kept of one source for what may begin."""
LONGEST_SECONDS = 600.0
"""Of one file; what lasts for longer goes on in another."""
_OURS = re.compile(r".+_\d{8}T\d{9}Z_.+\.mp4")


@dataclass(eq=False)
class _Past:
    """What is known of a source in the recorder's thread.

    Attributes:
        name: for names of files.
        shown: as it is called in events.
        shots: time and JPEG of the last frames.
        bytes: of these.
        lasting: labels that have begun and are not over, by track.
        writer: of the file that is being written.
        first_seconds, until_seconds: of that file; it goes on for as long as something lasts.
    """

    name: str
    shown: str
    shots: deque[tuple[float, bytes]] = field(default_factory=deque)
    bytes: int = 0
    lasting: set[tuple[Any, str]] = field(default_factory=set)
    label: str = ""
    writer: VideoWriter | None = None
    shape: tuple[int, ...] = ()
    first_seconds: float = 0.0
    until_seconds: float = -math.inf


class Recorder(TellingListener):
    """Writes MP4 files, named by source, UTC wall time and label, in a thread of its own.

    Labels that overlap go into one file, which is named by the first. A file appears whole or not at all.

    Args:
        folder: takes them; the oldest go where all take more than ``megabytes``.
        names: of the sources.
        fps: the rate that files claim; frames keep their own times.
        seconds: before an event and after it.
        late_seconds: how long after its beginning an event is told of at most.
        megabytes: see ``folder``.

    Raises:
        OutputError: nothing can be written there.
    """

    takes_shots = True

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        *,
        fps: float,
        seconds: float,
        late_seconds: float,
        megabytes: float,
    ) -> None:
        super().__init__()
        check_writable(folder)
        make_folder(folder)
        self._folder, self._fps, self._seconds, self._late = folder, fps, seconds, late_seconds
        self._most_bytes = megabytes * 1e6
        self._of = [_Past(*both) for both in zip(short_names(names), names, strict=True)]
        self._queue: queue.Queue[tuple[int, Shot | Event] | None] = queue.Queue(WAITING_SHOTS)
        self._left_out, self._closed = 0, False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def on_event(self, event: Event, source: int | None) -> None:
        """Hands over what begins and ends."""
        if source is not None and event["event"] in ("start", "end", "ended", "failed"):
            self._queue.put((source, event))

    def on_shot(self, shot: Shot) -> None:
        """Hands over a frame; one of a file waits until there is room, one of a camera is left out."""
        if shot.utc is None:
            self._queue.put((shot.source, shot))
            return
        try:
            self._queue.put_nowait((shot.source, shot))
        except queue.Full:
            self._left_out += 1

    def close(self) -> None:
        """Finishes what is being written."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        if self._left_out:
            self._news.put(note("record", f"{self._left_out} frames came too fast and are not recorded"))

    def _run(self) -> None:
        for source, item in iter(self._queue.get, None):
            self._guarded(self._of[source], item)
        for past in self._of:
            self._guarded(past, {"event": "ended"})

    def _guarded(self, past: _Past, item: Shot | Event) -> None:
        """What goes wrong with one recording is told, and ends neither the next nor the watching."""
        try:
            self._shot(past, item) if isinstance(item, Shot) else self._told(past, item)
        except Exception as error:  # noqa: BLE001 - else frames would wait for a thread that is gone
            writer, past.writer = past.writer, None
            if writer is not None:
                writer.__exit__(type(error), error, None)
            self._news.put(note("record", str(error) or type(error).__name__, "failed"))

    def _told(self, past: _Past, event: Event) -> None:
        kind = event["event"]
        if kind == "start":
            past.lasting.add((event.get("track"), event["label"]))
            if past.writer is None:
                past.label, past.until_seconds = event["label"], -math.inf
                self._begin(past, event["start_seconds"] - self._seconds, event["start_utc"])
        elif kind == "end":
            past.lasting.discard((event.get("track"), event["label"]))
            past.until_seconds = max(past.until_seconds, event["end_seconds"] + self._seconds)
        else:
            self._finish(past)
            past.shots.clear()
            past.lasting.clear()
            past.bytes = 0

    def _shot(self, past: _Past, shot: Shot) -> None:
        if past.shots and shot.seconds <= past.shots[-1][0]:  # its clock began anew
            self._told(past, {"event": "ended"})
        past.shots.append((shot.seconds, shot.jpeg))
        past.bytes += len(shot.jpeg)
        kept_from = shot.seconds - self._seconds - self._late
        while past.bytes > MOST_BYTES or past.shots[0][0] < kept_from:
            past.bytes -= len(past.shots.popleft()[1])
        if past.writer is None:
            return
        if not past.lasting and shot.seconds > past.until_seconds:
            self._finish(past)
        elif shot.drawn.shape != past.shape or shot.seconds - past.first_seconds > LONGEST_SECONDS:
            self._finish(past)
            self._begin(past, shot.seconds)
        else:
            past.writer.write(shot.drawn, shot.seconds - past.first_seconds)

    def _begin(self, past: _Past, from_seconds: float, utc: str | None = None) -> None:
        """A file that begins with what is kept from a time on and has one size; ``utc`` is for its name."""
        if not past.shots:
            return
        shots = [shot for shot in past.shots if shot[0] >= from_seconds - 1e-6]
        past.first_seconds, past.shape = shots[0][0], from_jpeg(shots[-1][1]).shape
        height, width = past.shape[:2]
        past.writer = VideoWriter(self._new_path(past, utc), fps=self._fps, height=height, width=width)
        for seconds, data in shots:
            if (image := from_jpeg(data)).shape == past.shape:
                past.writer.write(image, seconds - past.first_seconds)

    def _new_path(self, past: _Past, utc: str | None) -> Path:
        now = datetime.fromisoformat(utc) if utc else datetime.now(UTC)
        when = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z"
        stem = f"{past.name}_{when}_{short_names([past.label])[0]}"
        numbers = range(2, 1000)
        free = [stem, *(f"{stem}_{n}" for n in numbers)]
        return next(path for name in free if not (path := self._folder / f"{name}.mp4").exists())

    def _finish(self, past: _Past) -> None:
        writer, past.writer = past.writer, None
        if writer is None:
            return
        writer.__exit__(None, None, None)
        recorded = {"event": "recorded", "source": past.shown, "label": past.label, "file": str(writer.path)}
        self._news.put((recorded, self._of.index(past)))
        self._make_room(writer.path)

    def _make_room(self, newest: Path) -> None:
        """Removes the oldest recordings beyond what they may take; the newest stays in any case."""
        watched = {Path(past.shown).absolute() for past in self._of}
        files = [p for p in self._folder.glob("*.mp4") if _OURS.fullmatch(p.name) and not p.is_symlink()]
        files = [p for p in files if p.exists() and p.absolute() not in watched]
        found = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in files), reverse=True)
        taken = 0
        for _, size, path in found:
            taken += size
            if taken > self._most_bytes and path != newest:
                with suppress(OSError):
                    path.unlink()
