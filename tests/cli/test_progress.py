"""Bars count frames where one video is all there is, and a log file gets a line now and then."""

from __future__ import annotations

from typing import Any

import pytest

from vidlstm.cli import progress
from vidlstm.features.decode_worker import expected_pictures
from vidlstm.features.extract import ExtractionReport
from vidlstm.render.footage import DrawingReport
from vidlstm.structures import VideoInfo


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that a test sets; the terminal is a file."""

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_one_video_is_counted_in_frames(clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.ExtractionBar() as bar:
        report = ExtractionReport()
        bar(report, 1)
        for clock.now, report.features, report.expected in (
            (5.0, 50, 400),
            (20.0, 200, 400),
            (40.0, 401, 400),
        ):
            bar(report, 1)
        report.extracted = 1
        bar(report, 1)
    assert capsys.readouterr().err.splitlines() == [
        "extracting 200/400 frames  10 frames/s  20 s left",
        "extracting 401/402 frames  10 frames/s  0 s left",
    ]


def test_many_videos_are_counted_as_such(clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.ExtractionBar() as bar:
        report = ExtractionReport(extracted=1, features=100, expected=300)
        bar(report, 3)
        clock.now = 20.0
        bar(report, 3)
    assert capsys.readouterr().err == "extracting 1/3 clips  0.1 clips/s  5 frames/s  40 s left\n"


def test_drawing_is_told_of_video_by_video(clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.DrawingBar() as bar:
        for start, total in ((0.0, 90), (100.0, 0)):
            clock.now, report = start, DrawingReport("v.mp4")
            for report.frames in (1, 30):
                bar(report, total)
                clock.now += 15.0
            bar(report, total)
            bar(report, 30)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "drawing 30/90 frames  2 frames/s  30 s left"
    assert "drawing 30 frames  2 frames/s" in lines


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ((250, 25.0, 10.0), 100),
        ((None, 1000.0, 10.0), 100),
        ((50, 5.0, 10.0), 50),  # no frame is shown twice
        ((250, 25.0, None), 100),
        ((None, None, None), 0),
        ((None, 25.0, float("nan")), 0),
        ((None, 25.0, float("inf")), 0),
        ((-3, 25.0, -1.0), 0),
    ],
)
def test_how_many_pictures_a_header_promises(claims: tuple[Any, Any, Any], expected: int) -> None:
    assert expected_pictures(VideoInfo("v", 4, 4, *claims, "h264", "pyav"), 10.0) == expected


def test_a_bar_says_extracting_where_something_is_extracted() -> None:
    with progress.ExtractionBar() as bar:
        (task,) = bar._progress.tasks
        bar(ExtractionReport(found=1), 3)
        assert task.description == "looking for features of" and not task.fields["rates"]
        bar(ExtractionReport(found=1, features=5), 3)
        assert task.description == "extracting" and task.fields["rates"]
