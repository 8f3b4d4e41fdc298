"""AdamW with a linear warm-up and a cosine decay, shared by every task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import nn


def adamw_with_cosine(
    module: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    warmup_fraction: float,
    total_steps: int,
    fused: bool = False,
) -> OptimizerLRSchedulerConfig:
    """What ``configure_optimizers`` returns.

    Args:
        module: its parameters are trained; those with one axis (biases, norms) are not decayed.
        learning_rate: the peak.
        weight_decay: decoupled (Loshchilov and Hutter 2019).
        warmup_fraction: of ``total_steps``, rising linearly.
        total_steps: optimiser steps of the whole run; the rate reaches zero there.
        fused: one kernel for all parameters, which pays on a GPU.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=learning_rate,
        fused=fused or None,
    )
    warmup = max(1, round(warmup_fraction * total_steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, total_steps - warmup)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
