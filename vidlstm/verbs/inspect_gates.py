"""``inspect gates``: what every unit of an action classifier does while it reads a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.datasets.segments import read_segments
from vidlstm.devices import resolve_device
from vidlstm.errors import VideoError
from vidlstm.features.extract import fill_store, make_store, store_folder
from vidlstm.files import atomic, check_inputs, check_writable, files_named, held, make_folder
from vidlstm.inference.attribution import (
    Attribution,
    DeletionCheck,
    attribute,
    check_by_deletion,
    integrated_gradients,
)
from vidlstm.inference.gates import GateRecording, record_gates
from vidlstm.inference.segments import merge_windows, step_probabilities, window_rows
from vidlstm.render.plot.gate_picture import GateCourse, frame_count, plot_gates
from vidlstm.settings import path_from
from vidlstm.tasks import open_checkpoint
from vidlstm.tasks.action.predictor import ActionPredictor
from vidlstm.tasks.action.task import ActionTask
from vidlstm.verbs.inputs import videos_from
from vidlstm.verbs.load import predict_settings
from vidlstm.verbs.refusals import refuse_decided
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from vidlstm.cards import ActionCard
    from vidlstm.settings import BackboneSettings, SamplingSettings, WindowSettings
    from vidlstm.structures import ActionPrediction, FeatureSequence, Frame, Progress
    from vidlstm.tasks.base import Trained

FORMAT = "vidlstm.gates/1"


@dataclass(frozen=True, eq=False)
class GateReport:
    """What was found, and the files it went to.

    Attributes:
        recording: every gate of every window.
        attribution, deletion: which frames the decisions rest on, and its check; None where not asked for.
        prediction: as ``predict`` gives it.
        files: the ``.npz`` file, then one picture a layer.
    """

    recording: GateRecording
    attribution: Attribution | None
    deletion: DeletionCheck | None
    prediction: ActionPrediction
    files: list[Path]


def inspect_gates(
    checkpoint: Path,
    video: Path,
    *,
    out: Path,
    store: Path | None = None,
    truth: Path | None = None,
    attribution: bool = True,
    backbone: BackboneSettings | None = None,
    sampling: SamplingSettings | None = None,
    window: WindowSettings | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> GateReport:
    """Runs a video as ``predict`` does, and records every gate, cell and hidden state.

    Args:
        checkpoint: an action checkpoint that ``train`` wrote.
        video: one video.
        out: takes ``<stem>.gates.npz`` and ``<stem>.layer<n>.png``.
        store: keeps the features; None throws them away.
        truth: a CSV file of the true segments, drawn beside the predicted ones.
        attribution: also find which frames the decisions rest on.
        backbone, sampling, window, device: as for ``predict``.
        progress: told of the extraction.

    Raises:
        SettingsError: attribution is asked for and captum is not installed.
        VidlstmError: see its subclasses.
    """
    device = str(resolve_device(device))
    out, video = path_from(out, "out"), videos_from(video, "video")[0]
    segments = None if truth is None else read_segments(Path(truth))
    if attribution:
        integrated_gradients()  # before any work is done: is captum there?
    _, trained = open_checkpoint(checkpoint, "action")
    predictor = action_predictor(trained, backbone, sampling, window, device)
    stem = out / video.stem
    files = [stem.with_name(f"{stem.name}.gates.npz")]
    read = [checkpoint, video, *files_named(truth, predictor.settings)]
    check_inputs(files, read)
    check_writable(out)
    make_folder(out)
    sequence = video_features(predictor, video, store, out, progress)
    cut, cell = predictor.windows.cut, predictor.card.model.cell
    rows = window_rows(sequence.timestamps_seconds, cut.window_seconds, cut.stride_seconds)
    prediction = predictor.windows(str(video), sequence)
    model = predictor.model.cpu()  # gates are replayed step by step, where that is fastest
    recording = record_gates(model, sequence, rows)
    found = attribute(model, sequence, rows) if attribution else None
    deletion = None if found is None else check_by_deletion(model, sequence, rows, found)
    arrays = gate_arrays(sequence, recording, found, prediction, cell=cell)
    courses = layer_courses(sequence, recording, found)
    files += [stem.with_name(f"{stem.name}.{layer}.png") for layer in courses]
    check_inputs(files, read)
    frames = some_frames(video, sequence, predictor.settings.sampling)
    with held(stem):
        with atomic(files[0]) as temporary, temporary.open("wb") as file:
            # No allow_pickle=False: before numpy 2.1 that would be stored as an array. None holds objects.
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        for (layer, course), picture in zip(courses.items(), files[1:], strict=True):
            title = f"{video.name}: {layer} of {len(courses)}, {cell}"
            plot_gates(course, prediction, frames, picture, title=title, truth=segments)
    return GateReport(recording, found, deletion, prediction, files)


def action_predictor(
    trained: Trained[ActionCard], backbone: Any, sampling: Any, window: Any, device: str | None
) -> ActionPredictor:
    """The predictor of an opened checkpoint of whole frames; the rest as for ``predict``."""
    refuse_decided(trained.card, backbone, sampling)
    settings = predict_settings({"backbone": backbone, "sampling": sampling, "window": window})
    predictor = ActionTask().predictor(trained, settings, device=device)
    assert isinstance(predictor, ActionPredictor)
    return predictor


def video_features(
    predictor: ActionPredictor, video: Path, store: Path | None, out: Path, progress: Progress | None
) -> FeatureSequence:
    """The features of one video, from the store or newly extracted into it.

    Raises:
        SettingsError: the checkpoint was trained on features that were made elsewhere.
        VideoError: the video gives none.
    """
    card, settings, backbone = predictor.card, predictor.settings, predictor.require_network()
    with store_folder(store, out) as root:
        features = make_store(root, backbone, fps=card.fps, image_fps=card.image_fps)
        report = fill_store(
            [video],
            features,
            backbone,
            sampling=settings.sampling,
            batch_size=settings.backbone.batch_size,
            progress=progress,
        )
        if video not in report.hashes:
            failure = report.failures[0]
            raise VideoError(video, reason=failure.reason, detail=failure.detail)
        return features.get(report.hashes[video])


def gate_arrays(
    sequence: FeatureSequence,
    recording: GateRecording,
    attribution: Attribution | None,
    prediction: ActionPrediction,
    *,
    cell: str,
) -> dict[str, np.ndarray]:
    """What the ``.npz`` file holds; docs/inspect.md names every array."""
    rows_W2 = np.array(recording.rows, np.int64)
    arrays = {
        "format": np.array(FORMAT),
        "video": np.array(prediction.video),
        "cell": np.array(cell),
        "labels": np.array(prediction.labels),
        "timestamps_seconds": sequence.timestamps_seconds,
        "window_first_row": rows_W2[:, 0],
        "window_steps": rows_W2[:, 1] - rows_W2[:, 0],
        "window_probabilities": prediction.window_probabilities,
        "step_probabilities": step_probabilities(
            recording.rows, prediction.window_probabilities, len(sequence)
        ),
    }
    for name, trace in recording.traces.items():
        arrays |= {f"{name}_{letter}": values_WLD for letter, values_WLD in trace.items()}
    if attribution is not None:
        arrays |= {
            "attribution_class": attribution.class_W,
            "attribution": attribution.by_step_WL,
            "step_attribution": step_attribution(recording.rows, attribution, len(sequence)),
        }
    return arrays


def layer_courses(
    sequence: FeatureSequence, recording: GateRecording, attribution: Attribution | None
) -> dict[str, GateCourse]:
    """The windows of each layer merged into one course over the whole video."""
    steps, layers = len(sequence), dict[str, dict[str, dict[str, np.ndarray]]]()
    for name, trace in recording.traces.items():
        layer, way = name.split("_")
        merged = {letter: merge_windows(recording.rows, values, steps) for letter, values in trace.items()}
        layers.setdefault(layer, {})[way] = merged
    attribution_T = None if attribution is None else step_attribution(recording.rows, attribution, steps)
    return {
        layer: GateCourse(sequence.timestamps_seconds, ways, attribution_T) for layer, ways in layers.items()
    }


def step_attribution(rows: list[tuple[int, int]], attribution: Attribution, steps: int) -> np.ndarray:
    """The attribution ``(T,)`` of every step, the windows over it merged as their probabilities are."""
    return merge_windows(rows, attribution.by_step_WL[..., None], steps)[:, 0]


def some_frames(video: Path, sequence: FeatureSequence, sampling: SamplingSettings) -> list[Frame]:
    """Frames spread evenly over a video, as many as fill a strip; each from the middle of its share."""
    with open_video(video, decoder=sampling.decoder, image_fps=sampling.image_fps) as reader:
        count = frame_count(reader.info.height, reader.info.width)
    times = sequence.timestamps_seconds
    share = (times[-1] - times[0]) / count
    middles = list(times[0] + share * (np.arange(count) + 0.5))

    def wanted(seconds: float) -> bool:
        due = bool(middles) and seconds >= middles[0]
        if due:
            middles.pop(0)
        return due

    with open_video(video, decoder=sampling.decoder, wanted=wanted, image_fps=sampling.image_fps) as reader:
        return list(reader)
