"""The contract of an engine: what decodes videos and runs the backbone, on this machine or on a cluster.

An engine turns videos into *pieces*: what became of them, and the features of their frames, in order. It
writes nothing; ``filing.py`` does, so that every engine leaves the same store, the same failures and the same
progress.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vidlstm.ray_cluster import check_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from vidlstm.backbones.base import Backbone
    from vidlstm.features.crops import Crops
    from vidlstm.features.decode_pool import News
    from vidlstm.features.store import FeatureStore


@dataclass(frozen=True)
class Extraction:
    """What is to be extracted; see :func:`~vidlstm.features.extract.extract_features`.

    Attributes:
        paths: videos, each once; the position of one in this list is its *job*.
        batch_size: frames per forward pass; a number, not 0.
    """

    paths: Sequence[Path]
    store: FeatureStore
    backbone: Backbone
    decoder: str = "auto"
    workers: int = 0
    timeout_seconds: float = 60.0
    batch_size: int = 32
    crops: Mapping[Path, Crops] = field(default_factory=dict)
    copies: Path | None = None


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of an extraction.

    Attributes:
        news: what happened; of each video, in its order.
        features: ``(rows, F)`` float16, of the rows among it; none where there are none.
    """

    news: list[News]
    features: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float16))


class Engine(Protocol):
    """Decodes, and runs the backbone."""

    def pieces(self, extraction: Extraction) -> Generator[Piece]:
        """What becomes of the videos; closed before its end, it ends what it has begun."""
        ...


def engine_named(name: str, *, address: str | None, build: Callable[..., Backbone]) -> Engine:
    """An engine.

    Args:
        name: one of ``ENGINES``.
        address: of a Ray cluster; None starts one on this machine.
        build: makes the backbone on another machine; is given the ``device``.

    Raises:
        SettingsError: see :func:`~vidlstm.ray_cluster.check_engine`.
    """
    check_engine(name, address)
    if name == "ray":
        from vidlstm.features.ray_engine import RayEngine

        return RayEngine(address, build)
    from vidlstm.features.local_engine import LocalEngine

    return LocalEngine()
