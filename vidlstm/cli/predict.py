"""``vidlstm predict CHECKPOINT VIDEO...``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.cli.parsing import Parser, add_device, add_engine, add_how, new_parser, parse_given
from vidlstm.cli.progress import DrawingBar, ExtractionBar, TrackingBar, show_failures, show_lines
from vidlstm.cli.track import add_tracking
from vidlstm.render.sinks import SINKS
from vidlstm.settings import Count, TrackingSettings, WindowSettings
from vidlstm.structures import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence


def predict_parser() -> Parser:
    """Every setting of ``predict``; what has no effect on a checkpoint's task is refused later."""
    parser = new_parser("predict", "Videos of any length to annotated videos, tables and timelines.")
    parser.add_argument("checkpoint", type=Path, help="what train wrote")
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        help="videos, and folders to search for them; for forecasts, one tracks table (.parquet), too; files "
        "of features for a checkpoint that was trained on such",
    )
    parser.add_argument("--out", type=Path, required=True, help="takes the outputs of every video")
    parser.add_argument("--outputs", type=str | None, default=None, help=f"some of {_known()}, with commas")
    parser.add_argument("--video", type=bool, default=True, help="draw the MP4 where --outputs does not say")
    parser.add_argument("--store", type=Path | None, default=None, help="keep the features here")
    add_device(parser)
    add_engine(parser)
    parser.add_argument("--every", type=Count | None, default=None, help="forecast from every so many steps")
    parser.add_argument(
        "--homography", type=Path | None, default=None, help="pixels to metres, 3 x 3 numbers (forecasts)"
    )
    add_how(parser)
    parser.add_class_arguments(WindowSettings, "window")
    add_tracking(parser)
    return parser


def _known() -> str:
    return ", ".join(dict.fromkeys(suffix for _, suffix in SINKS))


def run(argv: Sequence[str]) -> int:
    """Predicts, and prints what was found."""
    given = parse_given(predict_parser(), argv)
    tracking = {name: given.pop(name) for name in TrackingSettings.__dataclass_fields__ if name in given}
    options: dict[str, Any] = {**given, **({"tracking": tracking} if tracking else {})}
    if options.get("outputs") is not None:
        options["outputs"] = [word.strip() for word in options["outputs"].split(",")]

    from vidlstm.tasks import TASKS
    from vidlstm.verbs.predict import predict

    with TrackingBar() as tracking_bar, ExtractionBar() as bar, DrawingBar() as drawing_bar:
        told = Progress(extraction=bar, tracking=tracking_bar, drawing=drawing_bar)
        report = predict(**options, progress=told)
    show_failures(report)
    for prediction in report.predictions:
        show_lines(TASKS[report.task].told(prediction))
    show_lines(report.files)
    return 1 if report.failures else 0
