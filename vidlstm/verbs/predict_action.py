"""``predict`` with an action checkpoint: videos to segments, tables and pictures."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vidlstm
from vidlstm.backbones.weights import sha256_of
from vidlstm.errors import SettingsError, VideoError
from vidlstm.features.extract import make_store
from vidlstm.inference.predictor import ActionPredictor
from vidlstm.render.draw.action_overlay import draw_action_overlay
from vidlstm.render.names import output_stems
from vidlstm.render.plot.action_timeline import plot_timeline
from vidlstm.render.table.action_tables import write_prediction_csv, write_prediction_json
from vidlstm.settings import BackboneSettings, SamplingSettings, WindowSettings
from vidlstm.structures import Failure
from vidlstm.training.action import load_action_model
from vidlstm.verbs.extract import backbone_of_card, fill_store, find_videos
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.features.store import FeatureStore
    from vidlstm.models.fusion import Classifier
    from vidlstm.structures import ActionPrediction, Segment
    from vidlstm.verbs.extract import Progress
    from vidlstm.verbs.object_network import ObjectNetwork


@dataclass
class PredictionReport:
    """What a prediction run did: the predictions, the files written, and the videos that failed."""

    predictions: list[ActionPrediction] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def predict_action(
    checkpoint: Path,
    videos: Sequence[Path],
    *,
    out: Path,
    store: Path | None = None,
    backbone: BackboneSettings | None = None,
    sampling: SamplingSettings | None = None,
    window: WindowSettings | None = None,
    video: bool = True,
    truth: tuple[Segment, ...] | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> PredictionReport:
    """Says what happens when in videos of any length.

    Args:
        checkpoint: what ``train`` wrote; it holds all other settings.
        videos: files, and folders to search for them.
        out: takes ``<stem>.json``, ``.csv``, ``.png`` and ``.mp4`` of each video.
        store: keeps the features; None throws them away.
        backbone: where the backbone's weights are.
        sampling: how videos are decoded; the rate is the checkpoint's.
        window: how a video is cut.
        video: draw the MP4; off is faster.
        truth: the true segments, drawn beside the predicted ones.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        progress: told of the extraction.

    Returns:
        The report. A video that fails does not stop the others.

    Raises:
        VidlstmError: see its subclasses.
    """
    backbone, sampling = backbone or BackboneSettings(), sampling or SamplingSettings()
    paths = find_videos([Path(v) for v in videos])
    stems = output_stems(paths)
    model, card = load_action_model(Path(checkpoint))
    network = backbone_of_card(card, backbone, device=device)
    predictor = build_predictor(model.to(network.device), card, network, Path(checkpoint), window)
    report = PredictionReport()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with feature_store(store, out, network, card) as features:
        extraction = fill_store(
            paths, features, network, backbone_settings=backbone, sampling=sampling, progress=progress
        )
        report.failures = extraction.failures
        for path in paths:
            if path not in extraction.hashes:
                continue
            prediction = predictor(str(path), features.get(extraction.hashes[path]))
            report.predictions.append(prediction)
            report.files += write_outputs(
                prediction, out / stems[path], sampling=sampling, video=video, truth=truth
            )
    return report


def build_predictor(
    model: Classifier,
    card: dict[str, Any],
    backbone: Backbone,
    checkpoint: Path,
    window: WindowSettings | None,
) -> ActionPredictor:
    """The predictor of a checkpoint, with a record of what produced its predictions."""
    window = checked(window or WindowSettings())
    return ActionPredictor(
        model,
        tuple(card["labels"]),
        window_seconds=window.seconds or float(card["window_seconds"]),
        stride_seconds=window.stride_seconds,
        minimum_seconds=window.minimum_seconds,
        produced_by=origin(checkpoint, card, backbone),
    )


def origin(checkpoint: Path, card: dict[str, Any], network: Backbone | ObjectNetwork) -> dict[str, Any]:
    """The record of what produced a prediction."""
    return {
        "vidlstm": vidlstm.__version__,
        "checkpoint": str(checkpoint),
        "checkpoint_sha256": sha256_of(checkpoint),
        "backbone": network.spec,
        "weights_source": network.weights_source,
        "random_weights": network.is_random,
        "fps": card["fps"],
    }


def output_files(stem: Path, video: str) -> list[Path]:
    """The ``.json``, ``.csv``, ``.png`` and ``.mp4`` of a video.

    Raises:
        VideoError: one of them is the video itself.
    """
    outputs = [stem.with_name(f"{stem.name}.{ending}") for ending in ("json", "csv", "png", "mp4")]
    if Path(video).resolve() in {o.resolve() for o in outputs}:
        raise VideoError(video, reason="unwritable", detail="it would be overwritten; use another --out")
    return outputs


def checked(window: WindowSettings) -> WindowSettings:
    """The same.

    Raises:
        SettingsError: a length is negative.
    """
    for name in ("seconds", "stride_seconds", "minimum_seconds"):
        length = getattr(window, name)
        if length is not None and not length >= 0:  # NaN is not, either
            raise SettingsError(f"--window.{name} must not be negative: {length}")
    return window


@contextlib.contextmanager
def feature_store(
    root: Path | None, out: Path, backbone: Backbone, card: dict[str, Any]
) -> Iterator[FeatureStore]:
    """The store at ``root``, or where that is None one in ``out`` that is gone afterwards."""
    if root is not None:
        yield make_store(Path(root), backbone, fps=card["fps"], image_fps=card["image_fps"])
        return
    with tempfile.TemporaryDirectory(prefix=".features-", dir=out) as folder:
        yield make_store(Path(folder), backbone, fps=card["fps"], image_fps=card["image_fps"])


def write_outputs(
    prediction: ActionPrediction,
    stem: Path,
    *,
    sampling: SamplingSettings,
    video: bool,
    truth: tuple[Segment, ...] | None = None,
) -> list[Path]:
    """Writes the tables and pictures of one prediction.

    Raises:
        VideoError: the video cannot be written, or can no longer be read.
    """
    outputs = output_files(stem, prediction.video)
    write_prediction_json(prediction, outputs[0])
    write_prediction_csv(prediction, outputs[1])
    plot_timeline(prediction, outputs[2], truth=truth)
    if not video:
        return outputs[:3]
    with open_video(prediction.video, decoder=sampling.decoder, image_fps=sampling.image_fps) as reader:
        draw_action_overlay(reader, prediction, outputs[3], fps=reader.info.claimed_fps or 25.0, truth=truth)
    return outputs
