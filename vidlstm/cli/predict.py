"""``vidlstm predict CHECKPOINT VIDEO...``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.cli.parsing import cards_in, new_parser, parse
from vidlstm.cli.progress import ExtractionBar, show_failures
from vidlstm.settings import BackboneSettings, SamplingSettings, WindowSettings

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(argv: Sequence[str]) -> int:
    """Runs the verb."""
    from vidlstm.cli import objects, trajectory

    cards = cards_in(argv)
    if any(card.get("task") == "trajectory" for _, card in cards):
        return trajectory.run_predict(argv)
    if tracked := [path for path, card in cards if isinstance(card.get("objects"), dict)]:
        return objects.run_predict(argv, tracked[0])
    parser = new_parser("predict", "Videos of any length to annotated videos, tables and timelines.")
    parser.add_argument("checkpoint", type=Path, help="what train wrote")
    parser.add_argument("videos", nargs="+", type=Path, help="videos, and folders to search for them")
    parser.add_argument("--out", type=Path, required=True, help="takes the .json, .csv, .png and .mp4 files")
    parser.add_argument("--store", type=Path | None, default=None, help="keep the features here")
    parser.add_argument("--video", type=bool, default=True, help="draw the MP4")
    parser.add_class_arguments(BackboneSettings, "backbone")
    parser.add_class_arguments(SamplingSettings, "sampling")
    parser.add_class_arguments(WindowSettings, "window")
    settings = parse(parser, argv)

    from vidlstm.verbs.predict_action import predict_action

    with ExtractionBar() as bar:
        report = predict_action(
            settings.checkpoint,
            settings.videos,
            out=settings.out,
            store=settings.store,
            backbone=settings.backbone,
            sampling=settings.sampling,
            window=settings.window,
            video=settings.video,
            progress=bar,
        )
    show_failures(report)
    for prediction in report.predictions:
        print(prediction.video)
        if prediction.produced_by["random_weights"]:
            print("  warning: the backbone's weights are random; these labels mean nothing")
        for s in prediction.segments:
            print(f"  {s.start_seconds:8.2f} - {s.end_seconds:8.2f} s  {s.label}  {s.probability:.2f}")
    for path in report.files:
        print(path)
    return 1 if report.failures else 0
