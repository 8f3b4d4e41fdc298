"""Batches made of several pieces, as for a GPU: the same store, whoever is slow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.features import tiny
from vidlstm.features import cuda_batches, local_engine
from vidlstm.features.cuda_batches import CudaBatches
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


def test_frames_are_written_over_when_they_have_been_read() -> None:
    rng, given, taken = np.random.default_rng(0), list[np.ndarray](), list[np.ndarray]()

    def parts() -> Iterator[Part | None]:
        for number in range(20):
            frames = rng.integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
            given.append(frames.copy())
            yield Part([Row(number, second) for second in range(15)], frames, 15, partial(frames.fill, 0))
            taken.append(frames)

    backbone = tiny.tiny_backbone()
    with closing(Lanes(backbone, 16, threads=3)) as lanes:
        pieces = list(local_engine._run(parts(), lanes))
    assert [piece.news[0][0] for piece in pieces] == list(range(20)), "in the order of their frames"
    for piece, frames in zip(pieces, given, strict=True):
        assert np.array_equal(piece.features, backbone(torch.from_numpy(frames))[:15].half())
    assert not np.any(taken), "each was given back"


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


class PretendedCuda:
    """Notes what is asked of a GPU; what is queued is done at once, on this processor."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.device = nullcontext
        self.pinned: list[int] = []
        self.cudaError = SimpleNamespace(success=0)

    def cudart(self) -> PretendedCuda:
        return self

    def cudaHostRegister(self, address: int, size: int, flags: int) -> int:
        self.pinned.append(address)
        return 0

    def cudaHostUnregister(self, address: int) -> None:
        self.pinned.remove(address)

    def Stream(self) -> str:
        return "copies"

    def current_stream(self) -> Any:
        return SimpleNamespace(wait_stream=lambda other: self.asked.append(f"wait for {other}"))

    @contextmanager
    def stream(self, name: str) -> Iterator[None]:
        yield
        self.asked.append(name)

    def Event(self, blocking: bool) -> Any:
        assert blocking, "nobody waits with a busy processor"
        return SimpleNamespace(
            record=lambda: self.asked.append("record"), synchronize=lambda: self.asked.append("wait")
        )


def test_what_is_asked_of_a_gpu_is_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, empty = PretendedCuda(), torch.empty
    monkeypatch.setattr(cuda_batches, "cuda", gpu)
    monkeypatch.setattr(torch, "empty", lambda *size, pin_memory=False, **how: empty(*size, **how))
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: gpu.asked.append("keep"))
    backbone = tiny.tiny_backbone()
    frames = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    batches = CudaBatches(backbone, (64, 32, 32, 3))
    batches.pin(frames)
    assert gpu.pinned == [frames.ctypes.data]
    found = batches.run([frames[:32], frames[32:]], 60)
    assert np.array_equal(found, backbone(torch.from_numpy(frames))[:60].half())
    assert gpu.asked == ["copies", "wait for copies", "keep", "record", "wait"]
    batches.close()
    assert gpu.pinned == []


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
