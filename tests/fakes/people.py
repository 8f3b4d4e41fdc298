"""Tables of tracked people whose place, posture and number are known: small boxes, COCO's 17 joints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars

HEIGHTS = np.array([0.05] * 5 + [0.2] * 2 + [0.35] * 2 + [0.5] * 4 + [0.75] * 2 + [1.0] * 2)
ASIDE = np.array([0.5] * 5 + [0.3, 0.7] * 6)
MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
"""The joints, left and right exchanged."""
LEFT_WRIST, RIGHT_WRIST = 9, 10


def joints_in(box: Iterable[float], *, raised: float = 0.0, sure: float = 1.0) -> np.ndarray:
    """``(17, 3)`` of someone who stands in a box; the wrists ``raised`` by so many box heights."""
    x1, y1, x2, y2 = box
    heights = HEIGHTS.copy()
    heights[[LEFT_WRIST, RIGHT_WRIST]] -= raised
    x, y = x1 + ASIDE * (x2 - x1), y1 + heights * (y2 - y1)
    return np.stack([x, y, np.full(17, sure)], axis=1)


def row(
    frame: int,
    track: int,
    box: Iterable[float],
    *,
    video: str | Path = "v.mp4",
    seconds: float | None = None,
    fps: float = 10.0,
    raised: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A row of a tracks table; with keypoints where ``raised`` is given."""
    x1, y1, x2, y2 = map(float, box)
    points = {} if raised is None else {"keypoints": joints_in(box, raised=raised).ravel().tolist()}
    return {
        "video": str(video),
        "frame": frame,
        "timestamp_seconds": frame / fps if seconds is None else seconds,
        "track_id": track,
        "class": "person",
        "confidence": 0.9,
        **{"x1": x1, "y1": y1, "x2": x2, "y2": y2},
        **points,
        **more,
    }


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The table; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    polars.DataFrame(rows).write_parquet(path)
    return path


def crowd(frames: int, tracks: int, *, seed: int = 0, video: str = "v.mp4") -> list[dict[str, Any]]:
    """People who wander, come and go, and move their hands."""
    rng = np.random.default_rng(seed)
    rows = []
    for track in range(tracks):
        place, pace = rng.uniform(20, 200, 2), rng.uniform(-2, 2, 2)
        height, phase = rng.uniform(30, 60), rng.uniform(0, 6)
        for frame in range(frames):
            if rng.random() < 0.8:
                x, y = place + frame * pace
                box = (x, y, x + height / 2, y + height)
                rows.append(row(frame, track, box, video=video, raised=0.3 * np.sin(frame + phase)))
    return rows
