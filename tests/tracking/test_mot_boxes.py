"""Boxes from MOT text: detections are tracked, identities are taken as they are."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.tracks import write_mot
from tests.video.clips import make_clip
from vidlstm.errors import DatasetError
from vidlstm.tracking.mot_boxes import read_mot_boxes
from vidlstm.tracking.track_video import track_video
from vidlstm.video.reader import open_video


def det(path: Path, *, frames: int = 12, identity: int = -1) -> Path:
    """Two boxes that move right by 3 pixels a frame."""
    rows = [
        f"{f},{identity},{10 + 3 * f},{20 + 40 * n},16,30,0.9,-1,-1,-1"
        for f in range(1, frames + 1)
        for n in (0, 1)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_detections_are_tracked_at_the_containers_times(tmp_path: Path) -> None:
    times = [2.0, 2.1, 2.2, 2.25, 2.5, 2.6, 2.7, 2.8, 2.9, 3.0, 3.1, 3.2]
    clip = make_clip(tmp_path / "a.mp4", times=times)
    table, summary = track_video(
        partial(open_video, clip), "a.mp4", read_mot_boxes(det(tmp_path / "det.txt"))
    )
    assert (summary.frames, summary.decoded_frames, summary.detections, summary.tracks) == (12, 12, 24, 2)
    one = table.filter(table["track_id"] == 1)
    assert one["frame"].to_list() == list(range(12))
    np.testing.assert_allclose(one["timestamp_seconds"], times, atol=1e-3)
    np.testing.assert_allclose(one["x1"], 10 + 3 * np.arange(1, 13), atol=1.5)
    assert set(table["class"]) == {"object"}


def test_identities_are_kept(tmp_path: Path) -> None:
    gt = write_mot(tmp_path / "seq")
    boxes = read_mot_boxes(gt)
    assert boxes.has_tracks
    clip = make_clip(tmp_path / "a.mp4", frames=5)
    table, summary = track_video(partial(open_video, clip), "a", boxes)
    assert sorted(set(table["track_id"])) == [1, 2]  # the third is not to be considered
    assert table.filter(table["track_id"] == 2)["frame"].to_list() == [0, 1, 2]
    assert table["x2"].to_list()[0] == 14.0
    assert (summary.frames, summary.with_objects) == (5, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,-1,0,0,5,5,0.9\n2,-1,0,0,0,5,0.9\n", r"det\.txt:2: .*positive size"),
        ("0,-1,0,0,5,5,0.9\n", "from 1"),
        ("1,3,0,0,5,5,1\n1,3,9,9,5,5,1\n", "id 3 stands twice in frame 1"),
        ("1,3,0,0,5,5,1\n1,-1,9,9,5,5,1\n", "some rows have an identity"),
        ("1,-1,0,0,x,5,1\n", "'x' is not a number"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "det.txt"
    path.write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_mot_boxes(path)
