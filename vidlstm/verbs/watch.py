"""``watch``: cameras, streams and files to what happens in them, said while it happens."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.errors import SettingsError, without_login
from vidlstm.inference.online import OnlineSegments
from vidlstm.render.live.annotate import PICTURE_SIDE
from vidlstm.render.live.listener import Shot
from vidlstm.render.live.surfaces import check_surfaces, opened_surfaces
from vidlstm.settings import OnlineSettings, SurfaceSettings, WatchSettings, given_in, settings_from
from vidlstm.tasks.predictor import Predictor
from vidlstm.verbs.load import load
from vidlstm.verbs.watched import SourceReport, Watched, told, utc_at
from vidlstm.video.container import check_is_file
from vidlstm.video.reader import STANDARD_INPUT, is_live, open_video
from vidlstm.video.sampling import SteadySampler
from vidlstm.video.source import Mailbox, Note, Shown, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vidlstm.inference.online import Change
    from vidlstm.render.live.listener import Event, Listener
    from vidlstm.tasks.live import Said, Watcher


USUAL_FPS = 25.0
"""What a recording claims of a source all of whose frames are looked at; they keep their own times."""


@dataclass
class WatchReport:
    """What watching did; ``how`` says what was done at each step."""

    how: str
    sources: list[SourceReport] = field(default_factory=list)


def watch(
    checkpoint: Path | str | Predictor,
    sources: Sequence[str | int | Path] | str | int | Path,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    settings: WatchSettings | dict[str, Any] | None = None,
    online: OnlineSettings | dict[str, Any] | None = None,
    surfaces: SurfaceSettings | dict[str, Any] | None = None,
    listeners: Sequence[Listener] = (),
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
        surfaces: where it is shown and told besides: recordings, a window, a page, a broker.
        listeners: surfaces of your own, see :class:`~vidlstm.render.live.listener.Listener`; they are closed
            in the end.
        options: see :func:`load`.

    Raises:
        VidlstmError: see its subclasses.
    """
    how = settings_from(WatchSettings, settings, section="")
    rule = settings_from(OnlineSettings, online, section="online")
    shown = settings_from(SurfaceSettings, surfaces, section="")
    check_surfaces(shown)
    names = [sources] if isinstance(sources, str | int | Path) else list(sources)
    if not names:
        raise SettingsError("there is nothing to watch; give a camera's number, an address or a file")
    if names.count(STANDARD_INPUT) > 1:
        raise SettingsError("standard input, `-`, is there once; give it once")
    for name in names:
        if not isinstance(name, int) and not is_live(name):
            check_is_file(name)
    predictor = checkpoint if isinstance(checkpoint, Predictor) else load_to_watch(checkpoint, **options)
    with closing(predictor.watcher(len(names))) as watcher, ExitStack() as kept:
        if shown.record is not None and not watcher.labels:
            raise SettingsError("`record` saves what happens; a checkpoint of forecasts does not say it")
        if predictor.settings.tracking.boxes and any(map(is_live, names)):
            raise SettingsError("`boxes` are those of the frames of a file, and a stream counts its own")
        known = called(names)
        own = opened_surfaces(shown, known, watcher.fps or USUAL_FPS, rule.minimum_seconds)
        everybody = [*listeners, *own]
        for listener in everybody:
            kept.callback(listener.close)
        return _Watch(watcher, dict(zip(known, names, strict=True)), how, rule, on_event, everybody).run()


def load_to_watch(checkpoint: Path | str, **options: Any) -> Predictor:
    """Loads a checkpoint to watch with; see :func:`load`.

    Raises:
        SettingsError: an option has no effect here; see also there.
    """
    predictor = load(checkpoint, **options)
    for name in given_in(options.get("window"), "window"):
        if name == "minimum_seconds":
            raise SettingsError("`window.minimum_seconds` has no effect here; see `online.minimum_seconds`")
        if not predictor.why_not_carried():
            raise SettingsError(f"`window.{name}` has no effect: this network takes one step after the other")
    return predictor


