"""Track formats by name, each read to a list of recordings per side of the split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidlstm.datasets.ethucy import read_ethucy
from vidlstm.datasets.mot import read_mot
from vidlstm.datasets.tracks_parquet import read_tracks_parquet
from vidlstm.datasets.trajnet import read_trajnet
from vidlstm.errors import DatasetError, SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vidlstm.datasets.tracks import Gaps, TrackTable


def _ethucy(
    root: Path, split: str, scene: str | None, step: int, fps: float | None, gaps: Gaps | None
) -> list[TrackTable]:
    if scene is None:
        raise SettingsError(
            "ethucy holds one scene out: give data.scene, one of eth, hotel, univ, zara1, zara2"
        )
    return read_ethucy(root, scene=scene, split=split, gaps=gaps or "error")


def _trajnet(
    root: Path, split: str, scene: str | None, step: int, fps: float | None, gaps: Gaps | None
) -> list[TrackTable]:
    return [read_trajnet(path, gaps=gaps or "split")[0] for path in _files(root, split, "*.ndjson")]


def _mot(
    root: Path, split: str, scene: str | None, step: int, fps: float | None, gaps: Gaps | None
) -> list[TrackTable]:
    paths = _files(root, split, "*/gt/gt.txt")
    return [read_mot(path, frame_step=step, fps=fps, gaps=gaps or "split") for path in paths]


def _tracks(
    root: Path, split: str, scene: str | None, step: int, fps: float | None, gaps: Gaps | None
) -> list[TrackTable]:
    paths = _files(root, split, "*.parquet")
    return [t for path in paths for t in read_tracks_parquet(path, frame_step=step, gaps=gaps or "split")]


def _files(root: Path, split: str, pattern: str) -> list[Path]:
    files = sorted((root / split).glob(pattern))
    if not files:
        raise DatasetError(f"{root / split}: no {pattern}; root must hold train/, val/ and test/")
    return files


TRACK_FORMATS: dict[
    str, Callable[[Path, str, str | None, int, float | None, Gaps | None], list[TrackTable]]
] = {"ethucy": _ethucy, "trajnet": _trajnet, "mot": _mot, "tracks": _tracks}
"""Format name to a function of (root, split, scene, frame step, fps, gaps); splits are train, val, test."""


def read_track_tables(
    name: str,
    root: Path,
    *,
    split: str,
    scene: str | None = None,
    frame_step: int = 1,
    fps: float | None = None,
    gaps: Gaps | None = None,
) -> list[TrackTable]:
    """The recordings of one split.

    Args:
        name: one of ``TRACK_FORMATS``.
        root: the dataset's folder.
        split: train, val or test.
        scene: the scene held out (ethucy only).
        frame_step: keep every so many frames (mot and tracks only).
        fps: frames a second where the format does not say (mot only).
        gaps: error or split; None takes the format's own rule.

    Raises:
        DatasetError: files are missing or a row is bad.
        ValueError: the format is unknown.
    """
    if name not in TRACK_FORMATS:
        raise ValueError(f"no track format is called {name!r}{nearest(name, TRACK_FORMATS)}")
    return TRACK_FORMATS[name](root, split, scene, frame_step, fps, gaps)
