"""Several decode processes feeding one bounded queue of events.

A process that dies or hangs costs its video and nothing else: it is replaced, and the next video goes on.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from vidlstm.features.decode_worker import END, FAILED, FRAME, HASH, HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from vidlstm.structures import FrameSize


@dataclass(frozen=True, eq=False)
class Hashed:
    """A video's bytes were hashed; ``have`` when the store holds its features, and no frames will follow."""

    job: int
    video_hash: str
    have: bool


@dataclass(frozen=True, eq=False)
class Decoded:
    """One sampled frame, RGB uint8 ``(H, W, 3)``."""

    job: int
    timestamp_seconds: float
    image: np.ndarray


@dataclass(frozen=True, eq=False)
class Ended:
    """A video was read to its end: how many frames decoded, and why it ended early if it did."""

    job: int
    frames: int
    truncated: str


@dataclass(frozen=True, eq=False)
class Failed:
    """A video failed; ``reason`` is a name in ``errors.VIDEO_FAILURES``."""

    job: int
    reason: str
    detail: str
    frame: int


Event = Hashed | Decoded | Ended | Failed


class DecodePool:
    """Decodes videos in worker processes; iterate over it for events.

    Events of one video come in order; those of different videos interleave.

    Args:
        paths: the videos; ``job`` in an event is the index here.
        folder: the store's folder for this fingerprint, to skip what is there.
        size: frames wanted.
        fps: features per second.
        decoder, image_fps: see ``SamplingSettings``.
        workers: processes.
        timeout_seconds: longest wait for one message of a worker.
        queue_size: frames held ready; the workers wait when it is full.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        folder: Path,
        size: FrameSize,
        fps: float,
        decoder: str,
        image_fps: float,
        workers: int,
        timeout_seconds: float,
        queue_size: int,
    ) -> None:
        self._settings = {
            "folder": str(folder.absolute()),
            "size": [size.height, size.width, size.fit],
            "fps": fps,
            "decoder": decoder,
            "image_fps": image_fps,
        }
        self._shape = (size.height, size.width, 3)
        self._paths = list(paths)
        self._jobs = iter(range(len(self._paths)))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._events: queue.Queue[Event | BaseException | None] = queue.Queue(maxsize=queue_size)
        self._timeout_seconds = timeout_seconds
        self._workers = [_Worker() for _ in range(min(workers, max(1, len(self._paths))))]
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
        for worker in self._workers:
            worker.kill()
        while any(thread.is_alive() for thread in self._threads):
            try:  # a receiver may be waiting for room
                self._events.get(timeout=0.05)
            except queue.Empty:
                continue

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

    def _serve(self, worker: _Worker) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    job = next(self._jobs, None)
                if job is None:
                    break
                self._run(worker, job)
            worker.kill()
            self._events.put(None)
        except BaseException as error:  # handed to the reader of the events, who raises it
            self._events.put(error)

    def _run(self, worker: _Worker, job: int) -> None:
        frames = 0
        try:
            worker.start({"path": str(self._paths[job].absolute()), **self._settings})
            while True:
                kind, text, raw = worker.receive(self._shape)
                if kind == HASH:
                    self._events.put(Hashed(job, text["hash"], text["have"]))
                    if text["have"]:
                        return
                elif kind == FRAME:
                    frames += 1
                    assert raw is not None
                    self._events.put(Decoded(job, text["t"], raw))
                elif kind == END:
                    return self._events.put(Ended(job, text["frames"], text["truncated"]))
                elif kind == FAILED:
                    return self._events.put(Failed(job, text["reason"], text["detail"], text["frame"]))
        except (EOFError, BrokenPipeError):
            if not self._stop.is_set():
                reason, detail = worker.obituary()
                self._events.put(Failed(job, reason, detail, frames))
                worker.kill()

    def _watch(self) -> None:
        while not self._stop.wait(0.2) and any(t.is_alive() for t in self._threads[:-1]):
            for worker in self._workers:
                if worker.waited_seconds() > self._timeout_seconds:
                    worker.kill(f"no frame for {self._timeout_seconds:g} s")


class _Worker:
    """One decode process and the pipes to it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting_since: float | None = None
        self._killed_because = ""

    def start(self, job: dict[str, Any]) -> None:
        if self._process is None or self._process.poll() is not None:
            self._killed_because = ""
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vidlstm.features.decode_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=1 << 16,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()

    def receive(self, shape: tuple[int, int, int]) -> tuple[int, dict[str, Any], np.ndarray | None]:
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = self._process.stdout
        self._waiting_since = time.monotonic()
        kind, text_bytes, raw_bytes = HEAD.unpack(_read(pipe, HEAD.size))
        text = json.loads(_read(pipe, text_bytes))
        image = None
        if raw_bytes:
            image = np.empty(shape, dtype=np.uint8)
            if raw_bytes != image.nbytes or pipe.readinto(image.reshape(-1)) != raw_bytes:  # type: ignore[attr-defined]
                raise EOFError
        self._waiting_since = None
        return kind, text, image

    def waited_seconds(self) -> float:
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def kill(self, because: str = "") -> None:
        process = self._process
        if process is not None and process.poll() is None:
            self._killed_because = because
            process.kill()
            process.wait()

    def obituary(self) -> tuple[str, str]:
        """The reason and the detail of a process that stopped answering."""
        self._waiting_since = None
        assert self._process is not None
        code = self._process.wait()
        if self._killed_because:
            return "timeout", self._killed_because
        return "crashed", f"exit status {code}"


def _read(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        raise EOFError
    return data
