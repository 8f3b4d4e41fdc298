"""Frames of several videos to batches of one shape, with what happened beside them, in its order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidlstm.features.decode_pool import Decoded
from vidlstm.features.engines import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np

    from vidlstm.features.decode_pool import Event
    from vidlstm.features.engines import News


@dataclass(frozen=True, eq=False)
class Packed:
    """What happened, and the frames among it.

    Attributes:
        news: see :class:`~vidlstm.features.engines.Piece`.
        batch: ``(B, H, W, C)`` uint8, of which the first ``rows`` are frames.
        rows: as many as there are in ``news``.
    """

    news: list[News]
    batch: np.ndarray
    rows: int


def packed(events: Iterable[Event], new_batch: Callable[[], np.ndarray]) -> Iterator[Packed]:
    """Full batches, and one that is not at the end; news that no frame has come before, at once."""
    batch, rows = new_batch(), 0
    news: list[News] = []
    for event in events:
        if isinstance(event, Decoded):
            batch[rows] = event.image
            rows += 1
            news.append(Row(event.job, event.timestamp_seconds))
        else:
            news.append(event)
        if rows in (0, len(batch)):
            yield Packed(news, batch, rows)
            batch, rows, news = (new_batch() if rows else batch), 0, []
    if news:
        yield Packed(news, batch, rows)
