"""What is hashed is an ordinary file that answers."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from vidlstm.errors import VideoError
from vidlstm.video import hashing
from vidlstm.video.hashing import PIECE_BYTES, hash_video, hash_within


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
@pytest.mark.parametrize("hash_it", [hash_video, hash_within])
def test_what_is_no_file_is_refused_and_never_waited_for(hash_it: object, tmp_path: Path) -> None:
    assert callable(hash_it)
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "link.mp4").symlink_to("/dev/zero")
    for name, reason in (("pipe.mp4", "unreadable"), ("link.mp4", "unreadable"), ("gone.mp4", "missing")):
        with pytest.raises(VideoError) as error:
            hash_it(tmp_path / name)
        assert error.value.reason == reason


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")

    def fail(path: Path, beat: object) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(hashing, "_hash_file", fail)
    for hash_it in (hash_video, hash_within):
        with pytest.raises(VideoError, match=r"a\.mp4: cannot be opened as a video: Input/output error"):
            hash_it(tmp_path / "a.mp4")


def test_a_disk_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(3 * PIECE_BYTES)
    (tmp_path / "a.mp4").write_bytes(content)
    assert hash_within(tmp_path / "a.mp4") == hashlib.sha256(content).hexdigest()
    answers = threading.Event()

    def stuck(path: Path, beat: object) -> str:
        answers.wait()
        return ""

    monkeypatch.setattr(hashing, "_hash_file", stuck)
    with pytest.raises(VideoError, match=r"nothing was read for 0\.01 s") as error:
        hash_within(tmp_path / "a.mp4", 0.01)
    assert error.value.reason == "timeout"
    answers.set()
