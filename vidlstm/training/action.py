"""Training an action classifier: loss, schedule and metrics, as a LightningModule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)

from vidlstm.models.fusion import streams_of
from vidlstm.settings import OptimiserSettings
from vidlstm.training.module import TaskModule, mean_over_processes

if TYPE_CHECKING:
    from vidlstm.cards import Card
    from vidlstm.models.fusion import AnyClassifier
    from vidlstm.structures import SequenceBatch


def action_metrics(num_classes: int, prefix: str) -> MetricCollection:
    """Top-1, top-5, mean-class accuracy, macro F1 and the confusion matrix, over all processes."""
    metrics: dict[str, Any] = {
        "accuracy": MulticlassAccuracy(num_classes, average="micro", validate_args=False),
        "mean_class_accuracy": MulticlassAccuracy(num_classes, average="macro", validate_args=False),
        "macro_f1": MulticlassF1Score(num_classes, average="macro", validate_args=False),
        "confusion": MulticlassConfusionMatrix(num_classes, validate_args=False),
    }
    if num_classes > 5:
        metrics["top5_accuracy"] = MulticlassAccuracy(
            num_classes, average="micro", top_k=5, validate_args=False
        )
    return MetricCollection(metrics, prefix=prefix, compute_groups=False)


class ActionModule(TaskModule):
    """Cross-entropy training of a classifier; of a late fusion, the mean of its streams' cross-entropies.

    Args:
        model: takes ``SequenceBatch.x_BTF``, ``lengths_B`` and ``extras``.
        num_classes: K.
        optimiser: loss and schedule.
        total_steps: optimiser steps of the whole run, for the schedule.
        class_weights_K: of the loss; None weighs all alike.
        card: see :class:`TaskModule`.
    """

    model: AnyClassifier

    def __init__(
        self,
        model: AnyClassifier,
        num_classes: int,
        optimiser: OptimiserSettings | None = None,
        *,
        total_steps: int,
        class_weights_K: Tensor | None = None,
        card: Card | None = None,
    ) -> None:
        optimiser = optimiser or OptimiserSettings()
        super().__init__(model, optimiser, total_steps=total_steps, card=card)
        self._truncate_steps = optimiser.truncate_steps
        self.loss = nn.CrossEntropyLoss(weight=class_weights_K, label_smoothing=optimiser.label_smoothing)
        self.val_metrics = action_metrics(num_classes, "val_")
        self._scored: list[tuple[Tensor, Tensor]] = []
        self.confusion_KK: Tensor | None = None

    def forward(self, x_BTF: Tensor, lengths_B: Tensor, **extras: Tensor) -> Tensor:
        """Class scores (logits) ``(B, K)``, or of bags ``(G, K)``."""
        scores_BK: Tensor = self.model(x_BTF, lengths_B, **extras)
        return scores_BK

    def training_step(self, batch: SequenceBatch, batch_index: int) -> Tensor:
        """The loss of one batch, in units that make the mean over processes that of the whole batch."""
        streams, steps = streams_of(self.model, batch.x_BTF), self._truncate_steps
        scores = [s.model(s.x_BTF, batch.lengths_B, truncate_steps=steps, **batch.extras) for s in streams]
        loss = torch.stack([self.loss(scores_BK, batch.targets) for scores_BK in scores]).mean()
        self.note(len(batch.targets), loss=loss)
        return loss if self.alone else loss * self._share(batch)

    def _share(self, batch: SequenceBatch) -> Tensor | float:
        """See :meth:`share_of`; of clips, by the weights of their classes, a spare one's being 0."""
        weight_K, counts_B = self.loss.weight, (batch.index_B >= 0).float()
        return self.share_of((counts_B if weight_K is None else counts_B * weight_K[batch.targets]).sum())

    def on_validation_epoch_start(self) -> None:
        """Forgets what an interrupted validation left."""
        self._scored.clear()

    def validation_step(self, batch: SequenceBatch, batch_index: int) -> None:
        """Gathers one batch's scores; they are counted at the end, for which a GPU has to be waited for."""
        scores_BK = self(batch.x_BTF, batch.lengths_B, **batch.extras).float()
        self._scored.append((scores_BK, batch.targets))

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics over all processes; keeps the confusion matrix, rows the truth."""
        scores_SK, targets_S = map(torch.cat, zip(*self._scored, strict=True))
        self._scored.clear()
        self.val_metrics.update(scores_SK, targets_S)
        values = self.val_metrics.compute()
        self.confusion_KK = values.pop("val_confusion").cpu()
        # They are the same in all processes already; sync_dist tells Lightning so.
        self.log("val_accuracy", values.pop("val_accuracy"), prog_bar=True, sync_dist=True)
        loss = nn.functional.cross_entropy(scores_SK, targets_S)
        self.log("val_loss", mean_over_processes(loss, len(targets_S)), prog_bar=True, sync_dist=True)
        self.log_dict(values, sync_dist=True)
        self.val_metrics.reset()


def balanced_weights(counts_K: Tensor) -> Tensor:
    """Weights inverse to class frequency, mean 1 over the clips; a class without clips gets 0."""
    weights = torch.where(counts_K > 0, counts_K.sum() / (counts_K.clamp_min(1) * (counts_K > 0).sum()), 0.0)
    return weights.float()
