"""What watches over a training: losses that are not finite, the files of an earlier one, progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from lightning import Callback

from vidlstm.errors import TrainingError
from vidlstm.training.outcome import CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lightning import LightningModule, Trainer
    from torch import Tensor


class StopAtNonFinite(Callback):
    """Ends a training whose loss is no number any more, before its checkpoints are written.

    Looks at the losses at the end of an epoch and before a validation: asking a GPU after every step would
    make each wait for the last.

    Args:
        monitor: the logged value whose smallest marks the best epoch.
    """

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor
        self._losses: list[tuple[int, Tensor]] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keeps the loss."""
        if (loss := _loss(outputs)) is not None:
            self._losses.append((batch_idx, loss))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks."""
        self._look(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks."""
        self._look(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A last step may leave weights that are no numbers, which the validation alone can show."""
        score = trainer.callback_metrics.get(self._monitor)
        if not trainer.sanity_checking and score is not None and not torch.isfinite(score):
            self._stop(f"{self._monitor} is {float(score)} in epoch {trainer.current_epoch}")

    def _look(self, trainer: Trainer) -> None:
        losses, self._losses = self._losses, []
        if not losses:
            return
        finite_S = torch.isfinite(torch.stack([loss for _, loss in losses]))
        if not finite_S.all():
            batch, loss = losses[int((~finite_S).nonzero()[0])]
            place = f"epoch {trainer.current_epoch}, batch {batch}"
            self._stop(f"the training loss is {float(loss)} in {place}")

    def _stop(self, what: str) -> None:
        raise TrainingError(
            f"{what}; no checkpoint of it is kept (those of earlier epochs are). Lower "
            "`optimiser.learning_rate` or `trainer.gradient_clip_val`; where it happens at once, features or "
            "positions hold numbers that are not finite"
        )


def _loss(outputs: Any) -> Tensor | None:
    """The loss of a step; None where a task has left a batch out."""
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    return loss.detach() if isinstance(loss, torch.Tensor) else None


class ReplaceEarlier(Callback):
    """Removes what an earlier training left in a folder, at the moment that another one really begins.

    Args:
        out: the folder.
    """

    def __init__(self, out: Path) -> None:
        self._out = out

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Removes it."""
        if trainer.is_global_zero:
            for name in (*CHECKPOINTS, "metrics.json"):  # the logger replaces its own
                (self._out / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class TrainingReport:
    """How far a training has come.

    Attributes:
        steps: done of the whole run.
        epoch: the present one, from 0.
        epochs: at most so many; -1 where their number has no end.
        loss: of the last step, on whatever device it was computed; None where the step was left out.
    """

    steps: int
    epoch: int
    epochs: int
    loss: Tensor | None


class TellProgress(Callback):
    """Tells how far the whole run has come, after every step.

    Args:
        told: called with a report and the number of steps in all.
    """

    def __init__(self, told: Callable[[TrainingReport, int], None]) -> None:
        self._told, self._steps = told, 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts the steps of the whole run, which Lightning would do anew for each of them."""
        self._steps = int(trainer.estimated_stepping_batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *rest: Any
    ) -> None:
        """Tells it."""
        if trainer.is_global_zero:
            report = TrainingReport(
                trainer.global_step, trainer.current_epoch, trainer.max_epochs or -1, _loss(outputs)
            )
            self._told(report, self._steps)
