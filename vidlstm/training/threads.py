"""As many threads as pay for a recurrent network on a processor."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import torch

from vidlstm.backbones.cpu import available_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

WORK_PER_THREAD = 64_000_000
"""Multiply-adds of one time step that another thread pays for; see scripts/benchmark_threads.py."""


def recurrent_work(model: nn.Module, batch: int) -> int:
    """Multiply-adds of the largest product that a network makes anew at every time step, B x gates x hidden.

    Between two of them all threads wait for the slowest, some thousand times a training step.
    """
    recurrent = (p.numel() for name, p in model.named_parameters() if "weight_h" in name)
    return batch * max(recurrent, default=0)


def threads_that_pay(model: nn.Module, batch: int) -> int:
    """How many threads to train a network with; what a user has chosen stays."""
    now = torch.get_num_threads()
    if {"OMP_NUM_THREADS", "MKL_NUM_THREADS"} & os.environ.keys() or now not in _defaults():
        return now
    return max(1, min(now, recurrent_work(model, batch) // WORK_PER_THREAD))


def _defaults() -> set[int | None]:
    """What torch starts with: a thread a core, of those that share a core's arithmetic one or all."""
    return {available_cores(), os.cpu_count(), psutil.cpu_count(logical=False)}


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Lets torch use so many threads inside, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
