"""What the LightningModules of all tasks share: the card, the seed of each epoch, the optimiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning import LightningModule
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torchmetrics import MeanMetric

from vidlstm.cards import CARD
from vidlstm.training.arguments import PRECISION
from vidlstm.training.optimisation import adamw_with_cosine

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import Tensor, nn
    from torch.optim import Optimizer

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
        self._sums: dict[str, tuple[Tensor, int]] = {}

    def on_train_epoch_start(self) -> None:
        """Seeds whatever is drawn in an epoch, so that a resumed run repeats the one it goes on from."""
        self._sums = {}
        seed = self.card.seed if self.card else 0
        mixed = np.random.SeedSequence([seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(mixed.generate_state(1)[0]))

    def note(self, count: int, **losses: Tensor) -> None:
        """Adds a batch of ``count`` to the mean losses of the epoch, without asking a GPU for a number.

        Lightning's ``log`` would do as much, in half a millisecond a step.
        """
        for name, loss in losses.items():
            total, counted = self._sums.get(name, (torch.zeros_like(loss), 0))
            self._sums[name] = torch.add(total, loss.detach(), alpha=count), counted + count

    def on_train_epoch_end(self) -> None:
        """Logs the mean losses over all processes, as ``train_*``."""
        for name, (total, counted) in self._sums.items():
            mean = mean_over_processes(total / counted, counted)
            self.log(f"train_{name}", mean, prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, warm-up, cosine; fused on a GPU, unless Lightning scales gradients."""
        scales = self._trainer is not None and self._trainer.precision == "16-mixed"
        return adamw_with_cosine(
            self.model,
            learning_rate=self._optimiser.learning_rate,
            weight_decay=self._optimiser.weight_decay,
            warmup_fraction=self._optimiser.warmup_fraction,
            total_steps=self._total_steps,
            fused=self.device.type == "cuda" and not scales,
        )

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips as Lightning does, which for float16's sake refuses to where an optimiser is fused."""
        if gradient_clip_val:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            clip = clip_grad_value_ if gradient_clip_algorithm == "value" else clip_grad_norm_
            clip(parameters, gradient_clip_val)

    @property
    def alone(self) -> bool:
        """Whether no other process trains along."""
        return self._trainer is None or self._trainer.world_size == 1

    def share_of(self, weight: Tensor) -> Tensor | float:
        """The weight of this process's part of a batch over the mean weight of all processes' parts.

        Gradients are averaged over processes, but each process's loss is divided by the weight of its own
        targets; without this, two processes would learn something else than one with twice the batch.
        """
        if self.alone:
            return 1.0
        mean: Tensor = self.trainer.strategy.reduce(weight.clone(), reduce_op="mean")
        return weight / mean

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the card, and in what precision it was trained: a resumed training keeps to that."""
        checkpoint[PRECISION] = str(self.trainer.precision)
        if self.card is not None:
            checkpoint[CARD] = self.card.as_plain()


def mean_over_processes(mean: Tensor, count: int) -> Tensor:
    """The mean of the means of all processes, by what each has counted.

    Lightning's own weighs by the whole part of the mean count: of 4 and 3 clips by 3 each.
    """
    metric = MeanMetric().to(mean.device)
    metric.update(mean, weight=count)
    over_all: Tensor = metric.compute()
    return over_all
