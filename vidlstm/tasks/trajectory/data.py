"""Settings to track tables and windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.datamodules.trajectories import TrajectoryData
from vidlstm.datasets.track_formats import Reading, read_track_tables
from vidlstm.errors import DatasetError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.datasets.tracks import TrackTable
    from vidlstm.settings import TrajectoryDataSettings, TrajectoryModelSettings


def read_tables(data: TrajectoryDataSettings, split: str) -> list[TrackTable]:
    """The recordings of one split.

    Raises:
        SettingsError: no root is given.
        DatasetError: files are missing or bad.
    """
    if data.root is None:
        raise SettingsError("where are the tracks? give `data.root`", setting="data.root")
    fields = Reading.__dataclass_fields__
    how = Reading(**{name: getattr(data, name) for name in fields})
    return read_track_tables(data.format, Path(data.root), split=split, how=how)


def windows_data(
    data: TrajectoryDataSettings,
    *,
    neighbours: int,
    train: Sequence[TrackTable] = (),
    validation: Sequence[TrackTable] = (),
    test: Sequence[TrackTable] = (),
    seed: int = 0,
) -> TrajectoryData:
    """Recordings cut into windows as settings say.

    Args:
        data: the settings.
        neighbours: the nearest others that are seen.
        train, validation, test: the recordings of each side.
        seed: of the draws.
    """
    return TrajectoryData(
        train=train,
        validation=validation,
        test=test,
        observed=data.observed,
        horizon=data.horizon,
        neighbours=neighbours,
        minimum_tracks=data.minimum_tracks,
        batch_size=data.batch_size,
        draws_per_epoch=data.draws_per_epoch,
        balance=data.balance,
        by_height=data.normalise == "height",
        seed=seed,
    )


def prepare_trajectories(
    data: TrajectoryDataSettings, model: TrajectoryModelSettings, *, seed: int = 0
) -> TrajectoryData:
    """Reads all three sides; a dataset without a test folder has no test side."""
    try:
        test = read_tables(data, "test")
    except DatasetError:
        if data.root is None or any(Path(data.root).glob("**/test")):
            raise
        test = []
    return windows_data(
        data,
        neighbours=model.neighbours if model.social != "none" else 0,
        train=read_tables(data, "train"),
        validation=read_tables(data, "val"),
        test=test,
        seed=seed,
    )
