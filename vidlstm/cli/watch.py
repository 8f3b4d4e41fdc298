"""``vidlstm watch CHECKPOINT SOURCE...``."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.cli.config import named_configs
from vidlstm.cli.parsing import Parser, add_device, add_how, new_parser, parse_given
from vidlstm.cli.terminal import say, visible
from vidlstm.cli.track import add_tracking
from vidlstm.errors import with_flags
from vidlstm.settings import (
    Count,
    OnlineSettings,
    SurfaceSettings,
    TrackingSettings,
    WatchSettings,
    WindowSettings,
    settings_from,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vidlstm.verbs.watched import SourceReport


NOT_TRACKING = {"timeout_seconds", "decoder", "image_fps"}
"""Settings of tracking that ``watch`` has of its own, or no use for."""


def watch_parser() -> Parser:
    """Every setting of ``watch``."""
    parser = new_parser("watch", "Cameras, streams and files to what happens in them, while it happens.")
    parser.add_argument("checkpoint", type=Path, help="what train wrote")
    parser.add_argument(
        "sources",
        nargs="+",
        type=str,
        help="a camera's number, an address (rtsp://, http://, ...), a file, or - for standard input",
    )
    parser.add_argument(
        "--events",
        type=str | None,
        default=None,
        help="append events to this file as lines of JSON; - prints them in place of the readable lines",
    )
    add_device(parser)
    parser.add_class_arguments(WatchSettings, None)
    parser.add_class_arguments(SurfaceSettings, None)
    parser.add_class_arguments(OnlineSettings, "online")
    add_how(parser)
    parser.add_class_arguments(WindowSettings, "window")
    parser.add_argument("--every", type=Count | None, default=None, help="forecast from every so many steps")
    parser.add_argument(
        "--homography", type=Path | None, default=None, help="pixels to metres, 3 x 3 numbers (forecasts)"
    )
    add_tracking(parser, skip=NOT_TRACKING)
    return parser


def run(argv: Sequence[str]) -> int:
    """Watches, and prints what happens."""
    given = parse_given(watch_parser(), argv)

    from vidlstm.files import check_inputs, files_named
    from vidlstm.render.events import EventFile
    from vidlstm.render.live.surfaces import check_surfaces
    from vidlstm.verbs.watch import load_to_watch, watch

    events = given.pop("events", None)
    if events and events != "-":
        check_inputs([Path(events)], [*files_named(given), *named_configs(argv)], "events")
    checkpoint, sources = given.pop("checkpoint"), given.pop("sources")
    settings = {name: given.pop(name) for name in WatchSettings.__dataclass_fields__ if name in given}
    surfaces = {name: given.pop(name) for name in SurfaceSettings.__dataclass_fields__ if name in given}
    check_surfaces(settings_from(SurfaceSettings, surfaces, section=""))
    online = given.pop("online", None)
    tracking = {name: given.pop(name) for name in TrackingSettings.__dataclass_fields__ if name in given}
    given |= {"tracking": tracking} if tracking else {}
    named = [int(source) if is_camera(source) else source for source in sources]
    with closing(EventFile(Path(events) if events and events != "-" else None)) as file:
        predictor = load_to_watch(checkpoint, **given)
        consumers: list[Callable[[dict[str, Any]], None]] = [file] if events else []
        consumers += [] if events == "-" else [show_event]
        told = _Told(predictor.why_not_carried(), consumers)
        report = watch(predictor, named, on_event=told, settings=settings, online=online, surfaces=surfaces)
    for source in report.sources:
        say_line(said_of(source), error=True)
    return 1 if told.failed else 0


class _Told:
    """Passes events on.

    Args:
        why: no state is carried, or empty; said with the first event: what is refused has none.
        consumers: of events.

    Attributes:
        failed: whether a source or a surface did.
    """

    def __init__(self, why: str, consumers: Sequence[Callable[[dict[str, Any]], None]]) -> None:
        self._why, self._consumers, self.failed = why, consumers, False

    def __call__(self, event: dict[str, Any]) -> None:
        if self._why:
            say(f"no state is carried: {with_flags(self._why)}", error=True)
            self._why = ""
        self.failed |= event["event"] == "failed"
        for consumer in self._consumers:
            consumer(event)


def is_camera(source: str) -> bool:
    """Whether it is a number that a camera may have."""
    return re.fullmatch(r"[0-9]{1,9}", source) is not None


def say_line(text: str, *, error: bool = False) -> None:
    """One line, whatever the names of sources and labels in it hold."""
    say(visible(text, keep=""), error=error)


def show_event(event: dict[str, Any]) -> None:
    """One event in a line for a person."""
    kind, source = event["event"], event["source"]
    if kind in ("start", "end"):
        end = "" if event["end_seconds"] is None else f"{event['end_seconds']:.2f}"
        whose = f"  track {event['track']}" if "track" in event else ""
        say_line(
            f"{source}  {event['start_seconds']:8.2f} - {end:>8} s  {event['label']}  "
            f"{event['probability']:.2f}{whose}"
        )
    elif kind == "recorded":
        say_line(f"{source}  {event['label']}: {event['file']}")
    elif kind not in ("heartbeat", "step", "forecast"):
        say_line(f"{source or event['surface']}: {kind}: {event['detail']}", error=True)


def said_of(report: SourceReport) -> str:
    """One source in a line, at the end."""
    ages = ""
    if report.age_p50_seconds is not None and report.age_p99_seconds is not None:
        ages = f", age {report.age_p50_seconds:.3f} s (p50), {report.age_p99_seconds:.3f} s (p99)"
    return (
        f"{report.name}: {report.steps} steps, {report.dropped_frames} frames dropped{ages}"
        f"{', given up: ' + report.failure if report.failure else ''}"
    )
