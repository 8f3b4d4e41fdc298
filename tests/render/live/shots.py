"""What a source shows, made up."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidlstm.render.live.listener import Shot

LABELS = ("fall", "walk <b>")


def shot(seconds: float, *, grey: int = 128, size: tuple[int, int] = (36, 64), **other: Any) -> Shot:
    known: dict[str, Any] = {
        "source": 0,
        "name": "rtsp://camera/<1>",
        "utc": None,
        "lasting": (),
        "likeliest": ("walk <b>", 0.4),
        "age_seconds": None,
        "dropped_frames": 2,
    }
    picture = np.full((*size, 3), grey, np.uint8)
    return Shot(picture=picture, seconds=seconds, labels=LABELS, **(known | other))


def began(label: str, seconds: float) -> dict[str, Any]:
    return {
        "event": "start",
        "source": "rtsp://camera/<1>",
        "label": label,
        "start_seconds": seconds,
        "end_seconds": None,
        "start_utc": None,
        "probability": 0.8,
    }


def over(label: str, start: float, end: float) -> dict[str, Any]:
    return began(label, start) | {"event": "end", "end_seconds": end}
