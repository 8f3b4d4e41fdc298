"""The engine of one machine: decode processes fill one queue, lanes run the batches.

Frames of all videos share batches, which always have one shape (the last is padded), so that features do not
depend on what else was in the batch.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING

from vidlstm.backbones.cpu import available_cores
from vidlstm.features.decode_pool import DecodePool
from vidlstm.features.engines import Piece
from vidlstm.features.lanes import Lanes

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from concurrent.futures import Future

    import numpy as np

    from vidlstm.features.decode_pool import News, Part
    from vidlstm.features.engines import Extraction

MOST_WORKERS = 16
"""Each takes some 100 MB, and its slabs."""


def default_workers() -> int:
    """One decode process per core this process may use, at most ``MOST_WORKERS``."""
    return min(MOST_WORKERS, available_cores())


class LocalEngine:
    """Decode processes and lanes on this machine."""

    def pieces(self, extraction: Extraction) -> Generator[Piece]:
        """See :class:`~vidlstm.features.engines.Engine`."""
        batch_size = extraction.batch_size
        with closing(Lanes(extraction.backbone, batch_size)) as lanes, _pool_of(extraction, lanes) as pool:
            for memory in pool.memories:
                lanes.reads(memory)
            yield from _run(pool, lanes)


def _pool_of(extraction: Extraction, lanes: Lanes) -> DecodePool:
    backbone, store = extraction.backbone, extraction.store
    return DecodePool(
        extraction.paths,
        folder=store.folder,
        size=backbone.size,
        views=backbone.views,
        fps=store.spec.fps,
        decoder=extraction.decoder,
        image_fps=store.spec.image_fps,
        workers=extraction.workers or default_workers(),
        timeout_seconds=extraction.timeout_seconds,
        rows=lanes.rows,
        ahead=lanes.pieces * lanes.most_under_way,
        crops=extraction.crops,
        copies=extraction.copies,
    )


class _UnderWay:
    """Batches under way, oldest first, and parts of the next one; pieces come in the order of their parts."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._batches: deque[tuple[list[News], Future[np.ndarray]]] = deque()
        self._parts: list[Part] = []

    def take(self, part: Part) -> Iterator[Piece]:
        """Begins with a part, or waits for further ones to fill a batch."""
        if part.rows:
            self._parts.append(part)
        elif self._parts:
            self._parts[-1].news.extend(part.news)
        elif self._batches:
            self._batches[-1][0].extend(part.news)
        else:
            yield Piece(part.news)
        if len(self._parts) == self._lanes.pieces:
            self.submit()

    def submit(self) -> None:
        """Runs the parts that are there."""
        parts, self._parts = self._parts, []
        if not parts:
            return

        def give_back(_: object) -> None:
            for part in parts:
                part.give_back()

        frames = [part.frames[: part.rows] for part in parts[:-1]] + [parts[-1].frames]
        future = self._lanes.submit(frames, sum(part.rows for part in parts))
        future.add_done_callback(give_back)
        self._batches.append(([news for part in parts for news in part.news], future))

    def done(self) -> Iterator[Piece]:
        """Pieces whose features are there; waits where enough is under way."""
        while self._batches and (self._is_enough or self._batches[0][1].done()):
            yield self._oldest()

    @property
    def _is_enough(self) -> bool:
        return len(self._batches) >= self._lanes.most_under_way

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs."""
        return not self._batches

    def all(self) -> Iterator[Piece]:
        """The rest."""
        self.submit()
        while self._batches:
            yield self._oldest()

    def _oldest(self) -> Piece:
        news, future = self._batches.popleft()
        return Piece(news, future.result())


def _run(parts: Iterable[Part | None], lanes: Lanes) -> Generator[Piece]:
    under_way = _UnderWay(lanes)
    for part in parts:
        if part:
            yield from under_way.take(part)
        yield from under_way.done()
        if not part and under_way.is_idle:
            under_way.submit()
    yield from under_way.all()