def called(sources: Sequence[object]) -> list[str]:
    """What sources are called where others may read it, each otherwise than those before it.

    >>> called(["rtsp://me:secret@camera/1", "rtsp://camera/1", 0])
    ['rtsp://camera/1', 'rtsp://camera/1 (2)', '0']
    """
    names: list[str] = []
    for source in sources:
        name = without_login(source)
        ways = (name, *(f"{name} ({number})" for number in range(2, len(sources) + 1)))
        names.append(next(way for way in ways if way not in names))
    return names


class _Watch:
    """One run of ``watch``."""

    def __init__(
        self,
        watcher: Watcher,
        sources: dict[str, Any],
        how: WatchSettings,
        rule: OnlineSettings,
        on_event: Callable[[Event], None],
        listeners: list[Listener],
    ) -> None:
        self._watcher, self._how, self._on_event, self._listeners = watcher, how, on_event, listeners
        self._look = [listener for listener in listeners if listener.takes_shots]
        paced = [is_live(source) or how.pace == "real" for source in sources.values()]
        self._newest = any(paced) if how.drop == "auto" else how.drop == "latest"
        self._mailbox = Mailbox(len(sources), newest=self._newest)
        self._watched = [
            Watched(SourceReport(name), partial(OnlineSegments, watcher.labels, rule), own_pace)
            for name, own_pace in zip(sources, paced, strict=True)
        ]
        self._sources = [self._source(number, source) for number, source in enumerate(sources.values())]

    def _source(self, number: int, name: Any) -> Source:
        live = is_live(name)
        return Source(
            number,
            str(name),
            partial(self._open, name),
            self._mailbox,
            views=self._watcher.views,
            finite=not live or name == STANDARD_INPUT,
            real_pace=not live and self._how.pace == "real",
            reconnect_seconds=self._how.reconnect_seconds,
        )

    def _open(self, name: Any) -> Any:
        return open_video(
            name,
            size=self._watcher.size,
            wanted=SteadySampler(self._watcher.fps) if self._watcher.fps else None,
            newest=self._newest,
            timeout_seconds=self._how.timeout_seconds,
            picture_side=PICTURE_SIDE if self._look else None,
        )

    def run(self) -> WatchReport:
        """Until all sources are over."""
        for source in self._sources:
            source.start()
        try:
            until = time.monotonic() + (self._how.seconds or float("inf"))
            while self._goes_on() and time.monotonic() < until:
                self._turn()
        finally:
            for source in self._sources:
                source.stop()
            self._mailbox.close()
            for number in range(len(self._watched)):
                self._end_all(number)
            for listener in self._listeners:
                listener.close()
            self._hear_listeners()
        return WatchReport(self._watcher.how, [watched.finished() for watched in self._watched])

    def _goes_on(self) -> bool:
        return any(not w.over for w in self._watched) and not any(one.done for one in self._listeners)

    def _turn(self) -> None:
        """What has come since the last turn: what happened, then the steps of all that have a frame."""
        most = 1 if self._newest else self._watcher.at_once
        taken = self._mailbox.take(min(0.2, self._how.heartbeat_seconds), most)
        for item in taken:
            if isinstance(item, Note):
                self._noted(item)
        if shown := [item for item in taken if isinstance(item, Shown)]:
            self._step(shown)
        now = time.monotonic()
        for number, watched in enumerate(self._watched):
            if not watched.over and now - watched.reported > self._how.heartbeat_seconds:
                watched.reported = now
                self._event(number, "heartbeat", **watched.heartbeat())
        self._hear_listeners()

    def _hear_listeners(self) -> None:
        for event, number in [news for listener in self._listeners for news in listener.turn()]:
            self._tell(event, number)

    def _step(self, shown: list[Shown]) -> None:
        times = [self._watched[item.source].seconds_of(item) for item in shown]
        said = self._watcher.step(shown, times)
        now = time.monotonic()
        for item, seconds, of_source in zip(shown, times, said, strict=True):
            watched = self._watched[item.source]
            watched.report.dropped_frames += item.dropped
            age = now - item.taken_seconds if watched.paced else None
            self._answered(item.source, seconds, of_source, age)
            if self._look and item.frame.picture is not None:
                self._show(item, seconds, age)

    def _answered(self, number: int, seconds: float, said: list[Said], age: float | None) -> None:
        watched, labels = self._watched[number], self._watcher.labels
        watched.looked(said)
        if any(one.probabilities_K is not None or one.forecast is not None for one in said):
            watched.answered(age)
        for one in said:
            of_track = _of_track(one)
            if one.over:
                self._say(number, watched.end(one.track), age, seconds, **of_track)
            elif one.forecast is not None:
                self._event(number, "forecast", **of_track, **told(one.forecast), age_seconds=age)
            elif one.probabilities_K is not None:
                if self._how.steps:
                    said_K = dict(zip(labels, one.probabilities_K.tolist(), strict=True))
                    self._event(
                        number, "step", seconds=seconds, **of_track, probabilities=said_K, age_seconds=age
                    )
                changes = watched.push(one.track, labels, seconds, one.probabilities_K)
                self._say(number, changes, age, seconds, **of_track)

    def _show(self, item: Shown, seconds: float, age: float | None) -> None:
        watched = self._watched[item.source]
        assert item.frame.picture is not None
        scale = item.frame.picture.shape[1] / item.frame.image.shape[1]
        shot = Shot(
            source=item.source,
            name=watched.report.name,
            picture=item.frame.picture,
            seconds=seconds,
            utc=watched.utc_of(seconds),
            labels=self._watcher.labels,
            lasting=watched.lasting,
            likeliest=watched.likeliest.get(None),
            age_seconds=age,
            dropped_frames=watched.report.dropped_frames,
            objects=watched.objects(scale),
            forecasts=watched.forecasts,
            place=lambda positions: scale * self._watcher.to_picture(positions),
        )
        for listener in self._look:
            listener.on_shot(shot)

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
        self._event(note.source, note.kind, detail=note.detail, utc=utc_at(note.at_seconds))

    def _end_all(self, number: int) -> None:
        for track in list(self._watched[number].segments):
            of_track = {} if track is None else {"track": track, "box": None}
            watched = self._watched[number]
            self._say(number, watched.end(track), None, watched.last_seconds, **of_track)

    def _begin_anew(self, number: int) -> None:
        self._end_all(number)
        self._watcher.forget(number)
        self._watched[number].forget()

    def _say(
        self,
        number: int,
        changes: list[Change],
        age: float | None,
        seconds: float | None,
        **of_track: Any,
    ) -> None:
        watched = self._watched[number]
        for change in changes:
            self._event(
                number,
                change.kind,
                **of_track,
                label=change.label,
                seconds=seconds,
                start_seconds=change.start_seconds,
                end_seconds=change.end_seconds,
                start_utc=watched.utc_of(change.start_seconds),
                end_utc=None if change.end_seconds is None else watched.utc_of(change.end_seconds),
                probability=change.probability,
                age_seconds=age,
                dropped_frames=watched.report.dropped_frames,
            )

    def _event(self, number: int, kind: str, **what: Any) -> None:
        self._tell({"event": kind, "source": self._watched[number].report.name, **what}, number)

    def _tell(self, event: Event, number: int | None) -> None:
        self._on_event(event)
        for listener in self._listeners:
            listener.on_event(event, number)


def _of_track(said: Said) -> Event:
    """What events of an object also have: its number, and where it is now."""
    if said.track is None:
        return {}
    return {"track": said.track, "box": None if said.box_4 is None else said.box_4.round(1).tolist()}
