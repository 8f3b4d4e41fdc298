"""How well clips are classified, beside the trivial baselines; shared by all tasks that label clips."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import polars
import torch

from vidlstm.datasets import load_dataset
from vidlstm.datasets.names import nearest_name
from vidlstm.errors import CheckpointError, DatasetError
from vidlstm.files import write_whole
from vidlstm.inference.labelling import probabilities_of
from vidlstm.render.plot.confusion import plot_confusion
from vidlstm.settings import settings_from
from vidlstm.tasks.action.data import read_split
from vidlstm.tasks.frames import FEATURES, check_kind
from vidlstm.training.baselines import logistic_regression, majority_class, score

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vidlstm.cards import ActionCard
    from vidlstm.datamodules.sequence_data import SequenceData
    from vidlstm.datasets import ClipRecord
    from vidlstm.models.fusion import AnyClassifier
    from vidlstm.settings import ActionDataSettings

PLACES = ("root", "annotations")
"""Settings that say where clips are: where one is given, those of the training do not count."""


def like_training(card: ActionCard, given: Mapping[str, Any], side: str) -> ActionDataSettings:
    """The clips to score: what was given, and for the rest what the training took.

    Args:
        card: of the training.
        given: settings by name; None is not given.
        side: one of ``Task.sides``.
    """
    given = {name: value for name, value in given.items() if value is not None}
    trained = dataclasses.asdict(card.data)
    if given.keys() & set(PLACES):
        trained |= dict.fromkeys(PLACES)
    fold = given.get("fold")
    if given.get("format", trained["format"]) != trained["format"]:
        trained["fold"] = None
    data = settings_from(type(card.data), {**trained, "batch_size": 32, **given}, section="data")
    check_kind(data.format, card)
    if fold is None and data.format in ("csv", FEATURES):  # those whose files may leave folds out
        records = load_dataset("csv", data.root, data.annotations).records
        if side == "all" or all(record.fold is None for record in records):
            data = dataclasses.replace(data, fold=None)
    return data


def choose_clips(
    data: ActionDataSettings, side: str, card: ActionCard, checkpoint: Path
) -> tuple[str, list[ClipRecord], list[ClipRecord]]:
    """The side's name, the clips that the baselines learn from, and the clips to score.

    Raises:
        DatasetError: the side has no clip.
        CheckpointError: clips show a class that the checkpoint does not know.
    """
    if side == "all":
        train: list[ClipRecord] = []
        chosen = list(load_dataset(data.format, data.root, data.annotations, data.fold).records)
    else:
        _, split = read_split(data, seed=card.seed)
        if side == "auto":
            side = "test" if split.test else "validation"
        train, chosen = list(split.train), list(split.test if side == "test" else split.validation)
    if not chosen:
        raise DatasetError(f"there are no {side} clips; see `side`")
    if unknown := sorted({r.label for r in (*train, *chosen)} - set(card.labels)):
        near = {label: nearest_name(label, card.labels) for label in unknown}
        told = [label + (f" (did you mean {near[label]!r}?)" if near[label] else "") for label in near]
        raise CheckpointError(
            f"{checkpoint} was trained on the classes {', '.join(card.labels)}; it cannot know "
            f"{', '.join(told)}. Leave those clips out, or train on them"
        )
    return side, train, chosen


@torch.inference_mode()
def clip_probabilities(model: AnyClassifier, data: SequenceData) -> np.ndarray:
    """Class probabilities ``(S, K)`` of the validation clips, in their order."""
    parts, device = [], next(model.parameters()).device
    for batch in (batch.to(device) for batch in data.val_dataloader()):
        scores = model(batch.x_BTF, batch.lengths_B, **batch.extras)
        parts.append(probabilities_of(scores))
    return np.concatenate(parts)


def score_model(model: AnyClassifier, data: SequenceData, out: Path) -> dict[str, Any]:
    """The model's row, the baselines' rows where there are training clips, and the confusion matrix.

    Writes ``predictions.csv`` and ``confusion.png`` to ``out``.
    """
    probabilities_SK = clip_probabilities(model, data)
    truth = data.validation_set.targets.numpy()
    classes = len(data.labels)
    predicted = probabilities_SK.argmax(1)
    top5 = np.argsort(-probabilities_SK, axis=1)[:, :5]
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (truth, predicted), 1)
    baselines, columns = baseline_rows(data)
    write_clips(out / "predictions.csv", data, probabilities_SK, columns)
    plot_confusion(confusion, data.labels, out / "confusion.png")
    return {
        **score(predicted, truth, classes),
        "top5_accuracy": float((top5 == truth[:, None]).any(1).mean()),
        "confusion": confusion.tolist(),
        "baselines": baselines,
    }


def baseline_rows(data: SequenceData) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The trivial rows, and what logistic regression says of each clip; nothing without training clips."""
    if data.train_set is None:
        return {}, {}
    truth, train_truth = data.validation_set.targets.numpy(), data.train_set.targets.numpy()
    means = data.train_set.means().numpy(), data.validation_set.means().numpy()
    regression = logistic_regression(means[0], train_truth, means[1])
    classes = len(data.labels)
    rows = {
        "majority_class": score(majority_class(train_truth, len(truth)), truth, classes),
        "logistic_regression_on_mean_features": score(regression, truth, classes),
    }
    return rows, {"logistic_regression": [data.labels[k] for k in regression]}


def write_clips(
    path: Path, data: SequenceData, probabilities_SK: np.ndarray, columns: dict[str, list[str]]
) -> None:
    """Writes what is said of each clip, a row a clip."""
    records = data.validation_records
    table = {
        "path": [r.name for r in records],
        **{
            name: [getattr(r, name) for r in records]
            for name in ("track_id", "start_seconds", "end_seconds", "group", "label")
        },
        "predicted": [data.labels[k] for k in probabilities_SK.argmax(1)],
        "probability": probabilities_SK.max(1),
        **columns,
    }
    write_whole(polars.DataFrame(table, strict=False).write_csv, path)
