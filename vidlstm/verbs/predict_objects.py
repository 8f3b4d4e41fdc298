"""``predict`` with a checkpoint of tracked objects: videos to what each object does, drawn at its box."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars
import torch

from vidlstm.backbones.weights import sha256_of
from vidlstm.errors import CheckpointError
from vidlstm.inference.object_predictor import ObjectPredictor
from vidlstm.models.bags import BagClassifier
from vidlstm.models.fusion import BagFusion
from vidlstm.render.draw.object_overlay import draw_object_actions
from vidlstm.render.names import output_stems
from vidlstm.render.plot.object_timeline import plot_object_timelines
from vidlstm.render.table.object_tables import write_object_actions_csv, write_object_actions_json
from vidlstm.settings import BackboneSettings, SamplingSettings, TrackingSettings, WindowSettings
from vidlstm.structures import Failure
from vidlstm.training.action import load_any_action_model
from vidlstm.training.checkpoint import read_checkpoint
from vidlstm.verbs.object_data import objects_of
from vidlstm.verbs.object_network import object_network_of_card
from vidlstm.verbs.predict_action import checked, origin, output_files
from vidlstm.verbs.track import TrackingReport, track
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vidlstm.structures import ObjectActions
    from vidlstm.verbs.extract import Progress
    from vidlstm.verbs.object_network import ObjectNetwork


@dataclass
class ObjectPredictionReport:
    """What a prediction run did: the tracking, the predictions, the files, and the videos that failed."""

    tracking: TrackingReport = field(default_factory=TrackingReport)
    predictions: list[ObjectActions] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def predict_objects(
    checkpoint: Path,
    videos: Sequence[Path],
    *,
    out: Path,
    tracking: TrackingSettings,
    store: Path | None = None,
    backbone: BackboneSettings | None = None,
    window: WindowSettings | None = None,
    video: bool = True,
    device: str | None = None,
    tracking_progress: Callable[[TrackingReport, int], None] | None = None,
    progress: Progress | None = None,
) -> ObjectPredictionReport:
    """Says what each person or thing in videos does, and when.

    Args:
        checkpoint: what ``train --data.tracks`` wrote.
        videos: files, and folders to search for them.
        out: takes ``tracks.parquet`` and ``.json``, and ``<stem>.json``, ``.csv``, ``.png`` and ``.mp4`` of
            each video.
        tracking: the network and the tracker; see :func:`trained_tracking`.
        store: keeps the features of what is cut out; None throws them away.
        backbone: where the weights of the network that sees what is cut out are.
        window: how a video is cut.
        video: draw the MP4; off is faster.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        tracking_progress, progress: told of the tracking, and of the extraction.

    Returns:
        The report. A video that fails does not stop the others.

    Raises:
        VidlstmError: see its subclasses.
    """
    backbone = backbone or BackboneSettings()
    model, card = load_any_action_model(Path(checkpoint))
    if not isinstance(model, BagClassifier | BagFusion):
        raise CheckpointError(f"{checkpoint} is about whole frames, not tracked objects; see predict_action")
    model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    network = object_network_of_card(card, backbone, device=device)
    predictor = _predictor(model, card, network, Path(checkpoint), window)
    _check_weights(card, tracking)
    out = Path(out)
    tracks = out / "tracks.parquet"
    report = ObjectPredictionReport(
        track(videos, out=tracks, settings=tracking, device=device, progress=tracking_progress)
    )
    report.files = [*report.tracking.files]
    report.failures = [*report.tracking.failures]
    records = {Path(record["video"]): record for record in report.tracking.videos}
    table = polars.read_parquet(tracks)
    sampling = _sampling(card, tracking)
    with _folder(store, out) as root:
        done = objects_of(
            list(records),
            tracks,
            network,
            store=root,
            fps=card["fps"],
            max_gap_seconds=card["objects"]["max_gap_seconds"],
            backbone=backbone,
            sampling=sampling,
            progress=progress,
        )
    report.failures += done.failures
    stems = _stems(list(records), tracks)
    for path, record in records.items():
        if path not in done.sequences:
            continue
        actions = predictor(
            str(path),
            done.sequences[path],
            first_seconds=record["first_seconds"],
            last_seconds=record["last_seconds"],
        )
        report.predictions.append(actions)
        rows = table.filter(polars.col("video") == str(path))
        report.files += _write(actions, rows, out / stems[path], record, sampling, video=video)
    return report


def trained_tracking(checkpoint: Path) -> dict[str, Any]:
    """How objects were found for the training of a checkpoint: values of ``TrackingSettings`` by name.

    Raises:
        CheckpointError: see :func:`read_checkpoint`.
    """
    _, card = read_checkpoint(checkpoint, task="action")
    known = TrackingSettings.__dataclass_fields__
    found = card["objects"].get("tracking")
    if not isinstance(found, dict):
        raise CheckpointError(f"{checkpoint} is damaged: its card does not say how objects were found")
    return {name: value for name, value in found.items() if name in known and name != "weights"}


def _check_weights(card: dict[str, Any], tracking: TrackingSettings) -> None:
    trained = card["objects"]["tracking"].get("weights_sha256")
    if trained and tracking.weights and sha256_of(tracking.weights) != trained:
        warnings.warn(
            f"{tracking.weights} is not the network that found the objects of this checkpoint's training",
            stacklevel=3,
        )


def _predictor(
    model: BagClassifier | BagFusion,
    card: dict[str, Any],
    network: ObjectNetwork,
    checkpoint: Path,
    window: WindowSettings | None,
) -> ObjectPredictor:
    window = checked(window or WindowSettings())
    return ObjectPredictor(
        model,
        tuple(card["labels"]),
        feature_dim=int(card["feature_dim"]),
        step_seconds=1 / card["fps"],
        minimum_object_seconds=card["objects"]["minimum_seconds"],
        window_seconds=window.seconds or float(card["window_seconds"]),
        stride_seconds=window.stride_seconds,
        minimum_seconds=window.minimum_seconds,
        produced_by=origin(checkpoint, card, network),
    )


def _sampling(card: dict[str, Any], tracking: TrackingSettings) -> SamplingSettings:
    """Decodes as the tracking does, at the rate of the training."""
    return SamplingSettings(
        fps=card["fps"],
        decoder=tracking.decoder,
        image_fps=tracking.image_fps,
        timeout_seconds=tracking.timeout_seconds,
    )


def _stems(videos: list[Path], tracks: Path) -> dict[Path, str]:
    """A name for the outputs of each video; ``tracks.json`` is the table's own."""
    stems = output_stems(videos)
    return {path: path.name if stem.casefold() == tracks.stem else stem for path, stem in stems.items()}


@contextlib.contextmanager
def _folder(store: Path | None, out: Path) -> Iterator[Path]:
    if store is not None:
        yield Path(store)
        return
    with tempfile.TemporaryDirectory(prefix=".features-", dir=out) as folder:
        yield Path(folder)


def _write(
    actions: ObjectActions,
    rows: polars.DataFrame,
    stem: Path,
    record: dict[str, Any],
    sampling: SamplingSettings,
    *,
    video: bool,
) -> list[Path]:
    outputs = output_files(stem, actions.video)
    write_object_actions_json(actions, outputs[0])
    write_object_actions_csv(actions, outputs[1])
    plot_object_timelines(actions, outputs[2])
    if not video:
        return outputs[:3]
    with open_video(actions.video, decoder=sampling.decoder, image_fps=sampling.image_fps) as reader:
        draw_object_actions(reader, rows, actions, outputs[3], fps=record["fps"] or 25.0)
    return outputs
