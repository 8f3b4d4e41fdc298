"""Pixels to metres and back; what no matrix can say is left out or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.tracks import write_tracks
from vidlstm.datasets.homography import on_the_ground, project, read_homography
from vidlstm.datasets.tracks import TrackTable
from vidlstm.datasets.tracks_parquet import read_tracks_parquet
from vidlstm.errors import DatasetError

MATRIX = np.array([[0.02, 0.001, -1.0], [0.0, 0.05, -2.0], [0.0, -0.002, 1.0]])


def test_there_and_back() -> None:
    pixels = np.array([[10.0, 20.0], [300.0, 400.0]])
    metres = project(pixels, MATRIX)
    np.testing.assert_allclose(metres[0], [(0.2 + 0.02 - 1) / 0.96, (1.0 - 2.0) / 0.96])
    np.testing.assert_allclose(project(metres, np.linalg.inv(MATRIX)), pixels)
    np.testing.assert_allclose(project(metres, -np.linalg.inv(MATRIX)), pixels)  # a matrix is one up to scale
    assert np.isnan(project(np.array([[0.0, 501.0]]), MATRIX)).all()  # above the horizon


def test_boxes_stand_on_their_lower_edge(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "t.parquet", tracks=1)
    (tmp_path / "h.txt").write_text("\n".join(" ".join(map(str, row)) for row in MATRIX))
    table = read_tracks_parquet(path, homography=read_homography(tmp_path / "h.txt"))[0]
    assert (table.unit, table.positions_RC.shape[1]) == ("metres", 2)
    np.testing.assert_allclose(table.positions_RC[0], project(np.array([10.0, 40.0]), MATRIX))


@pytest.mark.parametrize("text", ["1 0 0\n0 1 0\n", "1 0 0\n0 1 0\n1 1 0\n", "1 0 0\n0 nan 0\n0 0 1\n"])
def test_no_matrix_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "h.txt").write_text(text)
    with pytest.raises(DatasetError, match="three lines of three numbers"):
        read_homography(tmp_path / "h.txt")


def test_rows_beyond_the_horizon_are_counted(tmp_path: Path) -> None:
    table = TrackTable(
        "v", *2 * (np.arange(2),), np.array([[5.0, 5, 2, 2], [5.0, 95, 2, 2]]), "pixels", 1, 0.1
    )
    tilted = np.array([[1.0, 0, 0], [0, 1, 0], [0, -0.02, 1]])
    with pytest.warns(UserWarning, match="v: 1 of 2 rows stand on or beyond the horizon"):
        assert len(on_the_ground(table, tilted)) == 1
