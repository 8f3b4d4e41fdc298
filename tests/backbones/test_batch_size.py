"""Without a number, as many frames go through together as suit the device; it is told without a trial."""

from __future__ import annotations

import pytest
import torch

from tests.features.tiny import tiny_backbone
from vidlstm.backbones import base
from vidlstm.backbones.base import LARGEST_BATCH, USUAL_BATCH, batch_that_fits
from vidlstm.devices import memory_bytes
from vidlstm.settings import BackboneSettings
from vidlstm.structures import FrameSize

GB = 10**9


@pytest.mark.parametrize(
    ("side", "memory", "frames"),
    [(224, 6 * GB, 64), (224, 16 * GB, 256), (224, 24 * GB, 256), (224, 80 * GB, 512), (640, 80 * GB, 128)],
)
def test_a_gpu_takes_what_half_of_its_memory_holds(side: int, memory: int, frames: int) -> None:
    assert batch_that_fits(FrameSize(side, side), memory) == frames


def test_there_is_always_a_batch_and_an_end() -> None:
    assert batch_that_fits(FrameSize(8192, 8192), 1 * GB) == 1
    assert batch_that_fits(FrameSize(8, 8), 1000 * GB) == LARGEST_BATCH


def test_it_is_asked_of_the_device_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BackboneSettings().batch_size == 0
    backbone = tiny_backbone()
    assert memory_bytes(torch.device("cpu")) is None
    assert (backbone.frames_at_once(), backbone.frames_at_once(7)) == (USUAL_BATCH, 7)
    spec = dict(backbone.spec)
    monkeypatch.setattr(base, "memory_bytes", lambda device: 80 * GB)
    assert (backbone.frames_at_once(), backbone.frames_at_once(7)) == (LARGEST_BATCH, 7)
    assert backbone.spec == spec, "features are stored under the same name"
