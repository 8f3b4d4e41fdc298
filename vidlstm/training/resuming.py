"""Going on where an earlier training stopped: what may, from where, and what it had written."""

from __future__ import annotations

import csv
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only

from vidlstm.cards import card_from, read_checkpoint
from vidlstm.errors import CheckpointError, side_by_side
from vidlstm.settings import TrackingSettings, plain
from vidlstm.training.arguments import PRECISION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning import Trainer

    from vidlstm.cards import Card


@dataclass(frozen=True)
class Earlier:
    """A training that may go on.

    Attributes:
        path: its last checkpoint.
        epochs: finished ones.
        steps: optimiser steps.
        waited: epochs without a better one before the last.
    """

    path: Path
    epochs: int
    steps: int
    waited: int

    def is_finished(self, trainer: Trainer, patience: int) -> bool:
        """Whether a trainer would have nothing left to do."""
        enough = trainer.max_epochs is not None and 0 <= trainer.max_epochs <= self.epochs
        return enough or 0 < trainer.max_steps <= self.steps or 0 < patience <= self.waited


def resumable(path: Path, card: Card, keys: Sequence[str]) -> Earlier:
    """An earlier training, where it is like the one that ``card`` describes.

    Args:
        path: what it left.
        card: of this training.
        keys: what must be alike.

    Raises:
        CheckpointError: it is not, holds weights alone, or :func:`read_checkpoint` refuses it.
    """
    checkpoint = read_checkpoint(path)
    ours = card.as_plain()
    theirs: dict[str, Any] = {"task": checkpoint.task}
    if checkpoint.task == card.task:
        # Typed and back, so that settings that did not exist then have their defaults.
        theirs = card_from(type(card), checkpoint.plain, str(path)).as_plain()
        ours, theirs = with_tracking_defaults(ours), with_tracking_defaults(theirs)
    if other := [key for key in ("task", *keys) if theirs.get(key) != ours.get(key)]:
        raise CheckpointError(
            f"{path} cannot be resumed, it was trained with other settings; give the same again or another "
            f"`out`:\n{side_by_side({k: ours.get(k) for k in other}, {k: theirs.get(k) for k in other})}"
        )
    return _state(path)


def used_precision(path: Path) -> str:
    """In what precision a checkpoint was trained; older ones, which do not say, in 32 bits."""
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return str(content.get(PRECISION, "32-true"))


def with_tracking_defaults(plain_card: dict[str, Any]) -> dict[str, Any]:
    """A plain card in which each setting of the tracking has a value, those that did not exist then too."""
    objects = plain_card.get("objects")
    if not isinstance(objects, dict) or not objects.get("tracking"):
        return plain_card
    known = {f.name for f in fields(TrackingSettings)} - {"weights", "trust", "boxes"}
    defaults = {name: value for name, value in plain(TrackingSettings()).items() if name in known}
    return {**plain_card, "objects": {**objects, "tracking": {**defaults, **objects["tracking"]}}}


def _state(path: Path) -> Earlier:
    content = torch.load(path, map_location="cpu", weights_only=True)
    try:
        epochs = content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
        steps, callbacks = content["global_step"], content["callbacks"]
        content["optimizer_states"], content["lr_schedulers"]
        waits = [state.get("wait_count", 0) for state in callbacks.values()]
        return Earlier(path, int(epochs), int(steps), max(map(int, waits), default=0))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise CheckpointError(
            f"{path} cannot be resumed: it holds a network, but not where its training stood; train anew "
            "into another `out`"
        ) from None


@rank_zero_only
def carry_on_metrics(logger: object, steps: int) -> None:
    """Keeps the rows that an earlier training logged up to some step; Lightning's logger begins anew.

    Args:
        logger: of this training, which has not logged yet; another than the CSV logger is left alone.
        steps: those of the checkpoint. What came after it is trained and logged again.
    """
    if not isinstance(logger, CSVLogger):
        return
    rows: list[dict[str, Any]] = []
    log = Path(logger.log_dir) / "metrics.csv"
    with suppress(OSError, UnicodeDecodeError, csv.Error), log.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if (r.get("step") or "").isdigit() and int(r["step"]) < steps]
    logger.experiment.metrics.extend(rows)
    logger.save()


def in_this_folder(checkpoint: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A checkpoint whose callbacks look for their files where it lies now, not where it was written.

    Lightning forgets the best score where a folder has moved, and lets a worse epoch replace ``best.ckpt``.
    """

    def moved(value: Any) -> Any:
        return str(folder / Path(value).name) if isinstance(value, str) and value else value

    for state in checkpoint.get("callbacks", {}).values():
        if isinstance(state, dict) and "dirpath" in state:
            state["dirpath"] = str(folder)
            for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
                state[name] = moved(state.get(name))
            state["best_k_models"] = {moved(k): v for k, v in (state.get("best_k_models") or {}).items()}
    return checkpoint
