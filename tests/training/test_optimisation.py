"""The schedule: up in a line, down in a cosine, zero at the end; biases and norms are not decayed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from torch import nn

from vidlstm.training.optimisation import adamw_with_cosine


def rates(total: int, warmup: float) -> list[float]:
    parts = adamw_with_cosine(
        nn.Linear(2, 2), learning_rate=1.0, weight_decay=0.1, warmup_fraction=warmup, total_steps=total
    )
    optimizer, schedule = parts["optimizer"], parts["lr_scheduler"]["scheduler"]
    seen = []
    for _ in range(total):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return [*seen, optimizer.param_groups[0]["lr"]]


def test_warms_up_then_falls_to_zero() -> None:
    seen = rates(100, 0.1)
    assert seen[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert max(seen) == 1.0
    assert all(a >= b for a, b in pairwise(seen[10:]))
    assert seen[55] == pytest.approx(0.5)
    assert seen[100] == pytest.approx(0.0)


@pytest.mark.parametrize("total", [1, 2, 3])
def test_runs_of_a_few_steps_learn_too(total: int) -> None:
    assert max(rates(total, 0.1)) == 1.0


def test_only_matrices_are_decayed() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    module[0].bias.requires_grad_(False)
    parts = adamw_with_cosine(module, learning_rate=1.0, weight_decay=0.1, warmup_fraction=0.0, total_steps=5)
    decayed, plain = parts["optimizer"].param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(4, 3)] and decayed["weight_decay"] == 0.1
    assert [tuple(p.shape) for p in plain["params"]] == [(4,), (4,)] and plain["weight_decay"] == 0.0
