"""A decode process: paths in on its standard input, frames out in shared memory, word of them on its output.

A process of its own, because a damaged file may crash or hang a decoder, and neither may take the run
with it. It never imports torch. Frames go where the process that started it reads them (``slabs.py``), a slab
of them with one message, so that they cost that process nothing.

Every message is a fixed head (kind, size of the JSON text) and the text.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import struct
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from vidlstm.addresses import address, is_remote
from vidlstm.errors import VideoError, VidlstmError
from vidlstm.features.crops import CountedFrames, Crops
from vidlstm.features.features_file import look_at, place_of
from vidlstm.features.remote_videos import at_hand, known_hash
from vidlstm.features.slabs import Slabs
from vidlstm.structures import FrameSize, VideoInfo
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler
from vidlstm.video.views import with_views

if TYPE_CHECKING:
    import numpy as np

HEAD = struct.Struct("<BI")
HASH, FRAMES, END, FAILED, BEAT, OPENED = range(6)

LOOK_SECONDS = 0.005
"""How often a process looks whether a slab has become free; the parent has others to go on with meanwhile."""

SHORT = "it has fewer frames than the tracks say; track it again"

NICENESS = 5
"""Decoders give way to the backbone: it takes whole batches, they fill the rest, and neither interrupts the
other often. Alike, they cost each other a tenth of the time in cold caches."""


class Outlet:
    """The stream of messages.

    Attributes:
        beat_seconds: how long nothing may have been said before a beat is.
    """

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.beat_seconds = 1.0
        self._slabs: Slabs | None = None
        self._sent = time.monotonic()

    def send(self, kind: int, text: dict[str, Any]) -> None:
        """Writes one message."""
        encoded = json.dumps(text).encode()
        self._out.write(HEAD.pack(kind, len(encoded)) + encoded)
        self._out.flush()
        self._sent = time.monotonic()

    def slabs_of(self, job: dict[str, Any]) -> Slabs:
        """Where pictures are put; in most jobs it is where they were put before."""
        if self._slabs is None or self._slabs.described != job["slabs"]:
            self._slabs = Slabs.of(job["slabs"])
        return self._slabs

    def beat(self) -> None:
        """Says now and then that work goes on, where nothing else is to be said for a while."""
        if time.monotonic() - self._sent > self.beat_seconds:
            self.send(BEAT, {})


class Shelf:
    """Where the pictures of one video are put.

    Args:
        outlet: takes word of them.
        slabs: for them.
        slab, row: the place of the first.
    """

    def __init__(self, outlet: Outlet, slabs: Slabs, slab: int, row: int) -> None:
        self._outlet, self._slabs, self._slab, self._row = outlet, slabs, slab, row
        self._seconds: list[float] = []

    def put(self, seconds: float, picture: np.ndarray) -> None:
        """Puts a picture ``(H, W, C)`` after the last one; waits where all slabs are to be read yet."""
        if not self._row:
            while not self._slabs.is_free(self._slab):
                self._outlet.beat()
                time.sleep(LOOK_SECONDS)
        self._slabs[self._slab][self._row] = picture
        self._seconds.append(seconds)
        self._row += 1
        if self._row == self._slabs.rows:
            self._slabs.finish(self._slab)
            self.tell()
            self._slab, self._row = (self._slab + 1) % self._slabs.count, 0

    def tell(self) -> None:
        """Says what was put since it was said last."""
        if self._seconds:
            self._outlet.send(FRAMES, {"t": self._seconds})
            self._seconds = []


def decode(job: dict[str, Any], outlet: Outlet) -> None:
    """Decodes one video: its hash, then the sampled frames or what is cut out of them, then how it ended.

    Only the hash is sent where the store holds its features already. A video in a bucket is downloaded first,
    but for one that the store knows and has the features of. A job that brings the hash knows of no features.
    """
    outlet.beat_seconds = job.get("beat_seconds", outlet.beat_seconds)
    path, root = Path(job["path"]), Path(job["folder"]).parent
    crops = Crops.from_job(job["crops"]) if job.get("crops") else None
    if known := job.get("hash"):
        outlet.send(HASH, {**known, "have": False})
        _decode(path, crops, job, outlet)
        return
    video_hash = known_hash(path, root) if is_remote(path) else ""
    if video_hash and _tell_hash(video_hash, crops, job, outlet, only_if_there=True):
        return
    kept = Path(job["copies"]) if job.get("copies") else None
    with at_hand(path, root, kept=kept, beat=outlet.beat) as (file, video_hash):
        if not _tell_hash(video_hash, crops, job, outlet):
            _decode(file, crops, job, outlet)


def _tell_hash(
    video_hash: str, crops: Crops | None, job: dict[str, Any], outlet: Outlet, *, only_if_there: bool = False
) -> bool:
    """Sends the hash that features lie under, and whether they do; returns that."""
    key = crops.key_of(video_hash) if crops else video_hash
    look = look_at(place_of(job["folder"], key))
    if look.have or not only_if_there:
        more = {name: text for name in ("truncated", "damage") if (text := getattr(look, name))}
        outlet.send(HASH, {"hash": key, "have": look.have, **more})
    return look.have


def _decode(path: Path, crops: Crops | None, job: dict[str, Any], outlet: Outlet) -> None:
    """Sends the pictures of a file, and how it ended."""
    size = FrameSize(*job["size"])
    sampler = CountedFrames(crops) if crops else SteadySampler(job["fps"])

    def wanted(timestamp_seconds: float) -> bool:
        outlet.beat()
        return sampler(timestamp_seconds)

    whole = None if crops else size
    with (
        warnings.catch_warnings(record=True, action="always") as told,
        open_video(
            path, decoder=job["decoder"], size=whole, wanted=wanted, image_fps=job["image_fps"]
        ) as reader,
    ):
        boxes = sum(map(len, crops.boxes.values())) if crops else 0
        expected = boxes or expected_pictures(reader.info, job["fps"])
        outlet.send(OPENED, {"expected": expected})
        pictures = (
            crops.cut_from(reader, job["views"], size)
            if crops
            else ((frame.timestamp_seconds, shown) for frame, shown in with_views(reader, job["views"]))
        )
        shelf = Shelf(outlet, outlet.slabs_of(job), *job["place"])
        for seconds, picture in pictures:
            shelf.put(seconds, picture)
        shelf.tell()
        if crops and reader.decoded_frames <= crops.last_frame:
            raise VideoError(path, reason="unreadable", frame=reader.decoded_frames, detail=SHORT)
        ended = {"frames": reader.decoded_frames, "truncated": reader.truncated}
        words = [str(warning.message).replace(str(path), address(job["path"])) for warning in told]
        outlet.send(END, {**ended, "told": words})


def expected_pictures(info: VideoInfo, fps: float) -> int:
    """How many pictures at a rate a header leads one to expect; 0 where it does not say, or nonsense."""
    frames, seconds = info.claimed_frames or 0, info.claimed_duration_seconds or 0.0
    seconds = seconds or frames / (info.claimed_fps or math.inf)
    wanted = math.ceil(seconds * fps) if 0 < seconds * fps < 1e12 else 0
    return min(wanted, frames) if frames > 0 else wanted


def serve(outlet: Outlet) -> None:
    """Does jobs, one JSON line each, until standard input closes."""
    for line in sys.stdin.buffer:
        job = json.loads(line)
        try:
            decode(job, outlet)
        except VideoError as error:
            outlet.send(FAILED, {"reason": error.reason, "detail": error.detail, "frame": error.frame})
        except BrokenPipeError:
            raise
        except (VidlstmError, OSError) as error:
            outlet.send(FAILED, {"reason": "unreadable", "detail": str(error), "frame": 0})


def end_with_parent(check_seconds: float = 1.0) -> None:
    """Ends this process when the one that started it is gone, even from within a decoder that hangs."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(check_seconds)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Serves as a process of its own."""
    # An interrupt from the keyboard goes to the whole group; the parent ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    end_with_parent()
    # A decoder that prints must not break the stream of messages.
    out = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):  # nobody is left to hear of it
        serve(Outlet(out))
    os._exit(0)


if __name__ == "__main__":
    main()
