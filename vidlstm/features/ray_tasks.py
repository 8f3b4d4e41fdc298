"""What runs on the machines of a Ray cluster: hashing, decoding, the backbone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.errors import StoreError, VideoError, VidlstmError, side_by_side
from vidlstm.features.decode_pool import DecodePool
from vidlstm.features.engines import Piece
from vidlstm.features.lanes import Lanes
from vidlstm.features.packing import packed
from vidlstm.video.hashing import hash_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.features.crops import Crops
    from vidlstm.features.decode_pool import Event
    from vidlstm.features.packing import Packed


def hashes_of(
    paths: Sequence[Path], crops: Sequence[Crops | None], timeout_seconds: float
) -> list[str | VideoError]:
    """The hash under which the features of each video are stored, or why it has none."""

    def one(path: Path, cut: Crops | None) -> str | VideoError:
        try:
            video_hash = hash_within(path, timeout_seconds)
        except VideoError as error:
            return error
        except (VidlstmError, OSError) as error:
            return VideoError(path, reason="unreadable", detail=str(error))
        return cut.key_of(video_hash) if cut else video_hash

    return [one(*given) for given in zip(paths, crops, strict=True)]


def decode(
    jobs: Sequence[int], paths: Sequence[Path], batch: tuple[int, ...], how: dict[str, Any]
) -> Iterator[Packed]:
    """Packed batches of some videos; the same, whenever it is asked for them.

    Args:
        jobs: the number of each video.
        paths: the videos.
        batch: the shape of a full one.
        how: further arguments of :class:`DecodePool`.
    """

    def numbered(pool: DecodePool) -> Iterator[Event]:
        for event in pool:
            yield replace(event, job=jobs[event.job])

    with DecodePool(paths, folder=Path(), workers=1, queue_size=2 * batch[0], **how) as pool:
        for part in packed(numbered(pool), lambda: np.zeros(batch, np.uint8)):
            yield replace(part, batch=part.batch[: part.rows])


class BackboneActor:
    """Runs batches on one machine, or on one GPU of it.

    Args:
        build: makes the backbone; is given the ``device``.
        device: cpu or cuda.
        spec: what the backbone must be.
        batch_size: frames per forward pass.
        threads: on a CPU.

    Raises:
        StoreError: it is another one.
    """

    def __init__(
        self, build: Callable[..., Backbone], device: str, spec: dict[str, Any], batch_size: int, threads: int
    ) -> None:
        backbone = build(device=device)
        if backbone.spec != spec:
            raise StoreError(
                "a machine of the cluster makes another backbone than this one, which asked:\n"
                f"{side_by_side(spec, backbone.spec)}"
            )
        self._lanes = Lanes(backbone, batch_size, threads=threads)

    def run(self, part: Packed) -> Piece:
        """The features of a batch."""
        if not part.rows:
            return Piece(part.news)
        batch = self._lanes.new_batch()
        batch[: part.rows] = part.batch
        return Piece(part.news, self._lanes.submit(batch, part.rows).result())
