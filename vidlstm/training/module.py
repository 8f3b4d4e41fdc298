"""What the LightningModules of all tasks share: the card, the seed of each epoch, the optimiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning import LightningModule

from vidlstm.cards import CARD
from vidlstm.training.optimisation import adamw_with_cosine

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import Tensor, nn

    from vidlstm.cards import Card
    from vidlstm.settings import OptimiserSettings, SegmentationOptimiserSettings, TrajectoryOptimiserSettings


class TaskModule(LightningModule):
    """A network under training, with what its checkpoints say of themselves.

    Args:
        model: the network; its weights are named ``model.*`` in checkpoints.
        optimiser: learning rate, weight decay and warm-up; see :func:`adamw_with_cosine`.
        total_steps: optimiser steps of the whole run, for the schedule.
        card: goes into every checkpoint; None leaves it out, and nothing can be predicted with them.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: OptimiserSettings | TrajectoryOptimiserSettings | SegmentationOptimiserSettings,
        *,
        total_steps: int,
        card: Card | None,
    ) -> None:
        super().__init__()
        self.model = model
        self.card = card
        self._optimiser, self._total_steps = optimiser, total_steps

    def on_train_epoch_start(self) -> None:
        """Seeds whatever is drawn in an epoch, so that a resumed run repeats the one it goes on from."""
        seed = self.card.seed if self.card else 0
        mixed = np.random.SeedSequence([seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(mixed.generate_state(1)[0]))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, warm-up, cosine."""
        return adamw_with_cosine(
            self.model,
            learning_rate=self._optimiser.learning_rate,
            weight_decay=self._optimiser.weight_decay,
            warmup_fraction=self._optimiser.warmup_fraction,
            total_steps=self._total_steps,
        )

    def share_of(self, weight: Tensor) -> Tensor | float:
        """The weight of this process's part of a batch over the mean weight of all processes' parts.

        Gradients are averaged over processes, but each process's loss is divided by the weight of its own
        targets; without this, two processes would learn something else than one with twice the batch.
        """
        if self._trainer is None or self._trainer.world_size == 1:
            return 1.0
        mean: Tensor = self.trainer.strategy.reduce(weight.clone(), reduce_op="mean")
        return weight / mean

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the card."""
        if self.card is not None:
            checkpoint[CARD] = self.card.as_plain()
