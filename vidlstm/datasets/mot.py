"""MOTChallenge boxes in pixels: ``gt/gt.txt``, ``det/det.txt``: ``frame, id, left, top, width, height, ...``.

Milan et al. 2016, "MOT16: a benchmark for multi-object tracking". The frame rate lies in ``seqinfo.ini``,
one folder up.
"""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.datasets.text import read_text
from vidlstm.datasets.tracks import Gaps, TrackTable, make_table, read_numbers, warn_of_rows
from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path


def read_mot(
    path: Path, *, frame_step: int = 1, fps: float | None = None, gaps: Gaps = "split"
) -> TrackTable:
    """Reads the boxes of one ``gt.txt`` or ``det.txt``.

    Args:
        path: the file. Rows that are not to be considered are left out (see :func:`considered`), and so are
            detections without an identity (id -1).
        frame_step: keep every so many frames.
        fps: frames a second; None reads ``seqinfo.ini``.
        gaps: objects leave and come back, so a gap splits a track by default.

    Returns:
        Boxes as (centre x, centre y, width, height) in pixels.

    Raises:
        DatasetError: a bad row (file and line in the message), no identities, or no frame rate.
    """
    rows, lines = read_numbers(path, columns=7, separator=",")
    identified = rows[:, 1] != -1
    if len(rows) and not identified.any():
        raise DatasetError(f"{path}: no row has an identity (id -1 throughout); run a tracker first")
    if not identified.all():
        warn_of_rows(path, ~identified, "have no identity (id -1)")
    kept = identified & considered(path, rows)
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


def considered(path: Path, rows_R7: np.ndarray) -> np.ndarray:
    """Which rows ``(R,)`` are to be considered: the seventh column of a truth is a flag, 1 or 0.

    It is one where rows have identities and it holds nothing else, whatever the file is called; in detections
    and results of trackers it is the confidence.

    Raises:
        DatasetError: the flag is 0 throughout.

    Warns:
        UserWarning: how many rows are not to be considered.
    """
    flag_R = rows_R7[:, 6]
    if not len(rows_R7) or not np.isin(flag_R, (0, 1)).all() or not (rows_R7[:, 1] != -1).any():
        return np.ones(len(rows_R7), bool)
    if not flag_R.any():
        raise DatasetError(f"{path}: the seventh column is 0 throughout, so no row is to be considered")
    if not flag_R.all():
        warn_of_rows(path, flag_R == 0, "are not to be considered (0 in the seventh column)")
    return np.asarray(flag_R != 0)


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
