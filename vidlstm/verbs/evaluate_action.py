"""``evaluate`` of an action checkpoint: accuracy beside its trivial baselines, clip by clip."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars
import torch

from vidlstm.datasets import load_dataset
from vidlstm.errors import CheckpointError, DatasetError, SettingsError
from vidlstm.files import write_json
from vidlstm.render.plot.confusion import plot_confusion
from vidlstm.settings import ActionDataSettings, BackboneSettings, SamplingSettings, plain
from vidlstm.training.action import load_any_action_model
from vidlstm.training.baselines import logistic_regression, majority_class, score
from vidlstm.verbs.action_data import read_split
from vidlstm.verbs.labelled_clips import gather_clips, network_of_card
from vidlstm.verbs.object_data import warn_of_other_tracking

if TYPE_CHECKING:
    from vidlstm.datamodules.sequence_data import SequenceData
    from vidlstm.datasets import ClipRecord
    from vidlstm.models.fusion import AnyClassifier
    from vidlstm.verbs.extract import Progress

Side = Literal["auto", "validation", "test", "all"]


def evaluate_action(
    checkpoint: Path,
    *,
    data: ActionDataSettings,
    out: Path,
    store: Path = Path("features"),
    side: Side = "auto",
    backbone: BackboneSettings | None = None,
    sampling: SamplingSettings | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Scores a checkpoint on clips it was not trained on, beside its baselines.

    The clips are split as in training (same fold, fraction and seed, from the checkpoint) unless ``data``
    says otherwise. They need not show every class that the checkpoint knows.

    Args:
        checkpoint: what ``train`` wrote.
        data: the clips.
        out: takes ``report.json``, ``confusion.png`` and ``predictions.csv``.
        store: the feature store's root folder.
        side: which clips; auto takes the test clips where there are any, else the validation clips. ``all``
            is for a dataset that the checkpoint has never seen: nothing is split, and the baselines, which
            need training clips, are left out.
        backbone: where the backbone's weights are.
        sampling: how videos are decoded; the rate is the checkpoint's.
        progress: told of the extraction.

    Returns:
        What ``report.json`` holds.

    Raises:
        VidlstmError: see its subclasses.
    """
    backbone, sampling = backbone or BackboneSettings(), sampling or SamplingSettings()
    model, card = load_any_action_model(Path(checkpoint))
    labels: list[str] = card["labels"]
    data = _like_training(data, card, side)
    name, train, chosen = _choose(data, side, seed=int(card["seed"]))
    if unknown := sorted({r.label for r in (*train, *chosen)} - set(labels)):
        raise CheckpointError(
            f"{checkpoint} was trained on the classes {', '.join(labels)}; it cannot know "
            f"{', '.join(unknown)}. Leave those clips out, or train on them"
        )
    sampling = dataclasses.replace(sampling, fps=card["fps"], image_fps=card["image_fps"])
    datamodule = gather_clips(
        train,
        chosen,
        labels,
        data=data,
        network=network_of_card(card, backbone),
        store=Path(store),
        backbone=backbone,
        sampling=sampling,
        seed=int(card["seed"]),
        progress=progress,
    )
    probabilities_SK = clip_probabilities(model, datamodule)
    report = score_clips(datamodule, probabilities_SK)
    report |= {
        "checkpoint": str(checkpoint),
        "side": name,
        "clips": len(datamodule.validation_records),
        "labels": labels,
        "backbone": card["backbone"],
        "data": plain(data),
    }
    _write(Path(out), report, datamodule, probabilities_SK)
    return report


def _like_training(data: ActionDataSettings, card: dict[str, Any], side: Side) -> ActionDataSettings:
    trained = card["data"]
    if card.get("objects"):
        if data.tracks is None:
            raise SettingsError(
                "this checkpoint is about tracked objects; track the clips as in training (vidlstm track) "
                "and give the table: --data.tracks FILE"
            )
        warn_of_other_tracking(data, card["objects"]["tracking"])
        data = dataclasses.replace(
            data,
            max_gap_seconds=card["objects"]["max_gap_seconds"],
            minimum_seconds=card["objects"]["minimum_seconds"],
        )
    elif data.tracks is not None:
        raise SettingsError("this checkpoint is about whole frames; leave out --data.tracks")
    return dataclasses.replace(
        data,
        fold=_fold(data, trained, side),
        validation_fraction=trained["validation_fraction"],
        max_seconds=trained["max_seconds"],
    )


