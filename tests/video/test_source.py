"""What is read while it happens: the newest frame, what was dropped, and sources that break off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from vidlstm.errors import VideoError
from vidlstm.structures import VideoInfo
from vidlstm.video import source as source_module
from vidlstm.video.base import Picture, VideoReader
from vidlstm.video.live import LiveReader, Transit
from vidlstm.video.source import Item, Mailbox, Note, Shown, Source

INFO = VideoInfo("camera", 4, 6, None, 10.0, None, "none", "test")


class Played(VideoReader):
    """Gives frames whose grey is their number; after some of them it waits until it is let go on."""

    def __init__(self, frames: int, *, waits_after: tuple[int, ...] = (), breaks: str = "") -> None:
        super().__init__(INFO, wanted=None)
        self.go_on, self.reached, self.closed = threading.Semaphore(0), threading.Semaphore(0), False
        self._count, self._waits_after, self._breaks = frames, waits_after, breaks

    def _pictures(self) -> Iterator[Picture]:
        for number in range(self._count):
            if number in self._waits_after:
                self.reached.release()
                self.go_on.acquire()
            yield number / 10, lambda number=number: np.full((4, 6, 3), number, np.uint8)
        self.truncated = self._breaks

    def close(self) -> None:
        self.closed = True


def test_the_newest_frame_is_given_and_the_others_are_counted() -> None:
    camera = Played(9, waits_after=(5,))
    with LiveReader(camera) as reader:
        assert camera.reached.acquire(timeout=10)
        frames = iter(reader)
        assert next(frames).image[0, 0, 0] == 4 and reader.dropped_frames == 4
        camera.go_on.release()
        rest = [int(frame.image[0, 0, 0]) for frame in frames]
    assert rest[-1] == 8 and reader.decoded_frames == 9
    assert 1 + len(rest) + reader.dropped_frames == 9
    assert camera.closed


def test_only_wanted_frames_count_as_dropped() -> None:
    camera = Played(6, waits_after=(5,))
    with LiveReader(camera, wanted=lambda seconds: round(seconds * 10) % 2 == 0) as reader:
        assert camera.reached.acquire(timeout=10)
        assert next(iter(reader)).index == 4 and reader.dropped_frames == 2
        camera.go_on.release()


def test_silence_is_told() -> None:
    camera = Played(3, waits_after=(2,))
    with LiveReader(camera, timeout_seconds=0.05) as reader:
        list(reader)
        assert reader.truncated == "no frame for 0.05 s after 2 frames"
        camera.go_on.release()


def test_an_error_of_the_source_is_told() -> None:
    class Broken(Played):
        def _pictures(self) -> Iterator[Picture]:
            yield from super()._pictures()
            raise RuntimeError("the cable is out")

    with LiveReader(Broken(2)) as reader:
        list(reader)
        assert reader.truncated == "the cable is out"


def test_a_backlog_shows_in_when_a_frame_was_taken() -> None:
    transit = Transit(has_clock=True)
    assert transit.taken(10.0, 100.0) == 100.0
    assert transit.taken(11.0, 101.5) == pytest.approx(101.0, abs=2e-3)
    assert transit.taken(12.0, 105.0) == pytest.approx(102.0, abs=6e-3)
    assert transit.taken(13.0, 102.9) == pytest.approx(102.9)  # quicker than the first
    assert Transit(has_clock=False).taken(12.0, 105.0) == 105.0


def shown(source: int, number: int) -> Shown:
    frame: Any = number
    return Shown(source, frame, np.zeros(1), 0.0, 0)


def test_a_mailbox_keeps_the_newest_of_each_source_and_every_note() -> None:
    mailbox = Mailbox(2, newest=True)
    opened = Note(0, "opened", "", 0.0)
    for item in (opened, shown(0, 1), shown(0, 2), shown(0, 3), shown(1, 7)):
        mailbox.put(item)
    taken = mailbox.take(0)
    assert taken[0] is opened
    assert [(i.source, i.frame, i.dropped) for i in taken[1:] if isinstance(i, Shown)] == [
        (0, 3, 2),
        (1, 7, 0),
    ]
    assert mailbox.take(0) == []


def test_a_mailbox_that_drops_none_gives_one_frame_at_a_time() -> None:
    mailbox = Mailbox(1, newest=False)
    for number in range(3):
        mailbox.put(shown(0, number))
    assert [[i.frame for i in mailbox.take(0) if isinstance(i, Shown)] for _ in range(4)] == [
        [0],
        [1],
        [2],
        [],
    ]


def watched(
    readers: list[VideoReader | VideoError], monkeypatch: pytest.MonkeyPatch, **how: Any
) -> list[Item]:
    """All that a source hands over, opened time after time."""
    monkeypatch.setattr(source_module, "FIRST_WAIT_SECONDS", 0.001)
    left = iter(readers)

    def open_next() -> VideoReader:
        reader = next(left)
        if isinstance(reader, VideoError):
            raise reader
        return reader

    mailbox = Mailbox(1, newest=False)
    source = Source(0, "camera", open_next, mailbox, views=("picture",), **how)
    source.start()
    items: list[Item] = []
    while source.is_alive() or (
        not items or not isinstance(items[-1], Note) or items[-1].kind in ("opened", "lost")
    ):
        items += mailbox.take(0.05)
    return items


def kinds(items: list[Item]) -> str:
    return " ".join(item.kind if isinstance(item, Note) else "frame" for item in items)


def test_a_file_that_ends_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kinds(watched([Played(2)], monkeypatch, finite=True)) == "opened frame frame ended"


def test_a_file_that_breaks_off_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    items = watched([Played(1, breaks="damaged")], monkeypatch, finite=True)
    assert kinds(items) == "opened frame failed"


def test_a_camera_is_opened_again_and_in_the_end_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    away = VideoError("camera", reason="unreadable", detail="nobody answers")
    readers: list[VideoReader | VideoError] = [Played(1, breaks="cut"), away, Played(2), *[away] * 12]
    items = watched(readers, monkeypatch, finite=False, reconnect_seconds=0.3)
    assert kinds(items).startswith("opened frame lost lost opened frame frame lost lost")
    last = items[-1]
    assert isinstance(last, Note) and (last.kind, last.detail) == ("failed", "nobody answers")


def test_without_reconnection_a_loss_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    items = watched([Played(1, breaks="cut")], monkeypatch, finite=False, reconnect_seconds=0)
    assert kinds(items) == "opened frame failed"


def test_a_reader_that_stumbles_in_a_way_of_its_own_fails_its_source() -> None:
    def stumble() -> VideoReader:
        raise RuntimeError("int too large")

    mailbox = Mailbox(1, newest=True)
    source = Source(0, "camera", stumble, mailbox, views=("picture",), finite=True)
    source.run()
    (note,) = mailbox.take(0)
    assert isinstance(note, Note) and (note.kind, note.detail) == ("failed", "RuntimeError: int too large")


def test_no_login_of_an_address_is_in_a_message() -> None:
    address = "rtsp://me:secret@camera/1"
    error = VideoError(address, reason="unreadable", detail=f"Connection refused: {address!r}")
    assert error.path == address and "secret" not in f"{error} {error.detail}"

    class Leaping(Played):
        def _pictures(self) -> Iterator[Picture]:
            self.info = VideoInfo(address, 4, 6, None, 10.0, None, "none", "test")
            for seconds in (0.0, 1e5):
                yield seconds, lambda: np.zeros((4, 6, 3), np.uint8)

    with pytest.warns(UserWarning, match="clock jumps") as told, Leaping(2) as reader:
        list(reader)
    assert "secret" not in str(told[0].message)
