"""Where vidlstm's training differs from Lightning's own."""

from __future__ import annotations

from typing import Any

TRAINER_DEFAULTS: dict[str, Any] = {
    "max_epochs": 60,
    "gradient_clip_val": 1.0,
    "log_every_n_steps": 1,
    "precision": "auto",
    "enable_model_summary": False,
    "use_distributed_sampler": False,
}
"""Where vidlstm's training differs from Lightning's own ``Trainer`` defaults.

The precision ``auto`` is bf16-mixed on a GPU that computes in bfloat16, else 32-true. The data modules share
sequences among processes themselves, so that none is counted twice.
"""
