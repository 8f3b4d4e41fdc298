"""``watch``: cameras, streams and files to what happens in them, said while it happens."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.errors import SettingsError
from vidlstm.features.in_process import features_of_frames
from vidlstm.features.lanes import Lanes
from vidlstm.inference.online import OnlineSegments
from vidlstm.settings import OnlineSettings, WatchSettings, settings_from
from vidlstm.tasks.predictor import Predictor
from vidlstm.tasks.stream import frames_together
from vidlstm.training.threads import threads_that_pay, using_threads
from vidlstm.verbs.load import load
from vidlstm.video.container import check_is_file
from vidlstm.video.reader import STANDARD_INPUT, is_live, open_video
from vidlstm.video.sampling import SteadySampler
from vidlstm.video.source import WAITING_FRAMES, Mailbox, Note, Shown, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vidlstm.inference.online import Change

Event = dict[str, Any]

AGES_MS = np.concatenate([np.arange(1000), np.geomspace(1000, 3_600_000, 500)])
"""Edges of the classes that ages are counted in, milliseconds; a year of them needs no more room."""


@dataclass
class SourceReport:
    """What became of one source.

    Attributes:
        name: as it was given.
        frames: that were looked at.
        steps: those at which something was said; fewer where windows are read.
        dropped_frames: wanted frames that were dropped.
        opened: how often it was opened.
        failure: why it was given up, or nothing.
        age_p50_seconds, age_p99_seconds: from the taking of a frame to what is said of it; None for a file
            that is read as fast as it goes.
    """

    name: str
    frames: int = 0
    steps: int = 0
    dropped_frames: int = 0
    opened: int = 0
    failure: str = ""
    age_p50_seconds: float | None = None
    age_p99_seconds: float | None = None


@dataclass
class WatchReport:
    """What watching did; ``how`` says what was done at each step."""

    how: str
    sources: list[SourceReport] = field(default_factory=list)


def watch(
    checkpoint: Path | str | Predictor,
    sources: Sequence[str | int | Path] | str | int | Path,
    *,
    on_event: Callable[[Event], None],
    settings: WatchSettings | dict[str, Any] | None = None,
    online: OnlineSettings | dict[str, Any] | None = None,
    **options: Any,
) -> WatchReport:
    """Watches sources until the files end, the others are given up, or Ctrl-C.

    >>> watch("run/best.ckpt", 0, on_event=print)  # doctest: +SKIP

    All sources share batches through the backbone and the recurrent network; each has its own state.

    Args:
        checkpoint: what ``train`` wrote, or a loaded predictor.
        sources: numbers of cameras, addresses (``rtsp://``, ``http://``, ...), files, or ``-`` for standard
            input.
        on_event: called with each event at once; docs/live.md lists their keys.
        settings: how sources are read.
        online: when a label begins and is over.
        options: see :func:`load`.

    Raises:
        VidlstmError: see its subclasses.
    """
    predictor = checkpoint if isinstance(checkpoint, Predictor) else load(checkpoint, **options)
    how = settings_from(WatchSettings, settings, section="")
    rule = settings_from(OnlineSettings, online, section="online")
    names = [sources] if isinstance(sources, str | int | Path) else list(sources)
    for name in names:
        if not isinstance(name, int) and not is_live(name):
            check_is_file(name)
    return _Watch(predictor, names, how, rule, on_event).run()


class _Watch:
    """One run of ``watch``."""

    def __init__(
        self,
        predictor: Predictor,
        names: list[Any],
        how: WatchSettings,
        rule: OnlineSettings,
        on_event: Callable[[Event], None],
    ) -> None:
        if not names:
            raise SettingsError("there is nothing to watch; give a camera's number, an address or a file")
        network: Any = predictor
        self._backbone, self._labels = network.backbone, network.labels
        self._threads = threads_that_pay(network.model, len(names))
        card: Any = predictor.card
        self._how, self._fps, self._on_event = how, float(card.fps), on_event
        self._streams = predictor.streams()
        paced = [is_live(name) or how.pace == "real" for name in names]
        self._newest = any(paced) if how.drop == "auto" else how.drop == "latest"
        self._mailbox = Mailbox(len(names), newest=self._newest)
        self._frames = 1 if self._newest else max(1, WAITING_FRAMES // len(names))
        self._watched = [
            Watched(SourceReport(str(name)), OnlineSegments(self._labels, rule), own_pace)
            for name, own_pace in zip(names, paced, strict=True)
        ]
        self._sources = [self._source(number, name) for number, name in enumerate(names)]

    def _source(self, number: int, name: Any) -> Source:
        live = is_live(name)
        return Source(
            number,
            str(name),
            partial(self._open, name),
            self._mailbox,
            views=self._backbone.views,
            finite=not live or name == STANDARD_INPUT,
            real_pace=not live and self._how.pace == "real",
            reconnect_seconds=self._how.reconnect_seconds,
        )

    def _open(self, name: Any) -> Any:
        return open_video(
            name,
            size=self._backbone.size,
            wanted=SteadySampler(self._fps),
            newest=self._newest,
            timeout_seconds=self._how.timeout_seconds,
        )

    def run(self) -> WatchReport:
        """Until all sources are over."""
        for source in self._sources:
            source.start()
        until = time.monotonic() + (self._how.seconds or float("inf"))
        try:
            batch_size = frames_together(self._backbone, self._frames * len(self._sources))
            with (
                using_threads(self._threads),
                closing(Lanes(self._backbone, batch_size, small=True)) as lanes,
            ):
                while any(not w.over for w in self._watched) and time.monotonic() < until:
                    self._turn(lanes)
        finally:
            for source in self._sources:
                source.stop()
            self._mailbox.close()
            for number, watched in enumerate(self._watched):
                self._say(number, watched.segments.finish(), None)
        return WatchReport(self._streams.how, [watched.finished() for watched in self._watched])

    def _turn(self, lanes: Lanes) -> None:
        """What has come since the last turn: what happened, then the steps of all that have a frame."""
        taken = self._mailbox.take(min(0.2, self._how.heartbeat_seconds), self._frames)
        for item in taken:
            if isinstance(item, Note):
                self._noted(item)
        if shown := [item for item in taken if isinstance(item, Shown)]:
            self._step(shown, lanes)
        now = time.monotonic()
        for number, watched in enumerate(self._watched):
            if not watched.over and now - watched.reported > self._how.heartbeat_seconds:
                watched.reported = now
                self._event(number, "heartbeat", **watched.heartbeat())

    def _step(self, shown: list[Shown], lanes: Lanes) -> None:
        """All frames share batches through the backbone; those of one source are steps one after another."""
        times = [self._watched[item.source].seconds_of(item) for item in shown]
        images = (item.image for item in shown)
        _, x_BF = features_of_frames(zip(times, images, strict=True), self._backbone, lanes=lanes)
        for rows in rounds([item.source for item in shown]):
            sources, seconds = [shown[b].source for b in rows], [times[b] for b in rows]
            said = self._streams.push(sources, x_BF[rows], seconds)
            now = time.monotonic()
            for b, probabilities_K in zip(rows, said, strict=True):
                self._answer(shown[b], times[b], probabilities_K, now)

    def _answer(self, item: Shown, seconds: float, probabilities_K: np.ndarray | None, now: float) -> None:
        watched = self._watched[item.source]
        watched.report.frames += 1
        watched.report.dropped_frames += item.dropped
        if probabilities_K is None:
            return
        age = now - item.taken_seconds if watched.paced else None
        watched.answered(self._labels, probabilities_K, age)
        if self._how.steps:
            said_K = dict(zip(self._labels, probabilities_K.tolist(), strict=True))
            self._event(item.source, "step", seconds=seconds, probabilities=said_K, age_seconds=age)
        self._say(item.source, watched.segments.push(seconds, probabilities_K), age, seconds)

    def _noted(self, note: Note) -> None:
        watched = self._watched[note.source]
        if note.kind == "opened":
            watched.report.opened += 1
            if watched.broke_off(note.at_seconds) > self._how.keep_state_seconds:
                self._begin_anew(note.source)
        elif note.kind == "failed":
            watched.report.failure = note.detail
        if note.kind in ("ended", "failed"):
            self._begin_anew(note.source)
            watched.over = True
        self._event(note.source, note.kind, detail=note.detail, utc=_utc(note.at_seconds))

    def _begin_anew(self, number: int) -> None:
        self._say(number, self._watched[number].segments.finish(), None)
        self._streams.forget(number)
        self._watched[number].forget()

    def _say(
        self, number: int, changes: list[Change], age: float | None, seconds: float | None = None
    ) -> None:
        watched = self._watched[number]
        for change in changes:
            self._event(
                number,
                change.kind,
                seconds=watched.last_seconds if seconds is None else seconds,
                label=change.label,
                start_seconds=change.start_seconds,
                end_seconds=change.end_seconds,
                start_utc=watched.utc_of(change.start_seconds),
                end_utc=None if change.end_seconds is None else watched.utc_of(change.end_seconds),
                probability=change.probability,
                age_seconds=age,
                dropped_frames=watched.report.dropped_frames,
            )

    def _event(self, number: int, kind: str, **what: Any) -> None:
        self._on_event({"event": kind, "source": self._watched[number].report.name, **what})


def rounds(sources: Sequence[int]) -> list[list[int]]:
    """Rows in as few groups as may be, in their order, each source once in a group.

    >>> rounds([0, 0, 0, 1, 2, 2])
    [[0, 3, 4], [1, 5], [2]]
    """
    groups: list[list[int]] = []
    for row, source in enumerate(sources):
        number = list(sources[:row]).count(source)
        groups += [[]] if number == len(groups) else []
        groups[number].append(row)
    return groups


@dataclass
class Watched:
    """What is known of a source while it is watched.

    Attributes:
        report: what is said of it at the end.
        segments: what lasts.
        paced: whether its frames come at their own times, so that an age means something.
        over: whether nothing more comes.
        reported: when it was last reported on, by ``time.monotonic()``.
        last_seconds: the time of its last frame on its own clock.
    """

    report: SourceReport
    segments: OnlineSegments
    paced: bool
    over: bool = False
    reported: float = field(default_factory=time.monotonic)
    _ages: np.ndarray = field(default_factory=lambda: np.zeros(len(AGES_MS) + 1, np.int64))
    last_seconds: float | None = None
    _last_taken: float | None = None
    _offset: float | None = None
    _best: tuple[str, float] | None = None

    def seconds_of(self, item: Shown) -> float:
        """A frame's time on the source's own clock, which goes on over breaks that are short enough."""
        seconds = item.frame.timestamp_seconds
        if self._offset is None:
            self._offset = 0.0
            if self.last_seconds is not None and self._last_taken is not None:
                gap = max(item.taken_seconds - self._last_taken, 1e-3)
                self._offset = self.last_seconds + gap - seconds
        self.last_seconds, self._last_taken = seconds + self._offset, item.taken_seconds
        return self.last_seconds

    def broke_off(self, now: float) -> float:
        """For how long nothing came, when a source is opened; the clock of what comes next is another."""
        self._offset = None
        return 0.0 if self._last_taken is None else now - self._last_taken

    def forget(self) -> None:
        """What comes next has nothing before it."""
        self._last_taken = self.last_seconds = self._offset = None

    def answered(self, labels: tuple[str, ...], probabilities_K: np.ndarray, age: float | None) -> None:
        """Counts a step."""
        self.report.steps += 1
        best = int(probabilities_K.argmax())
        self._best = labels[best], float(probabilities_K[best])
        if age is not None:
            self._ages[np.searchsorted(AGES_MS, 1000 * age)] += 1

    def age_seconds(self, share: float) -> float | None:
        """The age that this share of all answers stay below."""
        total = self._ages.sum()
        if not total:
            return None
        edge = int(np.searchsorted(np.cumsum(self._ages), share * total))
        return float(AGES_MS[min(edge, len(AGES_MS) - 1)]) / 1000

    def utc_of(self, seconds: float) -> str | None:
        """The wall time of a moment on the source's clock; None where the source has no pace of its own."""
        if not self.paced or self._last_taken is None or self.last_seconds is None:
            return None
        return _utc(self._last_taken - (self.last_seconds - seconds))

    def heartbeat(self) -> Event:
        """What is said when nothing happens."""
        label, probability = self._best or (None, None)
        return {
            "utc": _utc(time.monotonic()),
            "seconds": self.last_seconds,
            "label": label,
            "probability": probability,
            "steps": self.report.steps,
            "dropped_frames": self.report.dropped_frames,
            "age_p50_seconds": self.age_seconds(0.5),
            "age_p99_seconds": self.age_seconds(0.99),
        }

    def finished(self) -> SourceReport:
        """The report, with the ages."""
        self.report.age_p50_seconds = self.age_seconds(0.5)
        self.report.age_p99_seconds = self.age_seconds(0.99)
        return self.report


def _utc(monotonic_seconds: float) -> str:
    """The wall time of a moment on the monotonic clock, ISO 8601."""
    when = time.time() - (time.monotonic() - monotonic_seconds)
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
