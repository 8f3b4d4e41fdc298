"""MOTChallenge boxes in pixels: ``gt/gt.txt``, ``det/det.txt``: ``frame, id, left, top, width, height, ...``.

Milan et al. 2016, "MOT16: a benchmark for multi-object tracking". The frame rate lies in ``seqinfo.ini``,
one folder up.
"""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.datasets.text import read_text
from vidlstm.datasets.tracks import Gaps, TrackTable, make_table, read_numbers
from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path


def read_mot(
    path: Path, *, frame_step: int = 1, fps: float | None = None, gaps: Gaps = "split"
) -> TrackTable:
    """Reads the boxes of one ``gt.txt`` or ``det.txt``.

    Args:
        path: the file. Rows whose seventh column (the "consider this" flag of ``gt.txt``) is 0 are left out,
            and so are detections without an identity (id -1).
        frame_step: keep every so many frames.
        fps: frames a second; None reads ``seqinfo.ini``.
        gaps: objects leave and come back, so a gap splits a track by default.

    Returns:
        Boxes as (centre x, centre y, width, height) in pixels.

    Raises:
        DatasetError: a bad row (file and line in the message), no identities, or no frame rate.
    """
    rows, lines = read_numbers(path, columns=7, separator=",")
    kept = rows[:, 1] != -1
    if path.name.startswith("gt"):
        kept &= rows[:, 6] != 0
    if len(rows) and not kept.any():
        raise DatasetError(f"{path}: no row has an identity (id -1 throughout); run a tracker first")
    boxes = rows[kept, 2:6].copy()
    boxes[:, :2] += boxes[:, 2:] / 2
    return make_table(
        path,
        np.concatenate([rows[kept, :2], boxes], axis=1),
        lines[kept],
        unit="pixels",
        frame_step=frame_step,
        seconds_per_step=frame_step / (fps or _sequence_fps(path)),
        gaps=gaps,
    )


def _sequence_fps(path: Path) -> float:
    info = path.parent.parent / "seqinfo.ini"
    parser = configparser.ConfigParser()
    try:
        parser.read_string(read_text(info))
        fps = parser.getfloat("Sequence", "frameRate")
    except (DatasetError, configparser.Error, ValueError) as error:
        raise DatasetError(f"{path}: no frame rate: give fps, or {info} with frameRate ({error})") from error
    if not fps > 0:
        raise DatasetError(f"{info}: frameRate must be positive, not {fps}")
    return fps
