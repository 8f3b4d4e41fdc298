"""Several extractions share videos by their length, and give one extraction's store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.videos import write_video
from tests.features import tiny
from vidlstm.cli.main import main
from vidlstm.errors import SettingsError
from vidlstm.features import shards
from vidlstm.features.shards import parse_shard, seconds_of, shard_of


@given(st.lists(st.floats(0, 1e5), max_size=40), st.integers(1, 9))
@settings(max_examples=50)
def test_each_video_is_in_one_shard_and_none_is_overladen(lengths: list[float], of: int) -> None:
    videos = [Path(f"{i}.mp4") for i in range(len(lengths))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "seconds_of", lambda video, _: lengths[int(video.stem)])
        parts = [shard_of(videos, number, of, image_fps=25) for number in range(1, of + 1)]
        assert parts[0] == shard_of(videos[::-1] * 2, 1, of, image_fps=25)  # however they are listed
    assert sorted(video for part in parts for video in part) == sorted(videos)
    loads = [sum(lengths[int(video.stem)] for video in part) for part in parts]
    # Of the best that could be: the mean, or the longest alone; see the theorem that shard_of cites.
    assert max(loads, default=0) <= sum(lengths) / of + max(lengths, default=0) + 0.1


def test_a_length_is_the_header_s(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", frames=30, height=48, width=64, fps=20)
    assert seconds_of(tmp_path / "a.mp4", 25) == pytest.approx(1.5, abs=0.1)
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    assert seconds_of(tmp_path / "broken.mp4", 25) == seconds_of(tmp_path / "none.mp4", 25) == 0


def test_shards_give_the_store_of_one_extraction_byte_for_byte(tmp_path: Path) -> None:
    clips = tiny.make_clips(tmp_path / "clips", 5)
    tiny.extract(clips, tmp_path / "whole", workers=1)
    taken: list[Path] = []
    for number in (1, 2, 3):
        mine = shard_of(clips, number, 3, image_fps=25)
        tiny.extract(mine, tmp_path / "shared", workers=1)
        taken += mine
    assert sorted(taken) == sorted(clips)
    assert tiny.files_of(tmp_path / "shared") == tiny.files_of(tmp_path / "whole")


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/b", "1/1000000", "-1/2"])
def test_what_is_no_shard_is_refused(text: str, tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(SettingsError, match="1/16"):
        parse_shard(text)
    video = tmp_path / "a.mp4"
    video.touch()
    if not text.startswith("-"):
        assert main(["extract", str(video), "--shard", text, "--store", str(tmp_path / "store")]) == 2
        assert "--shard" in capsys.readouterr().err
