"""What runs on the machines of a Ray cluster: hashing, decoding, the backbone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.errors import StoreError, VideoError, VidlstmError, side_by_side
from vidlstm.features.decode_pool import DecodePool
from vidlstm.features.engines import Piece
from vidlstm.features.lanes import Lanes
from vidlstm.ray_cluster import go_to
from vidlstm.video.hashing import hash_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from vidlstm.backbones.base import Backbone
    from vidlstm.features.crops import Crops
    from vidlstm.features.decode_pool import News


@dataclass(frozen=True, eq=False)
class Packed:
    """What happened, and the frames among it.

    Attributes:
        news: see :class:`~vidlstm.features.engines.Piece`.
        frames: ``(N, H, W, C)`` uint8, of each row in ``news``.
    """

    news: list[News]
    frames: np.ndarray


def hashes_of(
    paths: Sequence[Path], crops: Sequence[Crops | None], timeout_seconds: float, folder: Path
) -> list[str | VideoError]:
    """The hash under which the features of each video are stored, or why it has none.

    Args:
        paths: the videos.
        crops: what is cut out of each.
        timeout_seconds: see :func:`~vidlstm.video.hashing.hash_within`.
        folder: where names begin that are not whole.
    """
    go_to(folder)

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
    jobs: Sequence[int], paths: Sequence[Path], batch: int, folder: Path, how: dict[str, Any]
) -> Iterator[Packed]:
    """Packed batches of some videos; the same, whenever it is asked for them.

    Args:
        jobs: the number of each video.
        paths: the videos.
        batch: how many frames a full one has.
        folder: where names begin that are not whole.
        how: further arguments of :class:`DecodePool`.
    """
    go_to(folder)
    with DecodePool(paths, folder=Path(), workers=1, rows=batch, ahead=1, jobs=jobs, **how) as pool:
        for part in filter(None, pool):
            packed = Packed(part.news, part.frames[: part.rows].copy())
            part.give_back()
            yield packed


class BackboneActor:
    """Runs batches on one machine, or on one GPU of it.

    Args:
        build: makes the backbone; is given the ``device``.
        device: cpu or cuda.
        spec: what the backbone must be.
        batch_size: frames per forward pass.
        threads: on a CPU.
        folder: where names begin that are not whole.

    Raises:
        StoreError: it is another one.
    """

    def __init__(
        self,
        build: Callable[..., Backbone],
        device: str,
        spec: dict[str, Any],
        batch_size: int,
        threads: int,
        folder: Path,
    ) -> None:
        go_to(folder)
        backbone = build(device=device)
        if backbone.spec != spec:
            raise StoreError(
                "a machine of the cluster makes another backbone than this one, which asked:\n"
                f"{side_by_side(spec, backbone.spec)}"
            )
        self._lanes = Lanes(backbone, batch_size, threads=threads)

    def run(self, part: Packed) -> Piece:
        """The features of a batch."""
        count = len(part.frames)
        if not count:
            return Piece(part.news)
        batch = self._lanes.new_batch()
        batch[:count] = part.frames
        return Piece(part.news, self._lanes.submit([batch], count).result())
