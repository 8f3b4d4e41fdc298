"""From pixels to metres on the ground, by a 3 x 3 matrix that somebody has measured for the camera.

Hartley and Zisserman 2004, "Multiple view geometry in computer vision", section 2.3.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.datasets.tracks import read_numbers, warn_of_rows
from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from vidlstm.datasets.tracks import TrackTable


def read_homography(path: Path) -> np.ndarray:
    """Reads three lines of three numbers: pixels ``(x, y, 1)`` to metres, up to scale.

    Raises:
        DatasetError: the file is missing, is no such matrix, or the matrix cannot be turned back.
    """
    rows, _ = read_numbers(Path(path), columns=3)
    if rows.shape != (3, 3) or not np.isfinite(rows).all() or not np.linalg.cond(rows) < 1e12:
        raise DatasetError(f"{path}: three lines of three numbers, an invertible matrix, are wanted")
    return rows


def project(points_Q2: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points ``(..., 2)`` through the matrix; NaN for those on or behind the horizon."""
    sent = points_Q2 @ matrix[:, :2].T + matrix[:, 2]
    sign = np.sign(matrix[2, 2]) or 1.0
    depth = sent[..., 2:] * sign
    with np.errstate(divide="ignore", invalid="ignore"):
        projected: np.ndarray = np.where(depth > 1e-12, sent[..., :2] * sign / depth, np.nan)
    return projected


def on_the_ground(table: TrackTable, matrix: np.ndarray, *, tell: bool = True) -> TrackTable:
    """Boxes to where their lower edge stands, in metres; leaves rows beyond the horizon out, and says so."""
    feet = table.positions_RC[:, :2] + [0.0, 0.5] * table.positions_RC[:, 2:]
    metres = project(feet, matrix)
    there = np.isfinite(metres).all(1)
    if tell and not there.all():
        warn_of_rows(table.recording, ~there, "stand on or beyond the horizon of the homography")
    return replace(table, positions_RC=metres, unit="metres").only(there)
