"""The parent's end of a decode process: starts it, hands it jobs, reads its messages, ends it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import vidlstm
from vidlstm.features.decode_worker import HEAD

COMMAND = ["-P", "-m", "vidlstm.features.decode_worker"]
"""``-P``: a file such as ``json.py`` in the working directory is not imported."""

MOST_TEXT = 1 << 26
"""Bytes of a message; the largest of ours are the times of 4096 frames, and what a reader has to tell."""


class DecodeProcess:
    """One decode process and the pipes to it. It is started by its first job, and again after it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting_since: float | None = None
        self._killed_because = ""

    @property
    def is_fresh(self) -> bool:
        """Whether the next job will be the first of a new process."""
        return self._process is None or self._process.poll() is not None

    def start(self, job: dict[str, Any]) -> None:
        """Hands over a job.

        Raises:
            BrokenPipeError: the process died meanwhile.
        """
        if self.is_fresh:
            self.close()
            self._killed_because = ""
            self._process = subprocess.Popen(
                [sys.executable, *COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=1 << 16,
                env=_environment(),
            )
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()

    def receive(self) -> tuple[int, dict[str, Any]]:
        """Waits for one message: its kind and its text.

        Raises:
            EOFError: the process died, or says what is none of ours.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = self._process.stdout
        self._waiting_since = time.monotonic()
        kind, text_bytes = HEAD.unpack(_read(pipe, HEAD.size))
        try:
            if text_bytes > MOST_TEXT:
                raise ValueError(f"a message of {text_bytes} bytes")
            text = json.loads(_read(pipe, text_bytes))
        except (ValueError, RecursionError) as error:  # what speaks is not our code any more
            self.kill()
            raise EOFError from error
        self._waiting_since = None
        return kind, text

    def waited_seconds(self) -> float:
        """How long the message waited for now has been waited for."""
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def kill(self, because: str = "") -> None:
        """Ends the process, whatever it is doing."""
        process = self._process
        if process is not None and process.poll() is None:
            self._killed_because = because
            process.kill()
            process.wait()

    def close(self) -> None:
        """Ends the process and closes the pipes."""
        self.kill()
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                with contextlib.suppress(BrokenPipeError):  # of a job that it died before
                    pipe.close()

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


def _environment() -> dict[str, str]:
    # The child finds the packages that the parent found, also on a path extended by hand. An empty place is
    # the working directory, where the child does not look; the parent may have found vidlstm there.
    places = [place for place in sys.path if isinstance(place, str) and place]
    own = str(Path(vidlstm.__file__).parents[1])
    path = os.pathsep.join(places if own in places else [own, *places])
    # A decoder multiplies no matrices: threads for that would be half of what its start costs.
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
