"""Checkpoints that hold weights and plain values only, read without running code from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vidlstm.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

CARD = "vidlstm"
"""The checkpoint's key for the plain dict of settings."""
CARD_VERSION = 1


def read_checkpoint(path: Path, *, task: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads a checkpoint that ``vidlstm train`` wrote.

    Args:
        path: the ``.ckpt`` file.
        task: what it must have been trained for; None takes any.

    Returns:
        The model's state dict, and the card: task, labels, sampling, backbone, model settings.

    Raises:
        CheckpointError: it is missing, would run code, was not written by vidlstm, or is for another task.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch's reader stumble in many ways
        why = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"{path} is damaged or would run code, and is not loaded: {why}") from error
    card = checkpoint.get(CARD) if isinstance(checkpoint, dict) else None
    if not isinstance(card, dict) or "state_dict" not in checkpoint:
        raise CheckpointError(f"{path} was not written by vidlstm train: it has no {CARD!r} card")
    if card.get("version") != CARD_VERSION:
        raise CheckpointError(
            f"{path} has card version {card.get('version')}, this vidlstm reads {CARD_VERSION}"
        )
    if task is not None and card.get("task") != task:
        raise CheckpointError(f"{path} was trained for {card.get('task')!r}, not {task!r}")
    return checkpoint["state_dict"], card
