"""Several decode processes feeding one bounded queue of what became of videos, and of their frames.

A process that dies or hangs costs its video and nothing else: it is replaced, and the next video goes on.
"""

from __future__ import annotations

import contextlib
import queue
import string
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from vidlstm.addresses import is_remote
from vidlstm.errors import VIDEO_FAILURES
from vidlstm.features.decode_process import DecodeProcess
from vidlstm.features.decode_worker import END, FAILED, FRAMES, HASH, OPENED
from vidlstm.features.remote_videos import copies_in
from vidlstm.features.slabs import Slabs
from vidlstm.files import clear_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import numpy as np

    from vidlstm.features.crops import Crops
    from vidlstm.structures import FrameSize


MOST_WAITING = 256
"""Parts, most of which are news alone where videos are in the store already."""

PAUSE_SECONDS = 0.05


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


class Row(NamedTuple):
    """A sampled frame."""

    job: int
    timestamp_seconds: float


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


News = Row | Hashed | Opened | Ended | Failed


@dataclass(frozen=True, eq=False)
class Part:
    """What happened, and the frames among it.

    Attributes:
        news: of each video, in its order.
        frames: ``(N, H, W, C)`` uint8, RGB for each view, of which the first ``rows`` are those in ``news``.
        rows: so many.
        give_back: to be called when the frames have been read; they may be others afterwards. Any thread may.
    """

    news: list[News]
    frames: np.ndarray
    rows: int
    give_back: Callable[[], object]


@dataclass(eq=False)
class _Filling:
    """The slabs of one process, and what has happened since it began the present one."""

    slabs: Slabs
    slab: int = 0
    row: int = 0
    news: list[News] = field(default_factory=list)

    def cut(self) -> Part:
        """What is there; the process goes on in the next slab."""
        give_back = self.slabs.lend(self.slab) if self.row else lambda: None
        part = Part(self.news, self.slabs[self.slab], self.row, give_back)
        self.slab, self.row, self.news = (self.slab + bool(self.row)) % self.slabs.count, 0, []
        return part


