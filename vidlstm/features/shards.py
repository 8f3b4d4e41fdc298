"""Which videos each of several extractions takes, without any of them knowing of the others.

A scheduler starts the same command with ``--shard 1/16`` to ``--shard 16/16``, on as many machines as it
likes, over one store.
"""

from __future__ import annotations

import heapq
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from vidlstm.addresses import is_remote
from vidlstm.errors import SettingsError, VideoError
from vidlstm.media import frames_in
from vidlstm.remote import status
from vidlstm.video.container import FAILURES, first_video_stream, open_container, read_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BYTES_PER_SECOND = 250_000
"""Of a video whose header does not say how long it is, or is in a bucket."""
READERS = 16
"""Headers that are read at a time; they wait for the disk more than for the processor."""
MOST = 100_000


def parse_shard(text: str) -> tuple[int, int]:
    """The number of a shard, from 1, and how many there are.

    >>> parse_shard("3/16")
    (3, 16)

    Raises:
        SettingsError: it is none.
    """
    found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text)
    number, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= of <= MOST:
        raise SettingsError(
            f"`shard {text}`: write it as 1/16 to 16/16, the number of this one and how many there are",
            setting="shard",
        )
    return number, of


def shard_of(videos: Sequence[Path], number: int, of: int, *, image_fps: float) -> list[Path]:
    """The videos of one of several shards; see :func:`shards_of`.

    Args:
        videos: all of them, with the same names everywhere.
        number: of the shard, from 1.
        of: how many there are.
        image_fps: the rate of folders of images.
    """
    return shards_of(videos, of, image_fps=image_fps)[number - 1]


def shards_of(videos: Sequence[Path], of: int, *, image_fps: float) -> list[list[Path]]:
    """All shards: each video is in one of them, and all take about equally many seconds of video.

    The longest go first, each to the shard that has least so far (Graham, "Bounds on Multiprocessing Timing
    Anomalies", 1969: at most 4/3 of the best). The same files give the same shards on every machine.

    Args:
        videos, of, image_fps: see :func:`shard_of`.
    """
    unique = sorted(dict.fromkeys(videos))
    with ThreadPoolExecutor(READERS) as pool:
        seconds = list(pool.map(lambda video: seconds_of(video, image_fps), unique))
    longest_first = sorted(range(len(unique)), key=lambda i: (-seconds[i], i))
    loads, shards = [(0.0, shard) for shard in range(of)], [set[int]() for _ in range(of)]
    for i in longest_first:
        load, least = loads[0]
        heapq.heapreplace(loads, (load + seconds[i] + 1e-3, least))  # those of unknown length are spread, too
        shards[least].add(i)
    return [[unique[i] for i in sorted(shard)] for shard in shards]


def seconds_of(video: Path, image_fps: float) -> float:
    """How long a video is by its header; where that does not say, and in a bucket, by its size; 0 if none."""
    try:
        if is_remote(video):
            found = status(video)
            return found.size / BYTES_PER_SECOND if found else 0.0
        if video.is_dir():
            return len(frames_in(video)[0]) / image_fps
        with open_container(video) as container:
            claimed = read_header(container, first_video_stream(container, video)).duration_seconds
    except (VideoError, *FAILURES):
        return 0.0
    return claimed if claimed and claimed > 0 else video.stat().st_size / BYTES_PER_SECOND
