"""The messages of a decode process, read from memory."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.videos import write_video
from tests.video.clips import make_clip
from vidlstm.errors import VideoError
from vidlstm.features import decode_worker
from vidlstm.features.decode_worker import BEAT, END, FRAME, HASH, HEAD, OPENED, Outlet
from vidlstm.features.spec import FeatureSpec
from vidlstm.features.store import FeatureStore
from vidlstm.video.hashing import hash_video

MS = Fraction(1, 1000)
HEAVY = {"torch", "torchvision", "lightning", "matplotlib", "polars", "rich"}


def job(path: Path, folder: Path) -> dict[str, Any]:
    size = [32, 32, "squash"]
    return {
        "path": str(path),
        "folder": str(folder),
        "size": size,
        "views": ["picture"],
        "fps": 5,
        "decoder": "auto",
        "image_fps": 25,
    }


def messages(stream: bytes) -> list[tuple[int, dict[str, Any], bytes]]:
    found, rest = [], io.BytesIO(stream)
    while head := rest.read(HEAD.size):
        kind, text, raw = HEAD.unpack(head)
        found.append((kind, json.loads(rest.read(text)), rest.read(raw)))
    return found


def run(path: Path, folder: Path) -> list[tuple[int, dict[str, Any], bytes]]:
    out = io.BytesIO()
    decode_worker.decode(job(path, folder), Outlet(out))
    return messages(out.getvalue())


def test_a_video_is_its_hash_its_frames_and_its_end(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", frames=20, fps=10)
    (first, opened, *frames, last) = run(tmp_path / "clip.mp4", tmp_path)
    assert first[:2] == (HASH, {"hash": hash_video(tmp_path / "clip.mp4"), "have": False})
    assert opened[:2] == (OPENED, {"expected": 10})
    assert [kind for kind, _, _ in frames] == [FRAME] * 10
    assert [text["t"] for _, text, _ in frames] == pytest.approx(np.arange(10) / 5)
    assert all(len(raw) == 32 * 32 * 3 for _, _, raw in frames)
    assert last[:2] == (END, {"frames": 20, "truncated": "", "told": []})


def test_what_a_reader_has_to_tell_comes_with_the_end(tmp_path: Path) -> None:
    make_clip(tmp_path / "jump.mkv", times=[0, 0.04, 5e8, 5e8 + 0.04], options={"bf": "0"}, tick=MS)
    last = run(tmp_path / "jump.mkv", tmp_path)[-1]
    assert last[1]["frames"] == 4 and last[1]["truncated"] == ""
    assert "jump.mkv: its clock jumps from 0.04 s to 500000000.00 s" in last[1]["told"][0]


def test_a_video_in_the_store_is_not_decoded(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4")
    digest = hash_video(tmp_path / "clip.mp4")
    store = FeatureStore(tmp_path, FeatureSpec(fps=5.0, image_fps=25.0, backbone={"feature_dim": 3}))
    with store.writer(digest) as writer:
        writer.append(np.ones((1, 3)), [0.0])
        writer.commit()
    assert run(tmp_path / "clip.mp4", store.folder) == [(HASH, {"hash": digest, "have": True}, b"")]
    path = store.path_of(digest)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (first, *frames) = run(tmp_path / "clip.mp4", store.folder)
    damaged = {"hash": digest, "have": False, "damage": "its checksum is not that of its bytes"}
    assert first[1] == damaged and len(frames) > 1, "what is damaged is made anew"


def test_it_shows_that_it_lives_while_nothing_is_sampled(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", frames=20, fps=10)
    out = io.BytesIO()
    decode_worker.decode({**job(tmp_path / "clip.mp4", tmp_path), "beat_seconds": -1.0}, Outlet(out))
    kinds = [kind for kind, _, _ in messages(out.getvalue())]
    assert kinds[0] == BEAT, "while hashing"
    assert kinds.count(BEAT) == 21, "and at every decoded frame"
    assert kinds.count(FRAME) == 10


@pytest.mark.parametrize(
    "make", [lambda p: None, lambda p: p.touch(), os.mkfifo], ids=["no", "empty", "pipe"]
)
def test_what_is_no_file_is_not_waited_for(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "clip.mp4")
    with pytest.raises(VideoError):
        run(tmp_path / "clip.mp4", tmp_path)


def test_a_worker_imports_nothing_heavy_and_ends_with_its_input() -> None:
    code = (
        "import sys, vidlstm.features.decode_worker as w\n"
        f"print({HEAVY!r} & set(sys.modules), file=sys.stderr)\n"
        "w.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], input=b"", capture_output=True, check=True)
    assert done.stderr.decode().strip() == "set()"
    assert done.stdout == b""
