"""Boxes from MOT text: detections are tracked, identities are taken as they are."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.tracks import write_mot
from tests.video.clips import make_clip
from vidlstm.errors import DatasetError, VideoError
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


def seventh(path: Path, *values: float, identity: int = -1) -> Path:
    """One box a frame for each value in the seventh column."""
    path.write_text("".join(f"{n},{identity},0,0,5,5,{v},-1,-1,-1\n" for n, v in enumerate(values, 1)))
    return path


@pytest.mark.parametrize(
    ("given", "meant"),
    [((0.95, 0.06), (0.95, 0.06)), ((-1, -1), (1, 1)), ((1.0004, 0.5), (1, 0.5)), ((1, 0), (1, 0))],
)
def test_confidences_are_read_as_what_they_are(
    tmp_path: Path, given: tuple[float, ...], meant: tuple[float, ...], recwarn: pytest.WarningsRecorder
) -> None:
    found = read_mot_boxes(seventh(tmp_path / "det.txt", *given)).confidence_R
    np.testing.assert_allclose(found, meant, atol=1e-6)
    assert not recwarn.list


def test_per_cent_are_read_as_such_and_told_of(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="runs from 6 to 95.3 and is taken for confidences in per cent"):
        found = read_mot_boxes(seventh(tmp_path / "det.txt", 95.3, 6.0)).confidence_R
    np.testing.assert_allclose(found, [0.953, 0.06], atol=1e-6)


@pytest.mark.parametrize("given", [(-0.05, -0.4), (0.3, 2.3), (-1, 2.3)])
def test_margins_of_an_svm_keep_their_order_and_are_told_of(tmp_path: Path, given: tuple[float, ...]) -> None:
    with pytest.warns(UserWarning, match="taken for margins x of an SVM"):
        found = read_mot_boxes(seventh(tmp_path / "det.txt", *given)).confidence_R
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.array(given))), atol=1e-6)


@pytest.mark.parametrize("given", [(0.9, -1), (0.2, 255), (-0.5, 95)])
def test_confidences_of_no_known_scale_are_refused(tmp_path: Path, given: tuple[float, ...]) -> None:
    with pytest.raises(
        DatasetError, match=r"det\.txt:[12]: a confidence of .*neither 0 to 1, nor per cent, nor margins"
    ):
        read_mot_boxes(seventh(tmp_path / "det.txt", *given))


@pytest.mark.parametrize("name", ["gt.txt", "tracks.txt", "gt_detections.txt"])
def test_what_the_seventh_column_means_does_not_hang_on_the_name(tmp_path: Path, name: str) -> None:
    """With identities, nothing but 0 and 1 is the flag of a truth; anything else is a confidence."""
    with pytest.warns(UserWarning, match=r"1 of 3 rows are not to be considered \(0 in the seventh column\)"):
        assert len(read_mot_boxes(seventh(tmp_path / name, 1, 0, 1, identity=4)).frames_R) == 2
    assert len(read_mot_boxes(seventh(tmp_path / name, 0.9, 0, 1, identity=4)).frames_R) == 3
    assert len(read_mot_boxes(seventh(tmp_path / name, 1, 0, 1)).frames_R) == 3
    with pytest.raises(DatasetError, match="0 throughout"):
        read_mot_boxes(seventh(tmp_path / name, 0, 0, identity=4))


def test_boxes_that_a_video_has_no_place_for_are_counted_and_left_out(tmp_path: Path) -> None:
    rows = ["1,1,10,10,20,20,1", "2,1,1600,900,20,20,1", "2,2,-30,10,20,20,1", "3,2,-10,10,20,20,1"]
    rows += [f"{frame},1,10,10,20,20,1" for frame in (5, 6, 7)]
    (tmp_path / "gt.txt").write_text("\n".join(rows))
    clip = make_clip(tmp_path / "a.mp4", frames=5)
    with pytest.warns(
        UserWarning, match=r"a: of 7 boxes 2 are for frames beyond its end \(5 frames\) and 2 lie"
    ):
        table, summary = track_video(partial(open_video, clip), "a", read_mot_boxes(tmp_path / "gt.txt"))
    assert table["frame"].to_list() == [0, 2, 4]
    assert (summary.boxes_beyond, summary.boxes_outside) == (2, 2)
    assert json.loads(json.dumps(summary.as_dict()))["boxes_outside"] == 2, "the ledger takes plain numbers"


def test_boxes_of_another_video_are_refused(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("1,1,1600,900,20,20,1\n9,1,10,10,20,20,1\n")
    clip = make_clip(tmp_path / "a.mp4", frames=5)
    with pytest.raises(VideoError, match="its boxes are those of another video"):
        track_video(partial(open_video, clip), "a", read_mot_boxes(tmp_path / "gt.txt"))
