"""Finished files on their way into a bucket, a few at a time, while the next are made."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from vidlstm import remote

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

AT_ONCE = 8
MOST = 32
"""Files that wait; whoever brings one more waits with them."""


class Uploads:
    """What goes wrong with one is raised by a later call, at the latest by :meth:`settle`."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, "upload")
        self._under_way: deque[Future[None]] = deque()

    def put(self, file: Path, path: Path, done: Callable[[], None]) -> None:
        """Puts a file into its place in a bucket.

        Args:
            file: the file.
            path: its address.
            done: called when the file is of no more use.

        Raises:
            OSError: one that was put before cannot be written.
        """
        self._under_way.append(self._pool.submit(_put, file, path, done))
        while len(self._under_way) > MOST or (self._under_way and self._under_way[0].done()):
            self._under_way.popleft().result()

    def settle(self) -> None:
        """Waits until everything is in its place.

        Raises:
            OSError: a file cannot be written.
        """
        while self._under_way:
            self._under_way.popleft().result()


def _put(file: Path, path: Path, done: Callable[[], None]) -> None:
    try:
        remote.upload(file, path)
    finally:
        done()
