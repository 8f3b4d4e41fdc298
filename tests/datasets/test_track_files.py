"""Track formats: what is read, and that a bad row is named by file and line."""

from pathlib import Path

import numpy as np
import polars
import pytest

from tests.fakes.tracks import make_ethucy, walkers, write_ethucy, write_mot, write_tracks, write_trajnet
from vidlstm.datasets.ethucy import read_ethucy, read_ethucy_file
from vidlstm.datasets.mot import read_mot
from vidlstm.datasets.track_formats import TRACK_FORMATS, Reading, read_track_tables
from vidlstm.datasets.tracks import Gaps, TrackTable
from vidlstm.datasets.tracks_parquet import read_tracks_parquet
from vidlstm.datasets.trajnet import read_trajnet
from vidlstm.errors import DatasetError, SettingsError


def test_ethucy_is_sorted_by_track_then_frame_in_metres(tmp_path: Path) -> None:
    rows = walkers(4, 6)
    table = read_ethucy_file(write_ethucy(tmp_path / "a.txt", rows))
    expected = sorted(rows, key=lambda row: (row[1], row[0]))
    assert table.frames_R.tolist() == [r[0] for r in expected]
    assert table.track_ids_R.tolist() == [r[1] for r in expected]
    assert table.positions_RC.tolist() == [[r[2], r[3]] for r in expected]
    assert (table.unit, table.frame_step, table.seconds_per_step) == ("metres", 10, 0.4)


