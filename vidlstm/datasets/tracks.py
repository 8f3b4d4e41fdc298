"""The one record of the trajectory formats: who was where in which frame, in which unit, at which rate.

Knows nothing of windows, networks or videos. A row that a format does not allow is an error that names the
file and the line; a track with a frame missing is one too, unless the caller asks for it to be split there.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from vidlstm.datasets.text import read_lines
from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

Unit: TypeAlias = Literal["metres", "pixels"]
Gaps: TypeAlias = Literal["error", "split"]
UNITS: tuple[Unit, ...] = ("metres", "pixels")
GAPS: tuple[Gaps, ...] = ("error", "split")


@dataclass(frozen=True, eq=False)
class TrackTable:
    """The tracks of one recording, a row per object and frame, sorted by track and then by frame.

    Attributes:
        recording: the file or video this came from.
        frames_R: ``(R,)`` int64 frame numbers.
        track_ids_R: ``(R,)`` int64.
        positions_RC: ``(R, C)`` float64; C is 2 for points (x, y) and 4 for boxes (centre x, centre y, width,
            height).
        unit: what positions are measured in, one of ``UNITS``.
        frame_step: frame numbers from one step to the next.
        seconds_per_step: time from one step to the next.
        start_seconds: the time of frame 0, where the source has a clock.
        measured_R: ``(R,)`` bool, false where a position was filled in from what came later; None where all
            were seen.
    """

    recording: str
    frames_R: np.ndarray
    track_ids_R: np.ndarray
    positions_RC: np.ndarray
    unit: Unit
    frame_step: int
    seconds_per_step: float
    start_seconds: float = 0.0
    measured_R: np.ndarray | None = None

    def __post_init__(self) -> None:
        rows = len(self.frames_R)
        if self.measured_R is not None and self.measured_R.shape != (rows,):
            raise ValueError(f"measured ({rows},) expected, not {self.measured_R.shape}")
        if self.track_ids_R.shape != (rows,) or self.positions_RC.shape[:1] != (rows,):
            raise ValueError(
                f"frames, ids and positions differ in length: {rows}, {len(self.track_ids_R)}, ..."
            )
        if self.positions_RC.ndim != 2 or self.positions_RC.shape[1] not in (2, 4):
            raise ValueError(f"positions (R, 2) or (R, 4) expected, not {self.positions_RC.shape}")
        if self.unit not in UNITS:
            raise ValueError(f"unit must be one of {UNITS}, not {self.unit!r}")
        if self.frame_step < 1 or not self.seconds_per_step > 0:
            raise ValueError(
                f"frame step {self.frame_step} and {self.seconds_per_step} s a step must be positive"
            )

    def __len__(self) -> int:
        return len(self.frames_R)

    def only(self, kept_R: np.ndarray) -> TrackTable:
        """The rows where ``kept_R`` (bool or indices, in order) says so."""
        return replace(
            self,
            frames_R=self.frames_R[kept_R],
            track_ids_R=self.track_ids_R[kept_R],
            positions_RC=self.positions_RC[kept_R],
            measured_R=None if self.measured_R is None else self.measured_R[kept_R],
        )

    def __repr__(self) -> str:
        return (
            f"TrackTable({self.recording!r}, {len(self)} rows, {len(np.unique(self.track_ids_R))} tracks, "
            f"{self.unit}, {self.seconds_per_step:g} s a step)"
        )


def make_table(
    path: Path | str,
    rows_R: np.ndarray,
    lines_R: np.ndarray,
    *,
    unit: Unit,
    frame_step: int,
    seconds_per_step: float,
    gaps: Gaps = "error",
) -> TrackTable:
    """Checks and sorts rows read from a file.

    Args:
        path: the file, for messages and as the recording's name.
        rows_R: ``(R, 2 + C)`` float64: frame, track id, position.
        lines_R: ``(R,)`` int64, the line of each row in the file, from 1.
        unit, frame_step, seconds_per_step: as in :class:`TrackTable`. Frames off the step are dropped.
        gaps: what a missing frame inside a track means: an ``error``, or that no window spans it (``split``).

    Raises:
        DatasetError: no rows, a value that is not finite, a fractional frame or id, a box without a size, an
            id twice in one frame, or a gap where gaps are errors.
        ValueError: ``gaps`` is not one of ``GAPS``.
    """
    if gaps not in GAPS:
        raise ValueError(f"gaps must be one of {GAPS}, not {gaps!r}")
    if not len(rows_R):
        raise DatasetError(f"{path}: holds no rows")
    _refuse(path, lines_R, ~np.all(np.isfinite(rows_R), axis=1), "holds a value that is not a finite number")
    _refuse(path, lines_R, np.any(rows_R[:, :2] % 1 != 0, axis=1), "frame and id must be whole numbers")
    if rows_R.shape[1] == 6:
        _refuse(
            path, lines_R, np.any(rows_R[:, 4:] <= 0, axis=1), "a box must have a positive width and height"
        )
    order = np.lexsort((rows_R[:, 0], rows_R[:, 1]))
    rows_R, lines_R = rows_R[order], lines_R[order]
    frames_R, ids_R = rows_R[:, 0].astype(np.int64), rows_R[:, 1].astype(np.int64)
    same_track = ids_R[1:] == ids_R[:-1]
    repeated = np.logical_and(same_track, frames_R[1:] == frames_R[:-1])
    _refuse(path, lines_R[1:], repeated, "repeats an id in the same frame")
    table = TrackTable(str(path), frames_R, ids_R, rows_R[:, 2:], unit, frame_step, seconds_per_step)
    table, kept = _on_step(table)
    if gaps == "error":
        _refuse_gaps(path, table, lines_R[kept])
    return table


def _on_step(table: TrackTable) -> tuple[TrackTable, np.ndarray]:
    kept = (table.frames_R - table.frames_R.min()) % table.frame_step == 0
    return table.only(kept), kept


def _refuse_gaps(path: Path | str, table: TrackTable, lines_R: np.ndarray) -> None:
    same_track = table.track_ids_R[1:] == table.track_ids_R[:-1]
    jump = same_track & (np.diff(table.frames_R) != table.frame_step)
    _refuse(
        path,
        lines_R[1:],
        jump,
        f"its track skips frames (a step is {table.frame_step}); gaps='split' allows it",
    )


def _refuse(path: Path | str, lines_R: np.ndarray, bad_R: np.ndarray, what: str) -> None:
    if bad_R.any():
        raise DatasetError(f"{path}:{lines_R[bad_R].min()}: {what}")


def step_of(frames_R: np.ndarray, ids_R: np.ndarray) -> int | None:
    """The frames by which most rows follow the one before of their track; None where no track has two."""
    order = np.lexsort((frames_R, ids_R))
    apart = np.diff(frames_R[order])[np.diff(ids_R[order]) == 0]
    steps, counts = np.unique(apart[apart >= 1], return_counts=True)
    return int(steps[counts.argmax()]) if len(steps) else None


def on_step(path: Path | str, frames_R: np.ndarray, step: int) -> np.ndarray:
    """Which rows ``(R,)`` stand on the steps of most; those whose frame is no whole number, too.

    Warns:
        UserWarning: how many do not.
    """
    whole_R = np.isfinite(frames_R) & (frames_R % 1 == 0)
    phases, counts = np.unique(frames_R[whole_R] % step, return_counts=True)
    kept_R = ~whole_R | (frames_R % step == phases[counts.argmax()]) if len(phases) else ~whole_R
    if not kept_R.all():
        warn_of_rows(path, ~kept_R, f"stand between the steps of {step} frames")
    return np.asarray(kept_R)


def warn_of_rows(path: Path | str, out_R: np.ndarray, why: str) -> None:
    """Says how many rows of a file are left out."""
    warnings.warn(
        f"{path}: {np.count_nonzero(out_R)} of {len(out_R)} rows {why} and are left out",
        UserWarning,
        stacklevel=3,
    )


def read_numbers(path: Path, *, columns: int, separator: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Reads the first ``columns`` numbers of every line that is not blank.

    Args:
        path: a text file.
        columns: how many numbers a line must at least start with.
        separator: between numbers; None means any white space.

    Returns:
        ``(R, columns)`` float64 and the line of each row, from 1.

    Raises:
        DatasetError: the file is missing or unreadable, a line has too few numbers, or one is not a number.
    """
    kept = [(n, line.split(separator)) for n, line in read_lines(path)]
    for n, words in kept:
        if len(words) < columns:
            raise DatasetError(f"{path}:{n}: {columns} numbers expected, {len(words)} found")
    numbers = [n for n, _ in kept]
    try:
        rows = np.array([words[:columns] for _, words in kept], dtype=np.float64).reshape(-1, columns)
    except ValueError:
        raise _not_a_number(path, kept, columns) from None
    return rows, np.array(numbers, dtype=np.int64)


def _not_a_number(path: Path, kept: list[tuple[int, list[str]]], columns: int) -> DatasetError:
    for n, words in kept:
        for word in words[:columns]:
            try:
                float(word)
            except ValueError:
                return DatasetError(f"{path}:{n}: {word!r} is not a number")
    return DatasetError(f"{path}: holds something that is not a number")
