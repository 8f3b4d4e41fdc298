"""The messages of a decode process and the frames it puts down, read from memory."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.videos import write_video
from tests.video.clips import make_clip
from vidlstm.errors import VideoError
from vidlstm.features import decode_worker
from vidlstm.features.decode_worker import BEAT, END, FRAMES, HASH, HEAD, OPENED, Outlet, Shelf
from vidlstm.features.slabs import Slabs
from vidlstm.features.spec import FeatureSpec
from vidlstm.features.store import FeatureStore
from vidlstm.structures import FrameSize
from vidlstm.video.hashing import hash_video
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler

MS = Fraction(1, 1000)
HEAVY = {"torch", "torchvision", "lightning", "matplotlib", "polars", "rich"}


Messages = list[tuple[int, dict[str, Any]]]
ROWS = 4


@pytest.fixture
def slabs() -> Iterator[Slabs]:
    made = Slabs.new(3, (ROWS, 32, 32, 3))
    yield made
    made.close()


def job(path: Path, folder: Path, slabs: Slabs) -> dict[str, Any]:
    size = [32, 32, "squash"]
    return {
        "path": str(path),
        "folder": str(folder),
        "size": size,
        "views": ["picture"],
        "fps": 5,
        "decoder": "auto",
        "image_fps": 25,
        "slabs": slabs.described,
        "place": [1, 1],
    }


def messages(stream: bytes) -> Messages:
    found, rest = [], io.BytesIO(stream)
    while head := rest.read(HEAD.size):
        kind, text = HEAD.unpack(head)
        found.append((kind, json.loads(rest.read(text))))
    return found


def run(path: Path, folder: Path, slabs: Slabs) -> Messages:
    out = io.BytesIO()
    decode_worker.decode(job(path, folder, slabs), Outlet(out))
    return messages(out.getvalue())


def test_a_video_is_its_hash_its_frames_and_its_end(tmp_path: Path, slabs: Slabs) -> None:
    write_video(tmp_path / "clip.mp4", frames=20, fps=10)
    (first, opened, *frames, last) = run(tmp_path / "clip.mp4", tmp_path, slabs)
    assert first == (HASH, {"hash": hash_video(tmp_path / "clip.mp4"), "have": False})
    assert opened == (OPENED, {"expected": 10})
    assert [kind for kind, _ in frames] == [FRAMES] * 3
    assert [len(text["t"]) for _, text in frames] == [3, 4, 3], "a slab began with another video's frame"
    assert [time for _, text in frames for time in text["t"]] == pytest.approx(np.arange(10) / 5)
    assert last == (END, {"frames": 20, "truncated": "", "told": []})
    assert [slabs.is_free(slab) for slab in range(3)] == [True, False, False], "two are full"
    with open_video(tmp_path / "clip.mp4", size=FrameSize(32, 32), wanted=SteadySampler(5)) as reader:
        images = np.stack([frame.image for frame in reader])
    shown = np.concatenate([slabs[1][1:], slabs[2], slabs[0][:3]])
    assert np.array_equal(shown, images)


def test_it_writes_to_no_slab_that_is_yet_to_be_read(slabs: Slabs, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(Outlet(io.BytesIO()), Slabs.of(slabs.described), 0, 0)
    lent = []

    def wait(seconds: float) -> None:
        """As the reader would, who comes late and in another order."""
        for slab in (2, 0, 1):
            lent.append(slabs[slab].copy())
            slabs.lend(slab)()

    monkeypatch.setattr(decode_worker.time, "sleep", wait)
    for number in range(30):
        shelf.put(float(number), np.full((32, 32, 3), number, np.uint8))
    assert [int(frames[row, 0, 0, 0]) for frames in lent for row in range(ROWS)] == [
        *(8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 6, 7),
        *(20, 21, 22, 23, 12, 13, 14, 15, 16, 17, 18, 19),
    ]


def test_what_a_reader_has_to_tell_comes_with_the_end(tmp_path: Path, slabs: Slabs) -> None:
    make_clip(tmp_path / "jump.mkv", times=[0, 0.04, 5e8, 5e8 + 0.04], options={"bf": "0"}, tick=MS)
    last = run(tmp_path / "jump.mkv", tmp_path, slabs)[-1]
    assert last[1]["frames"] == 4 and last[1]["truncated"] == ""
    assert "jump.mkv: its clock jumps from 0.04 s to 500000000.00 s" in last[1]["told"][0]


def test_a_video_in_the_store_is_not_decoded(tmp_path: Path, slabs: Slabs) -> None:
    write_video(tmp_path / "clip.mp4")
    digest = hash_video(tmp_path / "clip.mp4")
    store = FeatureStore(tmp_path, FeatureSpec(fps=5.0, image_fps=25.0, backbone={"feature_dim": 3}))
    with store.writer(digest) as writer:
        writer.append(np.ones((1, 3)), [0.0])
        writer.commit()
    assert run(tmp_path / "clip.mp4", store.folder, slabs) == [(HASH, {"hash": digest, "have": True})]
    path = store.path_of(digest)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (first, *frames) = run(tmp_path / "clip.mp4", store.folder, slabs)
    damaged = {"hash": digest, "have": False, "damage": "its checksum is not that of its bytes"}
    assert first[1] == damaged and len(frames) > 1, "what is damaged is made anew"


def test_it_shows_that_it_lives_while_nothing_is_sampled(tmp_path: Path, slabs: Slabs) -> None:
    write_video(tmp_path / "clip.mp4", frames=20, fps=10)
    out = io.BytesIO()
    decode_worker.decode({**job(tmp_path / "clip.mp4", tmp_path, slabs), "beat_seconds": -1.0}, Outlet(out))
    kinds = [kind for kind, _ in messages(out.getvalue())]
    assert kinds[0] == BEAT, "while hashing"
    assert kinds.count(BEAT) == 21, "and at every decoded frame"
    assert kinds.count(FRAMES) == 3


@pytest.mark.parametrize(
    "make", [lambda p: None, lambda p: p.touch(), os.mkfifo], ids=["no", "empty", "pipe"]
)
def test_what_is_no_file_is_not_waited_for(make: Any, tmp_path: Path, slabs: Slabs) -> None:
    make(tmp_path / "clip.mp4")
    with pytest.raises(VideoError):
        run(tmp_path / "clip.mp4", tmp_path, slabs)


def test_a_worker_imports_nothing_heavy_and_ends_with_its_input() -> None:
    code = (
        "import sys, vidlstm.features.decode_worker as w\n"
        f"print({HEAVY!r} & set(sys.modules), file=sys.stderr)\n"
        "w.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], input=b"", capture_output=True, check=True)
    assert done.stderr.decode().strip() == "set()"
    assert done.stdout == b""
