"""TrajNet++ ndjson: one JSON object a line, ``{"scene": ...}`` or ``{"track": ...}``; positions in metres.

Kothari, Kreiss and Alahi 2021, "Human trajectory forecasting in crowds: a deep learning perspective".
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.datasets.text import read_lines
from vidlstm.datasets.tracks import Gaps, TrackTable, make_table, on_step, step_of
from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_FPS = 2.5


@dataclass(frozen=True)
class TrajnetScene:
    """One sample as the TrajNet++ benchmark defines it: who is forecast, over which frames."""

    number: int
    track_id: int
    first_frame: int
    last_frame: int


def read_trajnet(path: Path, *, gaps: Gaps = "split") -> tuple[TrackTable, list[TrajnetScene]]:
    """Reads the tracks and scenes of one file; rows that hold somebody's predictions are left out.

    The frame step is the one by which most rows of a track follow each other; the rate is that of the scenes,
    2.5 steps a second where they name none.

    Raises:
        DatasetError: a line is not JSON, misses a field or holds a bad value; the message has file and line.

    Warns:
        UserWarning: rows between the steps, or lines that hold neither a scene nor a track, are left out.
    """
    rows: list[list[float]] = []
    lines: list[int] = []
    scenes: list[TrajnetScene] = []
    rates: set[float] = set()
    strange: list[int] = []
    for number, record in _records(path):
        try:
            if "track" in record and record["track"].get("prediction_number") is None:
                rows.append([float(record["track"][key]) for key in ("f", "p", "x", "y")])
                lines.append(number)
            elif "scene" in record:
                scene = record["scene"]
                scenes.append(TrajnetScene(*(int(scene[key]) for key in ("id", "p", "s", "e"))))
                rates.add(float(scene.get("fps", DEFAULT_FPS)))
            elif "track" not in record:
                strange.append(number)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DatasetError(f"{path}:{number}: not a TrajNet++ scene or track: {error!r}") from error
    if len(rates) > 1 or not all(rate > 0 for rate in rates):
        raise DatasetError(f"{path}: its scenes need one positive frame rate, not {sorted(rates)}")
    if strange:
        warnings.warn(
            f"{path}: {len(strange)} lines hold neither a scene nor a track and are left out, such as line "
            f"{strange[0]}",
            UserWarning,
            stacklevel=2,
        )
    table_rows = np.array(rows, dtype=np.float64).reshape(-1, 4)
    step = step_of(table_rows[:, 0], table_rows[:, 1]) or 1
    kept = on_step(path, table_rows[:, 0], step)
    table = make_table(
        path,
        table_rows[kept],
        np.array(lines, dtype=np.int64)[kept],
        unit="metres",
        frame_step=step,
        seconds_per_step=1.0 / (rates.pop() if rates else DEFAULT_FPS),
        gaps=gaps,
    )
    return table, scenes


def _records(path: Path) -> list[tuple[int, dict[str, Any]]]:
    records = []
    for number, line in read_lines(path):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path}:{number}: not JSON: {error}") from error
        if not isinstance(record, dict):
            raise DatasetError(f"{path}:{number}: an object expected, not {type(record).__name__}")
        records.append((number, record))
    return records
