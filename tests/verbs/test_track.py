"""Several videos to one table: bad ones are listed, finished ones are kept, a second run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars
import pytest

from tests.tracking.test_mot_boxes import det
from tests.video.clips import SHARED, make_clip, needs_shared
from vidlstm.cli.main import main
from vidlstm.datasets.tracks_parquet import COLUMNS, read_tracks_parquet
from vidlstm.errors import OutputError, SettingsError, WeightsError
from vidlstm.settings import TrackingSettings
from vidlstm.tracking import engines
from vidlstm.tracking.run import TrackingReport
from vidlstm.verbs.track import track
from vidlstm.video.reader import open_video


@pytest.fixture
def three(tmp_path: Path) -> tuple[list[Path], TrackingSettings]:
    """Videos of three different lengths, and boxes for each."""
    folder = tmp_path / "in"
    folder.mkdir()
    videos = [make_clip(folder / f"{n}.mp4", frames=8 + n) for n in range(3)]
    return videos, TrackingSettings(boxes=[det(folder / f"{n}.txt", frames=8 + n) for n in range(3)])


def test_the_table_and_the_ledger(tmp_path: Path, three: tuple[list[Path], TrackingSettings]) -> None:
    videos, settings = three
    out = tmp_path / "out" / "tracks.parquet"
    report = track(videos, out=out, settings=settings, video=True)
    table = polars.read_parquet(out)
    assert tuple(table.columns) == COLUMNS
    assert table["video"].unique(maintain_order=True).to_list() == list(map(str, videos))
    assert [len(t) for t in read_tracks_parquet(out)] == [16, 18, 20]
    ledger = json.loads(out.with_suffix(".json").read_text())
    assert (
        [v["frames"] for v in ledger["videos"]]
        == [v["decoded_frames"] for v in ledger["videos"]]
        == [8, 9, 10]
    )
    assert sorted(p.name for p in out.parent.iterdir()) == sorted(p.name for p in report.files)
    with open_video(out.parent / "1_tracks.mp4") as drawn:
        assert sum(1 for _ in drawn) == 9


def test_a_killed_run_goes_on_with_what_is_missing(
    tmp_path: Path, three: tuple[list[Path], TrackingSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    videos, settings = three
    out = tmp_path / "tracks.parquet"

    def kill(report: TrackingReport, total: int) -> None:
        if report.tracked == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track(videos, out=out, settings=settings, progress=kill)
    assert not out.exists()
    again = track(videos, out=out, settings=settings)
    assert (again.tracked, again.found) == (1, 2)
    whole = track(videos, out=tmp_path / "whole.parquet", settings=settings)
    assert whole.tracked == 3
    assert polars.read_parquet(out).equals(polars.read_parquet(tmp_path / "whole.parquet"))
    monkeypatch.setattr(engines, "track_video", None)  # nothing is left to track
    assert track(videos, out=out, settings=settings).found == 3
    assert not list(tmp_path.glob(".*"))


def test_two_runs_do_not_write_one_table(
    tmp_path: Path, three: tuple[list[Path], TrackingSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    videos, settings = three
    out = tmp_path / "tracks.parquet"

    def another_starts(report: TrackingReport, total: int) -> None:
        with pytest.raises(OutputError, match="another run is writing it"):
            track(videos, out=out, settings=settings)

    assert settings.boxes is not None
    first = TrackingSettings(boxes=settings.boxes[:1])
    assert track(videos[:1], out=out, settings=first, progress=another_starts).tracked == 1
    assert track(videos, out=out, settings=settings).tracked == 2
    assert polars.read_parquet(out)["video"].n_unique() == 3


def drop_a_video(out: Path, parts: Path) -> None:
    table = polars.read_parquet(out)
    table.filter(polars.col("video") != table["video"][0]).write_parquet(out)


def drop_a_row(out: Path, parts: Path) -> None:
    polars.read_parquet(out)[1:].write_parquet(out)


def forget_a_count(out: Path, parts: Path) -> None:
    ledger = json.loads(out.with_suffix(".json").read_text())
    del ledger["videos"][0]["rows"]
    out.with_suffix(".json").write_text(json.dumps(ledger))


@pytest.mark.parametrize(
    ("harm", "tracked"),
    [
        (drop_a_video, 1),
        (drop_a_row, 1),
        (forget_a_count, 1),
        (lambda out, parts: out.write_bytes(b"PAR1"), 3),
        (lambda out, parts: polars.DataFrame({"a": [1]}).write_parquet(out), 3),
        (lambda out, parts: out.unlink(), 3),
        (lambda out, parts: out.with_suffix(".json").write_text("[]"), 3),
        (lambda out, parts: out.with_suffix(".json").write_text('{"videos": [3]}'), 3),
    ],
)
def test_a_ledger_is_believed_as_far_as_the_table_goes(
    harm: Callable[[Path, Path], None],
    tracked: int,
    tmp_path: Path,
    three: tuple[list[Path], TrackingSettings],
) -> None:
    videos, settings = three
    out = tmp_path / "tracks.parquet"
    track(videos, out=out, settings=settings)
    whole = polars.read_parquet(out)
    harm(out, tmp_path)
    again = track(videos, out=out, settings=settings)
    assert (again.tracked, again.found) == (tracked, 3 - tracked)
    assert polars.read_parquet(out).equals(whole)


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(b"PAR1"), lambda path: path.unlink()])
def test_a_part_is_believed_only_where_its_rows_are(
    harm: Callable[[Path], None], tmp_path: Path, three: tuple[list[Path], TrackingSettings]
) -> None:
    videos, settings = three
    out = tmp_path / "tracks.parquet"

    def kill(report: TrackingReport, total: int) -> None:
        if report.tracked == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track(videos, out=out, settings=settings, progress=kill)
    harm(next((tmp_path / ".tracks.parquet.parts").glob("*.parquet")))
    assert track(videos, out=out, settings=settings).tracked == 2
    assert polars.read_parquet(out)["video"].n_unique() == 3


def test_a_video_that_cannot_be_drawn_is_listed_and_the_rest_drawn(
    tmp_path: Path, three: tuple[list[Path], TrackingSettings]
) -> None:
    videos, settings = three
    out = tmp_path / "out" / "tracks.parquet"
    videos[0] = videos[0].rename(videos[0].with_name("x" * 246 + ".mp4"))
    for run in ("first", "again"):
        report = track(videos, out=out, settings=settings, video=True)
        assert [(f.path, f.reason) for f in report.failures] == [(videos[0], "unwritable")], run
    assert {p.name for p in report.files} == {"tracks.parquet", "tracks.json", "1_tracks.mp4", "2_tracks.mp4"}
    assert len(report.videos) == 3


def test_other_settings_or_bytes_are_tracked_anew(
    tmp_path: Path, three: tuple[list[Path], TrackingSettings]
) -> None:
    videos, settings = three
    out = tmp_path / "tracks.parquet"
    track(videos, out=out, settings=settings)
    make_clip(videos[0], frames=5)
    assert track(videos, out=out, settings=settings).tracked == 1
    settings.lost_seconds = 2.0
    assert track(videos, out=out, settings=settings).tracked == 3


def test_a_bad_video_is_listed_and_the_rest_goes_on(
    tmp_path: Path, three: tuple[list[Path], TrackingSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    videos, settings = three
    videos[1].write_bytes(b"no video")
    out = tmp_path / "tracks.parquet"
    assert settings.boxes is not None
    argv = ["track", *map(str, videos), "--boxes", *map(str, settings.boxes), "--out", str(out)]
    assert main(argv) == 1
    captured = capsys.readouterr()
    assert "1.mp4: cannot be opened" in captured.err and "2 videos tracked" in captured.out
    ledger = json.loads(out.with_suffix(".json").read_text())
    assert [f["reason"] for f in ledger["failures"]] == ["unreadable"]
    assert polars.read_parquet(out)["video"].n_unique() == 2
    make_clip(videos[1], frames=9)
    assert main(argv) == 0
    assert "1 videos tracked, 2 there already, 0 failed" in capsys.readouterr().out


def test_what_cannot_work_is_refused(tmp_path: Path, three: tuple[list[Path], TrackingSettings]) -> None:
    videos, settings = three
    with pytest.raises(SettingsError, match=r"\.parquet"):
        track(videos, out=tmp_path / "t.csv", settings=settings)
    with pytest.raises(SettingsError, match="`weights FILE`"):
        track(videos, out=tmp_path / "t.parquet", settings=TrackingSettings())
    with pytest.raises(SettingsError, match="3 files for 2 videos"):
        track(videos[:2], out=tmp_path / "t.parquet", settings=settings)
    with pytest.raises(WeightsError, match="no such file"):
        track(videos, out=tmp_path / "t.parquet", settings=TrackingSettings(weights=tmp_path / "x.pt"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


@needs_shared
def test_keypoints_are_kept_and_a_truncated_video_gives_its_good_part(tmp_path: Path) -> None:
    out = tmp_path / "tracks.parquet"
    weights = SHARED.parents[1] / "weights" / "yolo11n-pose.pt"
    settings = TrackingSettings(weights=weights, fps=3, image_size=320)
    report = track([SHARED / "R6llTwEh07w.mp4", SHARED / "corrupted.mp4"], out=out, settings=settings)
    assert [(f.path.name, f.reason) for f in report.failures] == [("corrupted.mp4", "truncated")]
    assert [v["decoded_frames"] for v in report.videos] == [303, 28]
    assert report.videos[0]["frames"] == 31
    table = polars.read_parquet(out)
    assert len(table) > 10
    assert table["keypoints"].list.len().unique().to_list() == [17 * 3]
