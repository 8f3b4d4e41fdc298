"""Predictions as JSON and CSV, and back. The schema is in ``docs/predictions.md``."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidlstm.errors import OutputError
from vidlstm.render.files import write_csv, write_text
from vidlstm.structures import ActionPrediction, Segment

SCHEMA = "vidlstm.action_prediction/1"
"""The first key of the JSON; the number rises when a reader of the old schema would go wrong."""

SEGMENT_COLUMNS = ("start_seconds", "end_seconds", "label", "probability")


def write_prediction_json(prediction: ActionPrediction, path: str | Path) -> None:
    """Writes all that is known about one video's actions, one line a segment and a window.

    Raises:
        OutputError: the file cannot be written.
        ValueError: a number is NaN or infinite, which JSON has no word for.
    """
    write_text(_lines(prediction_to_dict(prediction)), path)


def _lines(record: dict[str, Any]) -> str:
    def one(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def block(value: Any) -> str:
        rows = isinstance(value, list) and value and isinstance(value[0], dict)
        return "[\n  " + ",\n  ".join(map(one, value)) + "\n ]" if rows else one(value)

    return "{\n" + ",\n".join(f" {one(key)}: {block(value)}" for key, value in record.items()) + "\n}\n"


def prediction_to_dict(prediction: ActionPrediction) -> dict[str, Any]:
    """A prediction as plain JSON values."""
    windows = zip(
        prediction.window_start_seconds.tolist(),
        prediction.window_end_seconds.tolist(),
        prediction.window_probabilities.tolist(),
        strict=True,
    )
    return {
        "schema": SCHEMA,
        "video": prediction.video,
        "truncated": prediction.truncated,
        "labels": list(prediction.labels),
        "segments": [
            {
                "start_seconds": float(s.start_seconds),
                "end_seconds": float(s.end_seconds),
                "label": s.label,
                "probability": float(s.probability),
            }
            for s in prediction.segments
        ],
        "windows": [{"start_seconds": a, "end_seconds": b, "probabilities": p} for a, b, p in windows],
        "produced_by": prediction.produced_by,
    }


def read_prediction_json(path: str | Path) -> ActionPrediction:
    """Reads what ``write_prediction_json`` wrote.

    Raises:
        OutputError: the file is missing, is no JSON, or has another schema.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # both a bad byte and bad JSON
        raise OutputError(f"{path}: is not JSON: {error}") from error
    found = record.get("schema") if isinstance(record, dict) else None
    if found != SCHEMA:
        raise OutputError(
            f"{path}: its schema is {found!r}, and this version reads {SCHEMA!r}; predict again"
        )
    try:
        return _prediction_of(record)
    except (KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{path}: does not follow {SCHEMA}: {error!r}; see docs/predictions.md") from error


def _prediction_of(record: dict[str, Any]) -> ActionPrediction:
    windows, labels = record["windows"], tuple(record["labels"])
    return ActionPrediction(
        video=record["video"],
        labels=labels,
        window_start_seconds=np.array([w["start_seconds"] for w in windows], np.float64),
        window_end_seconds=np.array([w["end_seconds"] for w in windows], np.float64),
        window_probabilities=np.array([w["probabilities"] for w in windows], np.float64).reshape(
            -1, len(labels)
        ),
        segments=tuple(Segment(**segment) for segment in record["segments"]),
        produced_by=record["produced_by"],
        truncated=record["truncated"],
    )


def write_prediction_csv(prediction: ActionPrediction, path: str | Path) -> None:
    """Writes one row a segment: ``start_seconds,end_seconds,label,probability``.

    Raises:
        OutputError: the file cannot be written.
    """
    write_segments_csv(prediction.segments, path)


def write_segments_csv(segments: Sequence[Segment], path: str | Path) -> None:
    """Writes segments with ``SEGMENT_COLUMNS``; numbers read back exactly.

    Raises:
        OutputError: the file cannot be written.
    """
    rows = [(float(s.start_seconds), float(s.end_seconds), s.label, float(s.probability)) for s in segments]
    write_csv(SEGMENT_COLUMNS, rows, path)


def read_segments_csv(path: str | Path) -> list[Segment]:
    """Reads segments. A table without ``probability``, such as a truth written by hand, gets 1.

    Raises:
        OutputError: the file is missing, lacks a column, or holds something that is no number.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        return [
            Segment(
                float(r["start_seconds"]),
                float(r["end_seconds"]),
                r["label"],
                float(r.get("probability", 1.0)),
            )
            for r in rows
        ]
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        wanted = ", ".join(SEGMENT_COLUMNS[:3])
        raise OutputError(f"{path}: a table with the columns {wanted} is wanted: {error!r}") from error
