"""Several decode processes feeding one bounded queue of events.

A process that dies or hangs costs its video and nothing else: it is replaced, and the next video goes on.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidlstm.addresses import is_remote
from vidlstm.features.decode_process import DecodeProcess
from vidlstm.features.decode_worker import END, FAILED, FRAME, HASH, OPENED
from vidlstm.features.remote_videos import copies_in
from vidlstm.files import clear_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import numpy as np

    from vidlstm.features.crops import Crops
    from vidlstm.structures import FrameSize


@dataclass(frozen=True, eq=False)
class Hashed:
    """A video's bytes were hashed; ``have`` when the store holds its features, and no frames will follow.

    Then ``truncated`` says why it ended early, if it did; else ``damage`` what is wrong with those it holds.
    """

    job: int
    video_hash: str
    have: bool
    truncated: str = ""
    damage: str = ""


@dataclass(frozen=True, eq=False)
class Opened:
    """A video was opened; ``expected`` is how many pictures its header promises, 0 where it does not say."""

    job: int
    expected: int


@dataclass(frozen=True, eq=False)
class Decoded:
    """One sampled frame, RGB uint8 ``(H, W, 3)``."""

    job: int
    timestamp_seconds: float
    image: np.ndarray


@dataclass(frozen=True, eq=False)
class Ended:
    """A video was read to its end: frames decoded, why it ended early if it did, and what is to be told."""

    job: int
    frames: int
    truncated: str
    told: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Failed:
    """A video failed; ``reason`` is a name in ``errors.VIDEO_FAILURES``."""

    job: int
    reason: str
    detail: str
    frame: int


Event = Hashed | Opened | Decoded | Ended | Failed


class DecodePool:
    """Decodes videos in worker processes; iterate over it for events.

    Events of one video come in order; those of different videos interleave.

    Args:
        paths: the videos; ``job`` in an event is the index here.
        folder: the store's folder for this fingerprint, to skip what is there.
        size: frames wanted.
        views: what is shown of each, see ``video/views.py``; three channels each.
        fps: features per second.
        decoder, image_fps: see ``SamplingSettings``.
        workers: processes; twice as many where videos are downloaded.
        timeout_seconds: longest wait for one message of a worker.
        queue_size: frames held ready; the workers wait when it is full.
        crops: of each video, what is given instead of frames at ``fps``.
        copies: keeps what is downloaded; None keeps nothing.
        hashes: of videos that are known already, with the ``damage`` of their features; they are not looked
            for in the folder.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        folder: Path,
        size: FrameSize,
        views: Sequence[str],
        fps: float,
        decoder: str,
        image_fps: float,
        workers: int,
        timeout_seconds: float,
        queue_size: int,
        crops: Mapping[Path, Crops] | None = None,
        copies: Path | None = None,
        hashes: Mapping[Path, Mapping[str, str]] | None = None,
    ) -> None:
        self._crops, self._hashes = crops or {}, hashes or {}
        self._settings = {
            "folder": str(_from_anywhere(folder)),
            "copies": copies and str(copies.absolute()),
            "size": [size.height, size.width, size.fit],
            "views": list(views),
            "fps": fps,
            "decoder": decoder,
            "image_fps": image_fps,
            "beat_seconds": min(1.0, timeout_seconds / 4),
        }
        self._shape = (size.height, size.width, 3 * len(views))
        self._paths = list(paths)
        self._jobs = iter(range(len(self._paths)))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._events: queue.Queue[Event | BaseException | None] = queue.Queue(maxsize=queue_size)
        self._timeout_seconds = timeout_seconds
        self._copies = copies_in(copies) if any(map(is_remote, self._paths)) else None
        workers *= 1 if self._copies is None else 2  # while one decodes, another downloads
        self._workers = [DecodeProcess() for _ in range(min(workers, max(1, len(self._paths))))]
        self._threads = [threading.Thread(target=self._serve, args=(w,), daemon=True) for w in self._workers]
        self._threads.append(threading.Thread(target=self._watch, daemon=True))

    def __enter__(self) -> DecodePool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        while any(thread.is_alive() for thread in self._threads):
            for worker in self._workers:  # again: a receiver may just have started one
                worker.kill()
            with contextlib.suppress(queue.Empty):  # a receiver may be waiting for room
                self._events.get(timeout=0.05)
        for worker in self._workers:
            worker.close()
        self._clear_copies()

    def __iter__(self) -> Iterator[Event]:
        running = len(self._workers)
        while running:
            event = self._events.get()
            if isinstance(event, BaseException):
                raise event
            if event is None:
                running -= 1
            else:
                yield event

    def _serve(self, worker: DecodeProcess) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    job = next(self._jobs, None)
                if job is None:
                    break
                self._run(worker, job)
            worker.kill()
            self._events.put(None)
        except BaseException as error:  # noqa: BLE001 handed to the reader of the events, who raises it
            self._events.put(error)

    def _run(self, worker: DecodeProcess, job: int) -> None:
        fresh = worker.is_fresh
        said, died_of = self._relay(worker, job)
        if died_of and not said and not fresh and not self._stop.is_set():
            # It died of something earlier, before it came to this video.
            said, died_of = self._relay(worker, job)
        if died_of and not self._stop.is_set():
            self._clear_copies()
            self._events.put(died_of)

    def _clear_copies(self) -> None:
        """Removes the copies of videos that processes left behind which were killed."""
        if self._copies is not None:
            clear_leftovers(self._copies)

    def _relay(self, worker: DecodeProcess, job: int) -> tuple[bool, Failed | None]:
        """Turns a worker's messages on one job into events.

        Returns:
            Whether it said anything, and of what it died, if it did.
        """
        said, frames = False, 0
        try:
            path = self._paths[job]
            own: dict[str, Any] = {"crops": self._crops[path].as_job()} if path in self._crops else {}
            if path in self._hashes:
                own["hash"] = self._hashes[path]
            worker.start({"path": str(_from_anywhere(path)), **self._settings, **own})
            while True:
                kind, text, image = worker.receive(self._shape)
                said = True
                if kind == HASH:
                    more = {name: text[name] for name in ("truncated", "damage") if name in text}
                    self._events.put(Hashed(job, text["hash"], text["have"], **more))
                elif kind == OPENED:
                    self._events.put(Opened(job, text["expected"]))
                elif kind == FRAME:
                    assert image is not None
                    frames += 1
                    self._events.put(Decoded(job, text["t"], image))
                elif kind == END:
                    self._events.put(Ended(job, text["frames"], text["truncated"], tuple(text["told"])))
                elif kind == FAILED:
                    self._events.put(Failed(job, text["reason"], text["detail"], text["frame"]))
                if kind in (END, FAILED) or text.get("have"):
                    return said, None
        except (EOFError, BrokenPipeError):
            return said, Failed(job, *worker.obituary(), frames)

    def _watch(self) -> None:
        while not self._stop.wait(0.2) and any(t.is_alive() for t in self._threads[:-1]):
            for worker in self._workers:
                if worker.waited_seconds() > self._timeout_seconds:
                    worker.kill(f"no frame for {self._timeout_seconds:g} s")


def _from_anywhere(path: Path) -> Path:
    """A path that means the same in another working directory."""
    return path if is_remote(path) else path.absolute()
