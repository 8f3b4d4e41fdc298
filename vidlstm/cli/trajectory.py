"""The trajectory side of ``train``, ``evaluate`` and ``predict``; those verbs hand over to it."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidlstm.cli.parsing import new_parser, parse, trainer_arguments
from vidlstm.cli.progress import TrackingBar, quieten_lightning, show_failures, speaks
from vidlstm.errors import SettingsError
from vidlstm.settings import (
    TRAINER_DEFAULTS,
    TrajectoryDataSettings,
    TrajectoryModelSettings,
    TrajectoryOptimiserSettings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jsonargparse import ArgumentParser, Namespace

    from vidlstm.settings import TrackingSettings
    from vidlstm.verbs.predict_trajectory import ForecastReport


def asked_for(argv: Sequence[str]) -> bool:
    """Whether ``--task trajectory`` is among the arguments, or in the file that ``--config`` names."""
    from yaml import YAMLError, safe_load  # type: ignore[import-untyped]

    for word, following in zip_longest(argv, argv[1:], fillvalue=""):
        if word == "--task=trajectory" or (word == "--task" and following == "trajectory"):
            return True
        name = word.removeprefix("--config=") if word.startswith("--config=") else following
        if word.split("=")[0] == "--config":
            try:
                config = safe_load(Path(name).read_text(encoding="utf-8"))
            except (OSError, YAMLError, UnicodeDecodeError):
                continue  # the verb's own parser says what is wrong with it
            if isinstance(config, dict) and config.get("task") == "trajectory":
                return True
    return False


def train_parser() -> ArgumentParser:
    """Every setting of ``train --task trajectory``."""
    from lightning import Trainer

    parser = new_parser("train", "Track tables to a forecaster.")
    parser.add_argument("--task", choices=("trajectory",), default="trajectory", help="what is learned")
    parser.add_argument("--out", type=Path, required=True, help="takes best.ckpt, last.ckpt and metrics.json")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the draws and their changes")
    parser.add_argument("--resume", type=bool, default=False, help="go on from OUT/last.ckpt")
    parser.add_class_arguments(TrajectoryDataSettings, "data")
    parser.add_class_arguments(TrajectoryModelSettings, "model")
    parser.add_class_arguments(TrajectoryOptimiserSettings, "optimiser")
    parser.add_class_arguments(Trainer, "trainer", instantiate=False)
    parser.set_defaults({f"trainer.{key}": value for key, value in TRAINER_DEFAULTS.items()})
    return parser


def run_train(argv: Sequence[str]) -> int:
    """``vidlstm train --task trajectory``."""
    settings = parse(train_parser(), argv)
    quieten_lightning()

    from vidlstm.verbs.train_trajectory import train_trajectory

    metrics = train_trajectory(
        data=settings.data,
        out=settings.out,
        model=settings.model,
        optimiser=settings.optimiser,
        trainer=trainer_arguments(settings),
        seed=settings.seed,
        resume=settings.resume,
    )
    if speaks():
        print(_rows(metrics))
        print(settings.out / "best.ckpt")
    return 0


def run_evaluate(argv: Sequence[str]) -> int:
    """``vidlstm evaluate CHECKPOINT`` of a trajectory checkpoint."""
    parser = new_parser("evaluate", "A forecaster beside constant velocity and least squares.")
    parser.add_argument("checkpoint", type=Path, help="what train wrote")
    parser.add_argument("--out", type=Path, required=True, help="takes report.json and the pictures")
    parser.add_argument(
        "--side", type=Literal["train", "validation", "test"], default="test", help="which files"
    )
    parser.add_class_arguments(TrajectoryDataSettings, "data")
    settings = parse(parser, argv)

    from vidlstm.verbs.evaluate_trajectory import evaluate_trajectory

    report = evaluate_trajectory(
        settings.checkpoint, data=settings.data, out=settings.out, side=settings.side
    )
    print(_rows(report))
    print(settings.out / "report.json")
    return 0


def run_predict(argv: Sequence[str]) -> int:
    """``vidlstm predict CHECKPOINT TRACKS.parquet`` or ``... VIDEO... --weights FILE``."""
    from vidlstm.cli.track import add_tracking, tracking_settings

    parser = new_parser("predict", "A tracks table, or videos, to forecasts.")
    parser.add_argument("checkpoint", type=Path, help="what train wrote")
    parser.add_argument(
        "inputs", nargs="+", type=Path, help="a tracks table (.parquet), or videos and folders"
    )
    parser.add_argument("--out", type=Path, required=True, help="takes tables, pictures and videos")
    parser.add_argument("--every", type=int | None, default=None, help="forecast from every so many steps")
    parser.add_argument(
        "--homography", type=Path | None, default=None, help="pixels to metres, 3 x 3 numbers"
    )
    parser.add_argument("--video", type=bool, default=True, help="draw the MP4 of each video")
    add_tracking(parser)
    settings = parse(parser, argv)
    if settings.inputs[0].suffix != ".parquet":
        return _predict_videos(settings, tracking_settings(settings))
    if len(settings.inputs) > 1:
        raise SettingsError("give one tracks table; it may hold several videos")

    from vidlstm.verbs.predict_trajectory import predict_trajectory

    report = predict_trajectory(
        settings.checkpoint,
        settings.inputs[0],
        out=settings.out,
        every=settings.every,
        homography=settings.homography,
    )
    _show_forecasts(report)
    return 0


def _predict_videos(settings: Namespace, tracking: TrackingSettings) -> int:
    from vidlstm.verbs.predict_video import predict_video

    with TrackingBar() as bar:
        report = predict_video(
            settings.checkpoint,
            settings.inputs,
            out=settings.out,
            tracking=tracking,
            every=settings.every or 1,
            homography=settings.homography,
            video=settings.video,
            progress=bar,
        )
    show_failures(report.tracking)
    _show_forecasts(report)
    return 1 if report.tracking.failures else 0


def _show_forecasts(report: ForecastReport) -> None:
    print(f"{len(report.forecasts)} forecasts; {len(report.short_tracks)} tracks too short to forecast")
    if report.scores["forecasts"]:
        print(f"{report.scores['forecasts']} whose future is known, {report.scores['unit']}")
        for name in ("network", "constant_velocity"):
            numbers = "  ".join(f"{key} {value:.2f}" for key, value in report.scores[name].items())
            print(f"  {name.replace('_', ' '):<18} {numbers}")
    print(*map(str, report.files), sep="\n")


def _rows(metrics: dict[str, object]) -> str:
    """The network's errors and those of the models without learning, a line each."""
    baselines = metrics["baselines"]
    assert isinstance(baselines, dict)
    lines = [f"{metrics['side']}, {metrics['windows']} windows, {metrics['unit']}"]
    for name, row in {"network": metrics, **baselines}.items():
        keys = [f"{key}{unit}" for unit in ("", "_pixels") for key in ("ade", "fde", "min_ade", "min_fde")]
        numbers = [f"{key.replace('_pixels', ' px')} {row[key]:.3f}" for key in keys if key in row]
        lines.append(f"  {name.replace('_', ' '):<18} {'  '.join(numbers)}")
    return "\n".join(lines)
