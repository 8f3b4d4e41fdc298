"""Track formats by name, each read to a list of recordings per side of the split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidlstm.datasets.ethucy import read_ethucy
from vidlstm.datasets.files import matching
from vidlstm.datasets.homography import read_homography
from vidlstm.datasets.mot import read_mot
from vidlstm.datasets.tracks import Gaps, TrackTable
from vidlstm.datasets.tracks_parquet import read_tracks_parquet
from vidlstm.datasets.trajnet import read_trajnet
from vidlstm.errors import DatasetError, SettingsError, nearest


@dataclass(frozen=True)
class Reading:
    """How a dataset is read; what a format has no use for is ignored.

    Attributes:
        scene: the scene held out (ethucy).
        frame_step: keep every so many frames (mot, tracks).
        fps: frames a second where the format does not say (mot).
        gaps: error or split; None takes the format's own rule.
        step_seconds, max_gap_seconds: resample by time, see :func:`read_tracks_parquet` (tracks).
        train_until, validate_until: shares of each video's time, where a root is a single table (tracks).
        homography: pixels to metres (tracks).
    """

    scene: str | None = None
    frame_step: int = 1
    fps: float | None = None
    gaps: Gaps | None = None
    step_seconds: float | None = None
    max_gap_seconds: float = 1.0
    train_until: float = 0.4
    validate_until: float = 0.6
    homography: Path | None = None


def _ethucy(root: Path, split: str, how: Reading) -> list[TrackTable]:
    if how.scene is None:
        raise SettingsError(
            "ethucy holds one scene out: give data.scene, one of eth, hotel, univ, zara1, zara2"
        )
    return read_ethucy(root, scene=how.scene, split=split, gaps=how.gaps or "error")


def _trajnet(root: Path, split: str, how: Reading) -> list[TrackTable]:
    return [read_trajnet(path, gaps=how.gaps or "split")[0] for path in _files(root, split, "*.ndjson")]


def _mot(root: Path, split: str, how: Reading) -> list[TrackTable]:
    paths = _files(root, split, "*/gt/gt.txt")
    return [
        read_mot(path, frame_step=how.frame_step, fps=how.fps, gaps=how.gaps or "split") for path in paths
    ]


def _tracks(root: Path, split: str, how: Reading) -> list[TrackTable]:
    matrix = None if how.homography is None else read_homography(how.homography)
    single = root.is_file()
    tables = [
        table
        for path in ([root] if single else _files(root, split, "*.parquet"))
        for table in read_tracks_parquet(
            path,
            frame_step=how.frame_step,
            gaps=how.gaps or "split",
            step_seconds=how.step_seconds,
            max_gap_seconds=how.max_gap_seconds,
            homography=matrix,
        )
    ]
    return [_share(table, split, how) for table in tables] if single else tables


def _share(table: TrackTable, split: str, how: Reading) -> TrackTable:
    """The part of a recording's time that belongs to one side; a track that spans a cut is cut, too."""
    bounds = {
        "train": (0.0, how.train_until),
        "val": (how.train_until, how.validate_until),
        "test": (how.validate_until, 1.0),
    }[split]
    if not 0 < how.train_until < how.validate_until <= 1:
        raise SettingsError(
            f"train_until {how.train_until:g} and validate_until {how.validate_until:g} must rise from 0 to 1"
        )
    if not len(table):
        return table
    first, last = table.frames_R.min(), table.frames_R.max() + 1
    low, high = (first + share * (last - first) for share in bounds)
    return table.only((table.frames_R >= low) & (table.frames_R < high))


def _files(root: Path, split: str, pattern: str) -> list[Path]:
    files = matching(root / split, pattern)
    if not files:
        raise DatasetError(f"{root / split}: no {pattern}; root must hold train/, val/ and test/")
    return files


TRACK_FORMATS: dict[str, Callable[[Path, str, Reading], list[TrackTable]]] = {
    "ethucy": _ethucy,
    "trajnet": _trajnet,
    "mot": _mot,
    "tracks": _tracks,
}
"""Format name to a function of (root, split, how to read it); splits are train, val, test."""


def read_track_tables(name: str, root: Path, *, split: str, how: Reading | None = None) -> list[TrackTable]:
    """The recordings of one split.

    Args:
        name: one of ``TRACK_FORMATS``.
        root: the dataset's folder; for ``tracks`` also a single table, cut by time.
        split: train, val or test.
        how: see :class:`Reading`.

    Raises:
        DatasetError: files are missing or a row is bad.
        SettingsError: the format needs to know more.
        ValueError: the format is unknown.
    """
    if name not in TRACK_FORMATS:
        raise ValueError(f"no track format is called {name!r}{nearest(name, TRACK_FORMATS)}")
    return TRACK_FORMATS[name](root, split, how or Reading())
