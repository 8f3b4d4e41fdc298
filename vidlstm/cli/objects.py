"""The side of ``predict`` that is about tracked objects; the verb hands over to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.cli.parsing import new_parser, parse
from vidlstm.cli.progress import ExtractionBar, TrackingBar, show_failures
from vidlstm.cli.track import add_tracking, tracking_settings
from vidlstm.settings import BackboneSettings, WindowSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.structures import ActionPrediction


def run_predict(argv: Sequence[str], checkpoint: Path) -> int:
    """``vidlstm predict CHECKPOINT VIDEO... --weights FILE``."""
    from vidlstm.verbs.predict_objects import predict_objects, trained_tracking

    parser = new_parser("predict", "Videos to what each tracked person or thing does, and when.")
    parser.add_argument("checkpoint", type=Path, help="what train --data.tracks wrote")
    parser.add_argument("videos", nargs="+", type=Path, help="videos, and folders to search for them")
    parser.add_argument("--out", type=Path, required=True, help="takes the .json, .csv, .png and .mp4 files")
    parser.add_argument("--store", type=Path | None, default=None, help="keep the features here")
    parser.add_argument("--video", type=bool, default=True, help="draw the MP4")
    add_tracking(parser)
    parser.add_class_arguments(BackboneSettings, "backbone")
    parser.add_class_arguments(WindowSettings, "window")
    parser.set_defaults(trained_tracking(checkpoint))
    settings = parse(parser, argv)
    with TrackingBar() as tracking_bar, ExtractionBar() as bar:
        report = predict_objects(
            settings.checkpoint,
            settings.videos,
            out=settings.out,
            tracking=tracking_settings(settings),
            store=settings.store,
            backbone=settings.backbone,
            window=settings.window,
            video=settings.video,
            tracking_progress=tracking_bar,
            progress=bar,
        )
    show_failures(report)
    for actions in report.predictions:
        print(actions.video)
        if actions.scene.produced_by["random_weights"]:
            print("  warning: the backbone's weights are random; these labels mean nothing")
        _show("scene", actions.scene)
        for track_id, prediction in actions.tracks.items():
            _show(f"track {track_id}", prediction)
        if actions.short_tracks:
            print(f"  seen too shortly to be judged: {', '.join(map(str, actions.short_tracks))}")
    print(*map(str, report.files), sep="\n")
    return 1 if report.failures else 0


def _show(name: str, prediction: ActionPrediction) -> None:
    for s in prediction.segments:
        print(f"  {name:<10} {s.start_seconds:8.2f} - {s.end_seconds:8.2f} s  {s.label}  {s.probability:.2f}")
