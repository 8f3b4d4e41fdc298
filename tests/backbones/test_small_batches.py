"""Few frames run without padding where, and only where, that changes no bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.features.tiny import tiny_backbone
from vidlstm.backbones.network import CPU_FRAMES


def frames(count: int) -> Tensor:
    return torch.randint(256, (count, 32, 32, 3), dtype=torch.uint8)


def test_they_come_out_as_in_a_full_batch() -> None:
    backbone, four = tiny_backbone(), frames(CPU_FRAMES)
    full = backbone(four)
    assert [backbone.rows_to_run(n, CPU_FRAMES) for n in (1, 3, 4)] == [4, 4, 4]
    backbone.allow_small_batches()
    for n in range(1, CPU_FRAMES):
        rows = backbone.rows_to_run(n, CPU_FRAMES)
        assert torch.equal(backbone(four[:rows])[:n], full[:n])


@pytest.mark.parametrize("error", [0.0, 1e-7])
def test_a_processor_with_other_kernels_for_few_frames_pads_them(
    error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = tiny_backbone()
    exact = backbone._features

    def features(frames_BHWC: Tensor) -> Tensor:
        return exact(frames_BHWC) * (1 + error * (len(frames_BHWC) == 2))

    monkeypatch.setattr(backbone, "_features", features)
    backbone.allow_small_batches()
    assert backbone.rows_to_run(1, CPU_FRAMES) == (CPU_FRAMES if error else 1)
    assert backbone.rows_to_run(5, 8) == 8