@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        (3, "20\t1\tx\t0", "'x' is not a number"),
        (3, "20\t1\tnan\t0", "not a finite number"),
        (3, "20\t1\tinf\t0", "not a finite number"),
        (3, "20\t1\t0", "4 numbers expected, 3 found"),
        (3, "20.5\t1\t0\t0", "whole numbers"),
        (3, "20\t1.5\t0\t0", "whole numbers"),
        (3, "10\t1\t0\t0", "repeats an id in the same frame"),
        (3, "30\t1\t0\t0", "skips frames"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, line: int, text: str, said: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(f"0\t1\t0\t0\n10\t1\t1\t0\n{text}\n0\t2\t5\t5\n")
    with pytest.raises(DatasetError, match=said) as caught:
        read_ethucy_file(path)
    assert f"{path}:{line}:" in str(caught.value)


def test_blank_lines_do_not_shift_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("\n0\t1\t0\t0\n\n10\t1\tz\t0\n")
    with pytest.raises(DatasetError, match=":4: 'z'"):
        read_ethucy_file(path)


def test_a_gap_may_be_split_instead(tmp_path: Path) -> None:
    path = tmp_path / "gap.txt"
    path.write_text("0\t1\t0\t0\n10\t1\t1\t0\n40\t1\t2\t0\n")
    assert len(read_ethucy_file(path, gaps="split")) == 3


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.txt is not there"):
        read_ethucy_file(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(DatasetError, match="holds no rows"):
        read_ethucy_file(tmp_path / "empty.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"binary\.txt is not UTF-8 \(line 1: .*; save it as UTF-8"):
        read_ethucy_file(tmp_path / "binary.txt")


def test_ethucy_folders(tmp_path: Path) -> None:
    root = make_ethucy(tmp_path)
    assert [Path(t.recording).name for t in read_ethucy(root, scene="zara1", split="train")] == [
        "crowds_zara02_train.txt",
        "students001_train.txt",
    ]
    with pytest.raises(DatasetError, match=r"no \.txt files"):
        read_ethucy(root, scene="hotel", split="train")
    with pytest.raises(ValueError, match="did you mean 'zara"):
        read_ethucy(root, scene="zara", split="train")
    with pytest.raises(SettingsError, match="scene"):
        read_track_tables("ethucy", root, split="train")


def test_trajnet_reads_tracks_scenes_and_rate_but_no_predictions(tmp_path: Path) -> None:
    rows = walkers(3, 5)
    table, scenes = read_trajnet(write_trajnet(tmp_path / "a.ndjson", rows))
    assert len(table) == len(rows)
    assert table.frame_step == 10
    assert table.seconds_per_step == pytest.approx(0.4)
    assert [(s.track_id, s.first_frame) for s in scenes] == [(rows[0][1], rows[0][0])]


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"track": {"f": 1}}', '{"track": {"f": 1, "p": 1, "x": "a", "y": 0}}']
)
def test_trajnet_names_a_bad_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.ndjson"
    path.write_text('{"track": {"f": 0, "p": 1, "x": 0, "y": 0}}\n' + text + "\n")
    with pytest.raises(DatasetError, match=r"bad\.ndjson:2:"):
        read_trajnet(path)


def test_mot_boxes_are_centred_and_flags_respected(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="not to be considered"):
        table = read_mot(write_mot(tmp_path / "MOT17-02"))
    assert len(table) == 6
    assert table.positions_RC[0].tolist() == [12.0, 24.0, 4.0, 8.0]
    assert table.unit == "pixels"
    assert table.seconds_per_step == pytest.approx(0.04)
    thinned = read_mot(tmp_path / "MOT17-02" / "gt" / "gt.txt", frame_step=2)
    assert thinned.frames_R.tolist() == [1, 3, 1, 3]
    assert thinned.seconds_per_step == pytest.approx(0.08)


def test_mot_without_rate_or_identity(tmp_path: Path) -> None:
    gt = write_mot(tmp_path / "a")
    (tmp_path / "a" / "seqinfo.ini").unlink()
    with pytest.raises(DatasetError, match="no frame rate"):
        read_mot(gt)
    assert read_mot(gt, fps=10).seconds_per_step == pytest.approx(0.1)
    det = tmp_path / "det.txt"
    det.write_text("1,-1,0,0,5,5,0.9\n")
    with pytest.raises(DatasetError, match="run a tracker"):
        read_mot(det, fps=10)
    gt.write_text("1,1,0,0,0,5,1\n")
    with pytest.raises(DatasetError, match=r"gt\.txt:1: a box"):
        read_mot(gt, fps=10)


def test_tracks_parquet_by_video(tmp_path: Path) -> None:
    tables = read_tracks_parquet(write_tracks(tmp_path / "t.parquet", videos=2), frame_step=4)
    assert [t.recording for t in tables] == ["v0.mp4", "v1.mp4"]
    assert tables[0].seconds_per_step == pytest.approx(0.4)
    assert tables[0].frames_R[:3].tolist() == [0, 4, 8]
    assert tables[1].positions_RC[0].tolist() == [11.0, 20.0, 20.0, 40.0]


def test_tracks_parquet_refuses_what_it_is_not(tmp_path: Path) -> None:
    frame = polars.read_parquet(write_tracks(tmp_path / "t.parquet"))
    bad = tmp_path / "bad.parquet"
    frame.drop("x2").write_parquet(bad)
    with pytest.raises(DatasetError, match="no column x2"):
        read_tracks_parquet(bad)
    frame.with_columns(polars.col("x1").cast(polars.String)).write_parquet(bad)
    with pytest.raises(DatasetError, match="not numbers in column x1"):
        read_tracks_parquet(bad)
    frame.with_row_index().with_columns(
        polars.when(polars.col("index") == 4).then(None).otherwise(polars.col("x1")).alias("x1")
    ).write_parquet(bad)
    with pytest.raises(DatasetError, match=r"bad\.parquet:5: .*finite"):
        read_tracks_parquet(bad)
    frame.with_columns(timestamp_seconds=polars.lit(0.0)).write_parquet(bad)
    with pytest.raises(DatasetError, match="do not rise"):
        read_tracks_parquet(bad)
    bad.write_text("no parquet")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_tracks_parquet(bad)


def test_every_format_reads_its_layout(tmp_path: Path) -> None:
    make_ethucy(tmp_path / "ethucy")
    (tmp_path / "trajnet" / "train").mkdir(parents=True)
    write_trajnet(tmp_path / "trajnet" / "train" / "a.ndjson", walkers(2, 5))
    write_mot(tmp_path / "mot" / "train" / "MOT17-02")
    (tmp_path / "tracks" / "train").mkdir(parents=True)
    write_tracks(tmp_path / "tracks" / "train" / "t.parquet")
    for name in TRACK_FORMATS:
        tables = read_track_tables(name, tmp_path / name, split="train", how=Reading(scene="eth"))
        assert tables and all(isinstance(t, TrackTable) and len(t) for t in tables)
    with pytest.raises(ValueError, match="did you mean 'mot'"):
        read_track_tables("mott", tmp_path, split="train")
    with pytest.raises(DatasetError, match="must hold train"):
        read_track_tables("mot", tmp_path, split="train")


def test_tables_check_themselves() -> None:
    ids = np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="unit"):
        TrackTable("x", ids, ids, np.zeros((2, 2)), "feet", 1, 1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="positions"):
        TrackTable("x", ids, ids, np.zeros((2, 3)), "metres", 1, 1.0)
    with pytest.raises(ValueError, match="positive"):
        TrackTable("x", ids, ids, np.zeros((2, 2)), "metres", 1, 0.0)


def stepping(path: Path, step: int, *, steps: int = 5, stray: str = "") -> Path:
    """Two tracks that move by so many frames a step."""
    rows = [f"{780 + step * n}.0\t{track}.0\t{n}\t0" for n in range(steps) for track in (1, 2)]
    path.write_text("\n".join([*rows, stray]))
    return path


def test_eth_as_first_published_steps_by_six_frames(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"eth\.txt: its steps of 6 frames are taken as 0\.4 s"):
        table = read_ethucy_file(stepping(tmp_path / "eth.txt", 6))
    assert (len(table), table.frame_step, table.seconds_per_step) == (10, 6, 0.4)


@pytest.mark.parametrize("step", [1, 5, 12, 20])
@pytest.mark.parametrize("gaps", ["error", "split"])
def test_steps_of_unknown_length_are_refused(tmp_path: Path, step: int, gaps: Gaps) -> None:
    with pytest.raises(
        DatasetError, match=rf"its tracks go by steps of {step} frames; .* number the frames by 10"
    ):
        read_ethucy_file(stepping(tmp_path / "eth.txt", step), gaps=gaps)


@pytest.mark.parametrize("frame", [3, 783, 9999])
def test_a_stray_row_does_not_decide_the_step(tmp_path: Path, frame: int) -> None:
    """It comes first, between or last: it is left out, and the others are not."""
    for track in (1, 3):
        file = stepping(tmp_path / "eth.txt", 10, stray=f"{frame}\t{track}\t0\t0")
        with pytest.warns(UserWarning, match="1 of 11 rows stand between the steps of 10 frames"):
            table = read_ethucy_file(file)
        assert table.frames_R.tolist() == 2 * [780, 790, 800, 810, 820]


def test_a_stray_row_does_not_decide_the_step_of_trajnet(tmp_path: Path) -> None:
    rows = [*walkers(3, 5), (13, 1, 0.0, 0.0)]
    file = write_trajnet(tmp_path / "a.ndjson", rows)
    with pytest.warns(UserWarning, match="1 of 16 rows stand between the steps of 10 frames"):
        table, _ = read_trajnet(file)
    assert (len(table), table.frame_step) == (15, 10)


def test_lines_that_trajnet_does_not_know_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text('{"track": {"f": 0, "p": 1, "x": 0, "y": 0}}\n{"tracks": {}}\n{"meta": 1}\n')
    with pytest.warns(UserWarning, match="2 lines hold neither .* such as line 2"):
        read_trajnet(file)


def test_files_of_other_endings_are_told_of(tmp_path: Path) -> None:
    root = make_ethucy(tmp_path)
    folder = root / "zara1" / "train"
    stepping(folder / "more.TXT", 10)
    (folder / "notes.md").touch()
    with pytest.warns(UserWarning, match=r"left out, not \*\.txt:\n  notes\.md"):
        tables = read_ethucy(root, scene="zara1", split="train")
    assert "more.TXT" in {Path(table.recording).name for table in tables}


def test_sequences_without_a_truth_are_told_of(tmp_path: Path) -> None:
    write_mot(tmp_path / "train" / "MOT17-02")
    (tmp_path / "train" / "MOT17-04" / "det").mkdir(parents=True)
    with pytest.warns(UserWarning, match=r"left out, not \*/gt/gt\.txt:\n  MOT17-04"):
        assert len(read_track_tables("mot", tmp_path, split="train")) == 1


def test_rows_without_an_identity_are_counted(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("1,1,0,0,5,5,1\n1,-1,9,9,5,5,1\n")
    with pytest.warns(UserWarning, match=r"1 of 2 rows have no identity \(id -1\)"):
        assert len(read_mot(tmp_path / "gt.txt", fps=10)) == 1
