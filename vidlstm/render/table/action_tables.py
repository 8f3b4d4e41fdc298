"""Predictions as JSON and CSV, and back. The schema is in ``docs/predictions.md``."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vidlstm.errors import OutputError
from vidlstm.files import plain_json, write_csv, write_text
from vidlstm.structures import ActionPrediction, Segment

SCHEMA = "vidlstm.action_prediction/1"
"""The first key of the JSON; the number rises when a reader of the old schema would go wrong."""

T = TypeVar("T")

SEGMENT_COLUMNS = ("start_seconds", "end_seconds", "label", "probability")


def write_prediction_json(prediction: ActionPrediction, path: str | Path) -> None:
    """Writes all that is known about one video's actions, one line a segment and a window.

    Raises:
        OutputError: the file cannot be written.
    """
    write_record(prediction_to_dict(prediction), path)


def write_record(record: dict[str, Any], path: str | Path) -> None:
    """Writes JSON values, one line a segment and a window; see :func:`plain_json`.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(_lines(plain_json(record)) + "\n", path)


def _lines(value: Any, depth: int = 0) -> str:
    """A list of records takes a line each, and whatever holds such a list a line for each of its keys."""

    def one(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    if _is_rows(value):
        brackets, parts = "[]", [_lines(item, depth + 1) for item in value]
    elif isinstance(value, dict) and (depth == 0 or any(map(_is_rows, value.values()))):
        brackets = "{}"
        parts = [f"{one(key)}: {_lines(item, depth + 1)}" for key, item in value.items()]
    else:
        return one(value)
    indent = "\n" + " " * depth
    return brackets[0] + indent + " " + f",{indent} ".join(parts) + indent + brackets[1]


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


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
    """Reads what ``write_prediction_json`` wrote. A probability that is null is NaN.

    Raises:
        OutputError: the file is missing, is no JSON, or has another schema.
    """
    return read_record(path, prediction_of)


def read_record(path: str | Path, build: Callable[[dict[str, Any]], T]) -> T:
    """What ``build`` makes of the JSON values in a file of our schema.

    Raises:
        OutputError: the file is missing, is no JSON, has another schema, or ``build`` fails.
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
        return build(record)
    except (KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{path}: does not follow {SCHEMA}: {error!r}; see docs/predictions.md") from error


def prediction_of(record: dict[str, Any]) -> ActionPrediction:
    """What :func:`prediction_to_dict` was given.

    Raises:
        KeyError, TypeError, ValueError: something is missing or of another kind.
    """
    windows, labels = record["windows"], tuple(record["labels"])
    return ActionPrediction(
        video=record["video"],
        labels=labels,
        window_start_seconds=np.array([w["start_seconds"] for w in windows], np.float64),
        window_end_seconds=np.array([w["end_seconds"] for w in windows], np.float64),
        window_probabilities=np.array([w["probabilities"] for w in windows], np.float64).reshape(
            -1, len(labels)
        ),
        segments=tuple(map(_segment_of, record["segments"])),
        produced_by=record["produced_by"],
        truncated=record["truncated"],
    )


def _segment_of(record: dict[str, Any]) -> Segment:
    times = float(record["start_seconds"]), float(record["end_seconds"])
    return Segment(*times, record["label"], number_of(record["probability"]))


def number_of(value: float | None) -> float:
    """The number; NaN for null."""
    return float("nan") if value is None else float(value)


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
    write_csv(SEGMENT_COLUMNS, map(segment_row, segments), path)


def segment_row(segment: Segment) -> tuple[float, float, str, float]:
    """The values of ``SEGMENT_COLUMNS``."""
    times = float(segment.start_seconds), float(segment.end_seconds)
    return *times, segment.label, float(segment.probability)


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
