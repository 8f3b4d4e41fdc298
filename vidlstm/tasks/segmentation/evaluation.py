"""How well long videos are labelled in time, beside the trivial baselines."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.errors import CheckpointError, DatasetError
from vidlstm.files import write_csv
from vidlstm.render.names import output_stems
from vidlstm.render.plot.action_timeline import plot_timeline
from vidlstm.render.plot.confusion import plot_confusion
from vidlstm.settings import SegmentationDataSettings, settings_from
from vidlstm.structures import FeatureSequence, Segment
from vidlstm.tasks.frames import FEATURES, check_kind
from vidlstm.tasks.segmentation.data import read_sides, read_videos
from vidlstm.tasks.segmentation.predictor import labeller_of
from vidlstm.tasks.segmentation.scores import (
    Steps,
    confusion_of,
    events_of,
    scores_of,
    unmerged_scores,
)
from vidlstm.training.step_baselines import (
    by_relative_time,
    commonest_class,
    step_regression,
    window_description,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vidlstm.cards import SegmentationCard
    from vidlstm.datamodules.segmentation import SegmentationData
    from vidlstm.datasets.timed import TimedVideo
    from vidlstm.models.labeller import SequenceLabeller
    from vidlstm.structures import ActionPrediction

PLACES = ("root", "annotations", "format", "labelled_fps")
"""Settings that say where videos and labels are: where one is given, those of the training do not count."""
WINDOW_SECONDS = 2.0
"""What the baseline that slides a window reads of it."""


def like_training(card: SegmentationCard, given: Mapping[str, Any], side: str) -> SegmentationDataSettings:
    """The videos to score: what was given, and for the rest what the training took."""
    given = {name: value for name, value in given.items() if value is not None}
    trained = dataclasses.asdict(card.data)
    if given.keys() & set(PLACES):
        plain = SegmentationDataSettings(format=FEATURES if card.given else "auto")
        trained |= {name: getattr(plain, name) for name in PLACES}
    data = settings_from(SegmentationDataSettings, {**trained, **given}, section="data")
    check_kind(data.format, card)
    if "fold" not in given and (side == "all" or all(v.fold is None for v in read_videos(data).videos)):
        data = dataclasses.replace(data, fold=None)
    return data


def choose_videos(
    data: SegmentationDataSettings, side: str, card: SegmentationCard, checkpoint: Path
) -> tuple[str, Sequence[TimedVideo], Sequence[TimedVideo]]:
    """The side's name, the videos that the baselines learn from, and the videos to score.

    Raises:
        DatasetError: the side has no video.
        CheckpointError: videos show a class that the checkpoint does not know.
    """
    train: Sequence[TimedVideo] = ()
    if side == "all":
        chosen: Sequence[TimedVideo] = read_videos(data).videos
    else:
        _, split = read_sides(data, seed=card.seed)
        if side == "auto":
            side = "test" if split.test else "validation"
        train, chosen = split.train, split.test if side == "test" else split.validation
    if not chosen:
        raise DatasetError(f"there are no {side} videos; see `side`")
    used = {timed.label for video in (*train, *chosen) for timed in video.labels}
    if unknown := sorted(used - set(card.labels)):
        raise CheckpointError(
            f"{checkpoint} was trained on the classes {', '.join(card.labels)}; it cannot know "
            f"{', '.join(unknown)}. Leave those labels out, or train on them"
        )
    return side, train, chosen


def score_model(
    model: SequenceLabeller, card: SegmentationCard, data: SegmentationData, out: Path | None = None
) -> dict[str, Any]:
    """Scores of the network on the validation videos; with ``out`` pictures and tables, too.

    Writes ``predictions.csv``, ``confusion.png`` and a timeline a video to ``out``.
    """
    predictions = predictions_of(model, card, data)
    videos = steps_of(data, predictions)
    shortest, ignored = card.data.minimum_seconds, ignored_of(card)
    report: dict[str, Any] = scores_of(videos, minimum_seconds=shortest, ignored=ignored)
    if not card.data.multi_label:
        report["unmerged"] = unmerged_scores(videos, ignored)
        report["confusion"] = confusion_of(videos, len(card.labels), shortest).tolist()
    report["events"] = events_of(videos, card.labels, ignored)
    if out is not None:
        write_predictions(out / "predictions.csv", predictions)
        draw_timelines(out / "timelines", data, predictions)
        if "confusion" in report:
            plot_confusion(np.array(report["confusion"]), card.labels, out / "confusion.png")
    return report


def ignored_of(card: SegmentationCard) -> tuple[int, ...]:
    """The number of the background class, where there is one."""
    background = card.data.background
    return () if background is None else (card.labels.index(background),)


def predictions_of(
    model: SequenceLabeller, card: SegmentationCard, data: SegmentationData
) -> list[ActionPrediction]:
    """What the network says of every validation video."""
    labeller = labeller_of(card, model)
    return [
        labeller(video.name, FeatureSequence(rows.numpy(), data.times_of(video)))
        for video, rows in zip(data.validation_videos, _features(data), strict=True)
    ]


def _features(data: SegmentationData) -> list[Any]:
    return [data.validation_set.features(s) for s in range(len(data.validation_set))]


def steps_of(data: SegmentationData, predictions: Sequence[ActionPrediction]) -> list[Steps]:
    """What is known, and what a network says, of the validation videos."""
    said = steps_beside(data, [prediction.window_probabilities for prediction in predictions])
    return [
        dataclasses.replace(steps, begins_T=prediction.boundary_probabilities)
        for steps, prediction in zip(said, predictions, strict=True)
    ]


def steps_beside(data: SegmentationData, probabilities: Sequence[np.ndarray]) -> list[Steps]:
    """What is known of the validation videos, beside probabilities ``(T, K)`` of each."""
    targets = [target.numpy() for target in data.validation_set.targets]
    times = [data.times_of(video) for video in data.validation_videos]
    return [Steps(*parts) for parts in zip(times, targets, probabilities, strict=True)]


def baseline_rows(card: SegmentationCard, data: SegmentationData) -> dict[str, dict[str, float]]:
    """The scores of the trivial rows; nothing without training videos, or where labels overlap."""
    if data.train_set is None or card.data.multi_label:
        return {}
    shortest, ignored = card.data.minimum_seconds, ignored_of(card)
    return {
        name: scores_of(steps_beside(data, rows), minimum_seconds=shortest, ignored=ignored)
        for name, rows in baseline_probabilities(len(card.labels), data).items()
    }


def baseline_probabilities(classes: int, data: SegmentationData) -> dict[str, list[np.ndarray]]:
    """What the trivial rows say of every validation video, ``(T, K)`` each."""
    train_set = data.train_set
    assert train_set is not None
    truth = [target.numpy() for target in train_set.targets]
    lengths = data.validation_set.lengths
    train = [train_set.features(s).numpy() for s in range(len(train_set))]
    videos = [rows.numpy() for rows in _features(data)]
    around = window_description(max(1, round(WINDOW_SECONDS * data.fps)))
    return {
        "commonest_class": commonest_class(truth, lengths, classes),
        "by_relative_time": by_relative_time(truth, lengths, classes),
        "step_regression": step_regression(train, truth, videos, classes),
        "window_regression": step_regression(train, truth, videos, classes, describe=around),
    }


def write_predictions(path: Path, predictions: Sequence[ActionPrediction]) -> None:
    """Writes the predicted segments of all videos, in the columns of the CSV of timed labels."""
    rows = [
        (p.video, s.start_seconds, s.end_seconds, s.label, s.probability)
        for p in predictions
        for s in p.segments
    ]
    write_csv(("path", "start_seconds", "end_seconds", "label", "probability"), rows, path)


def draw_timelines(folder: Path, data: SegmentationData, predictions: Sequence[ActionPrediction]) -> None:
    """Draws the truth of every video against what was predicted."""
    stems = output_stems([video.path for video in data.validation_videos])
    for video, prediction in zip(data.validation_videos, predictions, strict=True):
        truth = [Segment(t.start_seconds, t.end_seconds, t.label, 1.0) for t in video.labels]
        plot_timeline(prediction, folder / f"{stems[video.path]}.png", truth)
