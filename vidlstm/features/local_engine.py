"""The engine of one machine: decode processes fill one queue, lanes run the batches.

Frames of all videos share batches, which always have one shape (the last is padded), so that features do not
depend on what else was in the batch.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from vidlstm.backbones.cpu import available_cores
from vidlstm.features.decode_pool import DecodePool
from vidlstm.features.engines import Piece
from vidlstm.features.lanes import Lanes
from vidlstm.features.packing import packed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from concurrent.futures import Future

    import numpy as np

    from vidlstm.features.decode_pool import Event
    from vidlstm.features.engines import Extraction, News

MOST_WORKERS = 16
"""A frame costs this process a tenth of a millisecond, so more than this could not be served; each takes
some 100 MB."""


def default_workers() -> int:
    """One decode process per core this process may use, at most ``MOST_WORKERS``."""
    return min(MOST_WORKERS, available_cores())


class LocalEngine:
    """Decode processes and lanes on this machine."""

    def pieces(self, extraction: Extraction) -> Generator[Piece]:
        """See :class:`~vidlstm.features.engines.Engine`."""
        lanes = Lanes(extraction.backbone, extraction.batch_size)
        try:
            with _pool_of(extraction, extraction.workers or default_workers()) as pool:
                yield from _run(pool, lanes)
        finally:
            lanes.close()


def _pool_of(extraction: Extraction, workers: int) -> DecodePool:
    backbone, store = extraction.backbone, extraction.store
    return DecodePool(
        extraction.paths,
        folder=store.folder,
        size=backbone.size,
        views=backbone.views,
        fps=store.spec.fps,
        decoder=extraction.decoder,
        image_fps=store.spec.image_fps,
        workers=workers,
        timeout_seconds=extraction.timeout_seconds,
        queue_size=2 * extraction.batch_size,
        crops=extraction.crops,
        copies=extraction.copies,
    )


def _run(events: Iterable[Event], lanes: Lanes) -> Generator[Piece]:
    # Batches under way, oldest first: features are told of in the order of the frames.
    under_way: deque[tuple[list[News], Future[np.ndarray]]] = deque()
    for part in packed(events, lanes.new_batch):
        if part.rows:
            under_way.append((part.news, lanes.submit(part.batch, part.rows)))
        elif under_way:
            under_way[-1][0].extend(part.news)
        else:
            yield Piece(part.news)
        while under_way and (len(under_way) >= lanes.most_under_way or under_way[0][1].done()):
            yield _oldest(under_way)
    while under_way:
        yield _oldest(under_way)


def _oldest(under_way: deque[tuple[list[News], Future[np.ndarray]]]) -> Piece:
    news, future = under_way.popleft()
    return Piece(news, future.result())
