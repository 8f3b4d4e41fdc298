"""Batches made of several pieces, as for a GPU: the same store, whoever is slow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.features import tiny
from vidlstm.features import local_engine
from vidlstm.features.decode_pool import Part, Row
from vidlstm.features.lanes import Lanes


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Lanes of this processor whose batches of 24 frames are three pieces of 8; takes down how they came."""
    plain, seen = Lanes.__init__, list[tuple[int, ...]]()

    def three(self: Lanes, *given: Any, **more: Any) -> None:
        plain(self, *given, **more)
        self.rows, self.pieces, submit = 8, 3, self.submit

        def noted(pieces: Any, count: int) -> Any:
            seen.append((*map(len, pieces), count))
            return submit(pieces, count)

        self.submit = noted  # type: ignore[method-assign]

    monkeypatch.setattr(Lanes, "__init__", three)
    return seen


@pytest.mark.parametrize("workers", [1, 3])
def test_pieces_of_several_decoders_give_the_same_store(
    workers: int, in_pieces: list[tuple[int, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = tiny.make_clips(tmp_path / "clips", 8, frames=(20, 60))
    report = tiny.extract(clips, tmp_path / "mine", batch_size=24, workers=workers)
    assert max(len(pieces) for pieces in in_pieces) == 4, "three pieces and their count"
    assert sum(pieces[-1] for pieces in in_pieces) == report.features
    monkeypatch.undo()
    tiny.extract(clips, tmp_path / "plain")
    assert tiny.files_of(tmp_path / "mine") == tiny.files_of(tmp_path / "plain")


@pytest.mark.usefixtures("in_pieces")
def test_a_batch_is_not_waited_for_that_nobody_can_fill() -> None:
    """A decoder that has filled all its slabs waits for one to be given back."""
    given_back = threading.Event()

    def parts() -> Iterator[Part | None]:
        frames = np.zeros((8, 32, 32, 3), np.uint8)
        yield Part([Row(0, second) for second in range(8)], frames, 8, given_back.set)
        for _ in range(1000):
            if given_back.wait(0.01):
                return
            yield None  # nothing has come for a while
        raise AssertionError("it is waited for")

    with closing(Lanes(tiny.tiny_backbone(), 24)) as lanes:
        (piece,) = local_engine._run(parts(), lanes)
    assert piece.features.shape == (8, tiny.WIDTH)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_gives_features_in_the_order_of_the_frames() -> None:
    backbone = tiny.tiny_backbone(device="cuda")
    frames = np.random.default_rng(0).integers(0, 256, (30, 64, 32, 32, 3), dtype=np.uint8)
    with closing(Lanes(backbone, 64)) as lanes:
        assert (lanes.rows, lanes.pieces) == (32, 2)
        lanes.reads(frames)
        futures = [lanes.submit([batch[:32], batch[32:]], 60) for batch in frames]
        found = [future.result() for future in futures]
    plain = tiny.tiny_backbone()
    for batch, features in zip(frames, found, strict=True):
        wanted = plain(torch.from_numpy(batch[:60])).numpy()
        np.testing.assert_allclose(features, wanted, rtol=2e-2, atol=2e-3)
