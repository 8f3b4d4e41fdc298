"""``vidlstm track VIDEO...``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.cli.parsing import Parser, add_device, add_engine, new_parser, parse
from vidlstm.cli.progress import TrackingBar, show_failures, show_lines
from vidlstm.cli.terminal import say
from vidlstm.settings import TrackingSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from jsonargparse import ArgumentParser


def add_tracking(parser: ArgumentParser, *, skip: Collection[str] = ()) -> None:
    """Every setting of the tracking at the top level, with lists as plain words, but for some."""
    parser.add_argument("--boxes", nargs="+", type=Path, default=None, help="MOT text in place of a network")
    parser.add_argument("--classes", nargs="+", type=str, default=None, help="keep these classes")
    parser.add_class_arguments(TrackingSettings, skip={"boxes", "classes", *skip})


def track_parser() -> Parser:
    """Every setting of ``track``."""
    parser = new_parser("track", "Videos to one table of tracks. A killed run goes on where it stopped.")
    parser.add_argument("videos", nargs="+", type=Path, help="videos, and folders to search for them")
    parser.add_argument("--out", type=Path, default=Path("tracks.parquet"), help="the table (Parquet)")
    parser.add_argument(
        "--video", nargs="?", const=True, type=bool, default=False, help="draw an MP4 of each"
    )
    add_device(parser)
    add_engine(parser)
    add_tracking(parser)
    return parser


def run(argv: Sequence[str]) -> int:
    """Tracks, and says what was found in each video."""
    parsed = parse(track_parser(), argv)

    from vidlstm.verbs.track import track

    with TrackingBar() as bar:
        report = track(
            parsed.videos,
            out=parsed.out,
            settings={name: parsed[name] for name in TrackingSettings.__dataclass_fields__},
            video=parsed.video,
            device=parsed.device,
            engine=parsed.engine,
            address=parsed.address,
            progress=bar,
        )
    show_failures(report)
    for record in report.videos:
        say(
            f"{record['video']}: {record['tracks']} tracks, {record['rows']} boxes; objects in "
            f"{record['with_objects']} of {record['frames']} frames"
        )
    say(
        f"{report.tracked} videos tracked, {report.found} there already, {len(report.failures)} failed; "
        f"{report.frames} frames in {report.seconds:.1f} s"
    )
    show_lines(report.files)
    return 1 if report.failures else 0
