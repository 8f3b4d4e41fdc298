"""Damaged files end in frames or in a ``VideoError``: never in another error, a crash, or chatter."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.video.clips import make_clip

PLACES = 30

READ_ALL = """
import sys
from pathlib import Path
from vidlstm.errors import VideoError
from vidlstm.structures import FrameSize
from vidlstm.video.reader import open_video

for file in sorted(Path(sys.argv[1]).iterdir()):
    for decoder in ("auto", "opencv"):
        try:
            with open_video(file, decoder=decoder, size=FrameSize(16, 16)) as video:
                times = [frame.timestamp_seconds for frame in video]
            assert times == sorted(set(times)) and len(times) == video.decoded_frames > 0
            print(file.name, decoder, "truncated" if video.truncated else "read")
        except VideoError as error:
            print(file.name, decoder, error.reason)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_damage_at_many_places(suffix: str, tmp_path: Path) -> None:
    whole = make_clip(
        tmp_path / f"whole{suffix}", size=(48, 64), container_options={"movflags": "+faststart"}
    ).read_bytes()
    chance, folder = random.Random(0), tmp_path / "damaged"
    folder.mkdir()
    for place in range(PLACES):
        (folder / f"cut{place}{suffix}").write_bytes(whole[: chance.randrange(1, len(whole))])
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        flipped[chance.randrange(1000)] ^= 1 << chance.randrange(8)
        (folder / f"flip{place}{suffix}").write_bytes(flipped)
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(folder)],
        capture_output=True,
        text=True,
        timeout=600,  # far beyond what it takes: a reader that hangs must fail the test, not stop it
    )
    assert (done.returncode, done.stderr) == (0, "")
    outcomes = [line.split()[-1] for line in done.stdout.splitlines()]
    assert len(outcomes) == 4 * PLACES
    assert set(outcomes) <= {"read", "truncated", "unreadable", "empty", "no_video_stream"}
    assert {"read", "truncated"} <= set(outcomes) and {"unreadable", "empty"} & set(outcomes)