class DecodePool:
    """Decodes videos in worker processes; iterate over it for parts, and None when none has come for a while.

    News of one video come in order; those of different videos interleave. A part ends with the last frame
    that its slab takes, and what has happened before any frame comes at once.

    Args:
        paths: the videos; ``job`` in the news is the index here.
        folder: the store's folder for this fingerprint, to skip what is there.
        size: frames wanted.
        views: what is shown of each, see ``video/views.py``; three channels each.
        fps: features per second.
        decoder, image_fps: see ``SamplingSettings``.
        workers: processes; twice as many where videos are downloaded.
        timeout_seconds: longest wait for one message of a worker.
        rows: frames of a part, where it is full.
        ahead: parts that may be read at the same time, of all workers together; each may have one more ready
            and one begun, then it waits.
        crops: of each video, what is given instead of frames at ``fps``.
        copies: keeps what is downloaded; None keeps nothing.
        hashes: of videos that are known already, with the ``damage`` of their features; they are not looked
            for in the folder.
        jobs: what the videos are called in the news, instead of their index.
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
        rows: int,
        ahead: int,
        crops: Mapping[Path, Crops] | None = None,
        copies: Path | None = None,
        hashes: Mapping[Path, Mapping[str, str]] | None = None,
        jobs: Sequence[int] | None = None,
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
        self._paths = list(paths)
        self._names = list(jobs or range(len(self._paths)))
        self._jobs = iter(range(len(self._paths)))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._parts: queue.Queue[Part | BaseException | None] = queue.Queue(maxsize=MOST_WAITING)
        self._timeout_seconds = timeout_seconds
        self._copies = copies_in(copies) if any(map(is_remote, self._paths)) else None
        workers *= 1 if self._copies is None else 2  # while one decodes, another downloads
        workers = min(workers, max(1, len(self._paths)))
        shape = (rows, size.height, size.width, 3 * len(views))
        rings = Slabs.rings(workers, 2 + -(-ahead // workers), shape)
        self._fillings = [_Filling(slabs) for slabs in rings]
        self._workers = [DecodeProcess() for _ in range(workers)]
        both = zip(self._workers, self._fillings, strict=True)
        self._threads = [threading.Thread(target=self._serve, args=pair, daemon=True) for pair in both]
        self._threads.append(threading.Thread(target=self._watch, daemon=True))

    @property
    def memories(self) -> list[np.ndarray]:
        """The bytes that frames lie in."""
        return [filling.slabs.memory for filling in self._fillings]

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
                self._parts.get(timeout=0.05)
        for worker, filling in zip(self._workers, self._fillings, strict=True):
            worker.close()
            filling.slabs.close()
        self._clear_copies()

    def __iter__(self) -> Iterator[Part | None]:
        running = len(self._workers)
        while running:
            try:
                part = self._parts.get(timeout=PAUSE_SECONDS)
            except queue.Empty:
                yield None
                continue
            if isinstance(part, BaseException):
                raise part
            if part is None:
                running -= 1
            else:
                yield part

    def _serve(self, worker: DecodeProcess, filling: _Filling) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    job = next(self._jobs, None)
                if job is None:
                    break
                self._run(worker, filling, job)
            worker.kill()
            if filling.news:
                self._parts.put(filling.cut())
            self._parts.put(None)
        except BaseException as error:  # noqa: BLE001 handed to the reader of the parts, who raises it
            self._parts.put(error)

    def _run(self, worker: DecodeProcess, filling: _Filling, job: int) -> None:
        fresh = worker.is_fresh
        said, died_of = self._relay(worker, filling, job)
        if died_of and not said and not fresh and not self._stop.is_set():
            # It died of something earlier, before it came to this video.
            said, died_of = self._relay(worker, filling, job)
        if died_of and not self._stop.is_set():
            self._clear_copies()
            self._tell(filling, died_of)

    def _clear_copies(self) -> None:
        """Removes the copies of videos that processes left behind which were killed."""
        if self._copies is not None:
            clear_leftovers(self._copies)

    def _tell(self, filling: _Filling, *news: News) -> None:
        """Hands on what has happened, at once where no frame waits for its slab to be full."""
        filling.news += news
        if filling.row in (0, filling.slabs.rows):
            self._parts.put(filling.cut())

    def _relay(self, worker: DecodeProcess, filling: _Filling, job: int) -> tuple[bool, Failed | None]:
        """Turns a worker's messages on one job into parts.

        Returns:
            Whether it said anything, and of what it died, if it did.
        """
        said, frames, name = False, 0, self._names[job]
        place: dict[str, Any] = {"slabs": filling.slabs.described, "place": [filling.slab, filling.row]}
        try:
            path = self._paths[job]
            own: dict[str, Any] = {"crops": self._crops[path].as_job()} if path in self._crops else {}
            if path in self._hashes:
                own["hash"] = self._hashes[path]
            if worker.is_fresh:
                filling.slabs.renew()
            worker.start({"path": str(_from_anywhere(path)), **self._settings, **place, **own})
            hashed = False
            while True:
                kind, text = worker.receive()
                said = True
                try:
                    news = _news_of(name, kind, text)
                    if filling.row + (kind == FRAMES) * len(news) > filling.slabs.rows:
                        raise ValueError("frames without a place")
                    if hashed is (kind == HASH) and kind in (HASH, FRAMES, END):
                        raise ValueError("a hash comes once, and first")
                except (LookupError, TypeError, ValueError, OverflowError):
                    worker.kill()  # what speaks is not our code any more
                    return said, Failed(name, *worker.obituary(), frames)
                hashed = hashed or kind == HASH
                if kind == FRAMES:
                    frames, filling.row = frames + len(news), filling.row + len(news)
                self._tell(filling, *news)
                if kind in (END, FAILED) or (kind == HASH and text["have"]):
                    return said, None
        except (EOFError, BrokenPipeError):
            return said, Failed(name, *worker.obituary(), frames)

    def _watch(self) -> None:
        while not self._stop.wait(0.2) and any(t.is_alive() for t in self._threads[:-1]):
            for worker in self._workers:
                if worker.waited_seconds() > self._timeout_seconds:
                    worker.kill(f"no frame for {self._timeout_seconds:g} s")


def _news_of(job: int, kind: int, text: dict[str, Any]) -> list[News]:
    """What a message says; nothing where it says that work goes on.

    Raises:
        LookupError, TypeError, ValueError, OverflowError: it is none of ours.
    """
    if kind == HASH:
        if not set(text["hash"]) <= set(string.hexdigits):  # it becomes the name of a file
            raise ValueError(text["hash"])
        more = {key: str(text[key]) for key in ("truncated", "damage") if key in text}
        return [Hashed(job, text["hash"], bool(text["have"]), **more)]
    if kind == OPENED:
        return [Opened(job, int(text["expected"]))]
    if kind == FRAMES:
        return [Row(job, float(seconds)) for seconds in text["t"]]
    if kind == END:
        return [Ended(job, int(text["frames"]), str(text["truncated"]), tuple(map(str, text["told"])))]
    if kind == FAILED:
        VIDEO_FAILURES[text["reason"]]
        return [Failed(job, text["reason"], str(text["detail"]), int(text["frame"]))]
    return []


def _from_anywhere(path: Path) -> Path:
    """A path that means the same in another working directory."""
    return path if is_remote(path) else path.absolute()
