"""How fast a recurrent network is trained on a device with batches of one size or another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from vidlstm.features.costs import Spent
from vidlstm.training.arguments import best_precision
from vidlstm.training.optimisation import adamw_with_cosine
from vidlstm.training.threads import threads_that_pay, using_threads

if TYPE_CHECKING:
    from torch import nn

STEPS = 32
"""Of a clip: three seconds at ten a second."""
ENOUGH = 0.9
"""A batch that reaches this share of the fastest is large enough; larger ones take fewer steps an epoch."""


def training_rate(model: nn.Module, feature_dim: int, batch_size: int, device: str, seconds: float) -> Spent:
    """Trains on one batch of noise that lies ready, for about so long; its frames are steps of clips.

    Args:
        model: a classifier, which takes features and lengths.
        feature_dim: F.
        batch_size: clips.
        device: where it trains, in the precision of ``trainer.precision auto``.
        seconds: about so long.
    """
    place, spent = torch.device(device), Spent()
    model = model.to(place).train()
    kept = adamw_with_cosine(
        model,
        learning_rate=1e-4,
        weight_decay=0.0,
        warmup_fraction=0.0,
        total_steps=1_000_000,
        fused=place.type == "cuda",
    )
    x_BTF = torch.randn(batch_size, STEPS, feature_dim, device=place)
    lengths_B = torch.full((batch_size,), STEPS, device=place)
    targets_B = torch.zeros(batch_size, dtype=torch.int64, device=place)
    low = place.type == "cuda" and best_precision("cuda") == "bf16-mixed"

    def steps() -> int:
        for _ in range(3):
            kept["optimizer"].zero_grad()
            with torch.autocast(place.type, torch.bfloat16, enabled=low):
                loss = F.cross_entropy(model(x_BTF, lengths_B), targets_B)
            torch.autograd.backward(loss)
            kept["optimizer"].step()
        float(loss)  # waits for the device
        return 3 * batch_size * STEPS

    with using_threads(threads_that_pay(model, batch_size)):
        steps()  # the first is slower
        while spent.wall < seconds:
            spent.add(steps)
    return spent


def large_enough(rates: dict[int, float]) -> int:
    """The smallest batch that is trained at ``ENOUGH`` of the fastest rate.

    >>> large_enough({32: 50.0, 128: 95.0, 512: 100.0})
    128
    """
    return min(size for size, rate in rates.items() if rate >= ENOUGH * max(rates.values()))
