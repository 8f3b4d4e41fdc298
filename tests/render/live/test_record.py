"""Recordings: which seconds are in them, what they are called, and how much room they take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.render.live.shots import began, over, shot
from vidlstm.errors import OutputError
from vidlstm.render.live.record import Recorder
from vidlstm.video.reader import open_video


def recorder(folder: Path, **settings: Any) -> Recorder:
    known = {"fps": 10.0, "seconds": 1.0, "late_seconds": 1.0, "megabytes": 100.0}
    return Recorder(folder, settings.pop("names", ["rtsp://camera/<1>"]), **(known | settings))


def play(one: Recorder, until: int, said: dict[float, list[dict[str, Any]]], **of_shots: Any) -> list[Any]:
    """Frames ten times a second, as bright as their number, and events after those of their seconds."""
    for number in range(until):
        one.on_shot(shot(number / 10, grey=2 * number, **of_shots))
        for event in said.get(number / 10, []):
            one.on_event(event, 0)
    one.close()
    return one.turn()


def brightness(path: Path) -> list[int]:
    """The numbers of the frames in a file."""
    with open_video(path) as video:
        return [round(float(np.median(frame.image[:200])) / 2) for frame in video]


def test_a_file_has_the_seconds_before_and_after_and_overlapping_labels_share_it(tmp_path: Path) -> None:
    said = {
        4.5: [began("fall", 4.0)],
        5.0: [began("walk <b>", 4.6)],
        5.5: [over("fall", 4.0, 5.5)],
        6.0: [over("walk <b>", 4.6, 6.0)],
        9.0: [began("walk <b>", 8.5)],
        9.2: [over("walk <b>", 8.5, 9.2)],
    }
    news = play(recorder(tmp_path), 120, said)
    files = [Path(event["file"]) for event, source in news if source == 0]
    assert [event["label"] for event, _ in news] == ["fall", "walk <b>"]
    assert sorted(files) == sorted(tmp_path.glob("*"))  # and nothing half done
    np.testing.assert_allclose(brightness(files[0]), np.arange(30, 71), atol=1)
    np.testing.assert_allclose(brightness(files[1]), np.arange(75, 103), atol=1)
    with open_video(files[0]) as video:
        assert [round(frame.timestamp_seconds, 3) for frame in video][-1] == 4.0


def test_names_of_anything_stay_in_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    label = "../../" + "ж" * 300 + "\0\n"
    one = recorder(out, names=["rtsp://camera/../../" + "x" * 300])
    news = play(one, 40, {1.0: [began(label, 1.0) | {"start_utc": "2026-11-26T21:00:01.250+00:00"}]})
    (file,) = out.iterdir()
    assert str(file) == news[0][0]["file"] and len(os.fsencode(file.name)) < 255
    assert "_20261126T210001250Z_ж" in file.name and file.name.startswith("x")


def test_the_oldest_go_and_nothing_that_is_not_a_recording(tmp_path: Path) -> None:
    mine = tmp_path / "holiday.mp4"
    mine.write_bytes(bytes(10**6))
    older = [tmp_path / f"camera_2026112{day}T210001250Z_fall.mp4" for day in range(3)]
    for day, path in enumerate(older):
        path.write_bytes(bytes(400_000))
        os.utime(path, (day, day))
    play(recorder(tmp_path, megabytes=1.0), 20, {1.0: [began("fall", 1.0)]})
    assert mine.exists() and [path.exists() for path in older] == [False, True, True]


def test_a_source_whose_frames_or_clock_change_begins_another_file(tmp_path: Path) -> None:
    one = recorder(tmp_path)
    one.on_shot(shot(0.0))
    one.on_event(began("fall", 0.0), 0)
    for seconds, size in ((0.1, (36, 64)), (0.2, (64, 64)), (0.3, (64, 64)), (0.0, (64, 64))):
        one.on_shot(shot(seconds, size=size))
    one.close()
    assert [len(brightness(Path(event["file"]))) for event, _ in one.turn()] == [2, 2]


def test_what_cannot_be_written_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = recorder(tmp_path / "out")
    monkeypatch.setattr(
        "vidlstm.render.live.record.VideoWriter.write",
        lambda *_: (_ for _ in ()).throw(MemoryError("disk full")),
    )
    news = play(one, 30, {1.0: [began("fall", 1.0)], 1.5: [over("fall", 1.0, 1.5)]})
    assert [event["detail"] for event, _ in news] == ["disk full"]
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a folder"):
        recorder(tmp_path / "file")


def test_frames_of_a_camera_that_come_too_fast_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    going = threading.Event()
    monkeypatch.setattr("vidlstm.render.live.record.Recorder._guarded", lambda *_: going.wait())
    one = recorder(tmp_path)
    for number in range(100):
        one.on_shot(shot(number / 10, utc="2026-11-26T21:00:01.250+00:00"))
    going.set()
    one.close()
    ((event, _),) = one.turn()
    assert event["surface"] == "record" and event["detail"].split()[0] in ("67", "68")


def test_a_recording_that_is_watched_does_not_make_room(tmp_path: Path) -> None:
    old = [tmp_path / f"camera_20200101T00000000{n}Z_fall.mp4" for n in range(2)]
    for path in old:
        path.write_bytes(bytes(2_000_000))
        os.utime(path, (0, 0))
    said = {1.0: [began("fall", 0.5)], 1.5: [over("fall", 0.5, 1.5)]}
    play(recorder(tmp_path, names=[str(old[0])], megabytes=1.0), 40, said)
    assert [path.exists() for path in old] == [True, False]


def test_a_recording_that_fails_is_told_as_a_failure(tmp_path: Path) -> None:
    one = recorder(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    (tmp_path / "gone").touch()
    news = play(one, 20, {1.0: [began("fall", 0.5)]})
    assert news and all(event["event"] == "failed" for event, _ in news)