def _fold(data: ActionDataSettings, trained: dict[str, Any], side: Side) -> int | None:
    """The fold that was given, else that of the training where these annotations have folds at all."""
    if data.fold is not None or data.format != trained["format"]:
        return data.fold
    if data.format == "csv":  # the one format whose files may leave folds out
        records = load_dataset("csv", data.root, data.annotations).records
        if side == "all" or all(record.fold is None for record in records):
            return None
    fold: int | None = trained["fold"]
    return fold


def _choose(
    data: ActionDataSettings, side: Side, *, seed: int
) -> tuple[str, list[ClipRecord], list[ClipRecord]]:
    """The side's name, the clips that the baselines learn from, and the clips to score."""
    if side == "all":
        return "all", [], list(load_dataset(data.format, data.root, data.annotations, data.fold).records)
    _, split = read_split(data, seed=seed)
    if side == "auto":
        side = "test" if split.test else "validation"
    chosen = split.test if side == "test" else split.validation
    if not chosen:
        raise DatasetError(f"there are no {side} clips; see --side")
    return side, list(split.train), list(chosen)


@torch.inference_mode()
def clip_probabilities(model: AnyClassifier, data: SequenceData) -> np.ndarray:
    """Class probabilities ``(S, K)`` of the validation clips, in their order."""
    parts = []
    for batch in data.val_dataloader():
        scores = model(batch.x_BTF, batch.lengths_B, **batch.extras)
        parts.append(scores.double().softmax(-1).cpu().numpy())
    return np.concatenate(parts)


def score_clips(data: SequenceData, probabilities_SK: np.ndarray) -> dict[str, Any]:
    """The model's row, the baselines' rows where there are training clips, and the confusion matrix."""
    truth = data.validation_set.targets.numpy()
    classes = len(data.labels)
    predicted = probabilities_SK.argmax(1)
    top5 = np.argsort(-probabilities_SK, axis=1)[:, :5]
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (truth, predicted), 1)
    report: dict[str, Any] = {
        **score(predicted, truth, classes),
        "top5_accuracy": float((top5 == truth[:, None]).any(1).mean()),
        "confusion": confusion.tolist(),
        "baselines": {},
    }
    if data.train_set is not None:
        train_truth = data.train_set.targets.numpy()
        regression = logistic_regression(
            data.train_set.means().numpy(), train_truth, data.validation_set.means().numpy()
        )
        report["baselines"] = {
            "majority_class": score(majority_class(train_truth, len(truth)), truth, classes),
            "logistic_regression_on_mean_features": score(regression, truth, classes),
        }
        report["baseline_predictions"] = [data.labels[k] for k in regression]
    return report


def _write(out: Path, report: dict[str, Any], data: SequenceData, probabilities_SK: np.ndarray) -> None:
    out.mkdir(parents=True, exist_ok=True)
    baseline = report.pop("baseline_predictions", None)
    table = {
        "path": [r.name for r in data.validation_records],
        "track_id": [r.track_id for r in data.validation_records],
        "start_seconds": [r.start_seconds for r in data.validation_records],
        "end_seconds": [r.end_seconds for r in data.validation_records],
        "group": [r.group for r in data.validation_records],
        "label": [r.label for r in data.validation_records],
        "predicted": [data.labels[k] for k in probabilities_SK.argmax(1)],
        "probability": probabilities_SK.max(1),
    }
    if baseline is not None:
        table["logistic_regression"] = baseline
    polars.DataFrame(table, strict=False).write_csv(out / "predictions.csv")
    plot_confusion(np.array(report["confusion"]), data.labels, out / "confusion.png")
    write_json(report, out / "report.json")
