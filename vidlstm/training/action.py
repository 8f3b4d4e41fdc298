"""Training an action classifier: loss, schedule and metrics, as a LightningModule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning import LightningModule
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)

from vidlstm.errors import CheckpointError
from vidlstm.models.bags import BagClassifier
from vidlstm.models.fusion import BagFusion, build_bag_classifier, build_classifier, streams_of
from vidlstm.training.checkpoint import CARD, CARD_VERSION, read_checkpoint
from vidlstm.training.optimisation import adamw_with_cosine

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

    from vidlstm.models.fusion import AnyClassifier, Classifier
    from vidlstm.structures import SequenceBatch


def action_metrics(num_classes: int, prefix: str) -> MetricCollection:
    """Top-1, top-5, mean-class accuracy, macro F1 and the confusion matrix, over all processes."""
    metrics: dict[str, Any] = {
        "accuracy": MulticlassAccuracy(num_classes, average="micro"),
        "mean_class_accuracy": MulticlassAccuracy(num_classes, average="macro"),
        "macro_f1": MulticlassF1Score(num_classes, average="macro"),
        "confusion": MulticlassConfusionMatrix(num_classes),
    }
    if num_classes > 5:
        metrics["top5_accuracy"] = MulticlassAccuracy(num_classes, average="micro", top_k=5)
    return MetricCollection(metrics, prefix=prefix, compute_groups=False)


class ActionModule(LightningModule):
    """Cross-entropy training of a classifier; of a late fusion, the mean of its streams' cross-entropies.

    Args:
        model: takes ``SequenceBatch.x_BTF``, ``lengths_B`` and ``extras``.
        num_classes: K.
        total_steps: optimiser steps of the whole run, for the schedule.
        learning_rate, weight_decay, warmup_fraction: see :func:`adamw_with_cosine`.
        label_smoothing: mixed into the targets.
        class_weights_K: of the loss; None weighs all alike.
        seed: of dropout and of random cuts, with the epoch and the process.
        card: plain values that go into the checkpoint; see :func:`read_checkpoint`.
        truncate_steps: in training, cut the gradient through time at every so many steps; 0 never does.
    """

    def __init__(
        self,
        model: AnyClassifier,
        num_classes: int,
        *,
        total_steps: int,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        warmup_fraction: float = 0.1,
        label_smoothing: float = 0.0,
        class_weights_K: Tensor | None = None,
        seed: int = 0,
        card: dict[str, Any] | None = None,
        truncate_steps: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.card = {"version": CARD_VERSION, "task": "action", **(card or {})}
        self._total_steps, self._warmup_fraction = total_steps, warmup_fraction
        self._learning_rate, self._weight_decay, self._seed = learning_rate, weight_decay, seed
        self._truncate_steps = truncate_steps
        self.loss = nn.CrossEntropyLoss(weight=class_weights_K, label_smoothing=label_smoothing)
        self.val_metrics = action_metrics(num_classes, "val_")
        self.val_loss = MeanMetric()
        self.confusion_KK: Tensor | None = None

    def forward(self, x_BTF: Tensor, lengths_B: Tensor, **extras: Tensor) -> Tensor:
        """Class scores (logits) ``(B, K)``, or of bags ``(G, K)``."""
        scores_BK: Tensor = self.model(x_BTF, lengths_B, **extras)
        return scores_BK

    def on_train_epoch_start(self) -> None:
        """Seeds dropout and cuts, so that a resumed run repeats the one it goes on from."""
        mixed = np.random.SeedSequence([self._seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(mixed.generate_state(1)[0]))

    def training_step(self, batch: SequenceBatch, batch_index: int) -> Tensor:
        """The loss of one batch, in units that make the mean over processes that of the whole batch."""
        streams, steps = streams_of(self.model, batch.x_BTF), self._truncate_steps
        scores = [s.model(s.x_BTF, batch.lengths_B, truncate_steps=steps, **batch.extras) for s in streams]
        loss = torch.stack([self.loss(scores_BK, batch.targets) for scores_BK in scores]).mean()
        self.log(
            "train_loss",
            loss.detach(),
            prog_bar=True,
            on_step=False,
            on_epoch=True,
            batch_size=len(batch.targets),
            sync_dist=True,
        )
        return loss * self._share(batch.targets)

    def _share(self, targets_B: Tensor) -> Tensor | float:
        """The weight of this process's clips over the mean weight of all processes' clips.

        Gradients are averaged over processes, but each process's loss is divided by the class weights of its
        own clips; without this, two processes would learn something else than one with twice the batch.
        """
        if self._trainer is None or self._trainer.world_size == 1:
            return 1.0
        weight_K = self.loss.weight
        weights_B = torch.ones_like(targets_B).float() if weight_K is None else weight_K[targets_B]
        weight = weights_B.sum()
        return weight / self.trainer.strategy.reduce(weight.clone(), reduce_op="mean")

    def validation_step(self, batch: SequenceBatch, batch_index: int) -> None:
        """Gathers one batch's scores."""
        scores_BK = self(batch.x_BTF, batch.lengths_B, **batch.extras).float()
        self.val_metrics.update(scores_BK, batch.targets)
        self.val_loss.update(nn.functional.cross_entropy(scores_BK, batch.targets), weight=len(batch.targets))

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics over all processes; keeps the confusion matrix, rows the truth."""
        values = self.val_metrics.compute()
        self.confusion_KK = values.pop("val_confusion").cpu()
        # They are the same in all processes already; sync_dist tells Lightning so.
        self.log("val_accuracy", values.pop("val_accuracy"), prog_bar=True, sync_dist=True)
        self.log("val_loss", self.val_loss.compute(), prog_bar=True, sync_dist=True)
        self.log_dict(values, sync_dist=True)
        self.val_metrics.reset()
        self.val_loss.reset()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, warm-up, cosine."""
        return adamw_with_cosine(
            self.model,
            learning_rate=self._learning_rate,
            weight_decay=self._weight_decay,
            warmup_fraction=self._warmup_fraction,
            total_steps=self._total_steps,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the card."""
        checkpoint[CARD] = self.card


def load_action_model(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """The trained classifier of a checkpoint, in eval mode, and its card.

    Raises:
        CheckpointError: see :func:`read_checkpoint`; its card does not describe its weights; or it is about
            tracked objects.
    """
    model, card = load_any_action_model(path)
    if isinstance(model, BagClassifier | BagFusion):
        raise CheckpointError(
            f"{path} is about tracked objects; this needs one of whole frames, trained without --data.tracks"
        )
    return model, card


def load_any_action_model(path: Path) -> tuple[AnyClassifier, dict[str, Any]]:
    """The same, or the classifier of tracked objects where the card has ``objects``."""
    state, card = read_checkpoint(path, task="action")
    try:
        model = classifier_of_card(card)
        weights = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
        model.load_state_dict(weights)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is damaged: its card does not describe its weights: {error}"
        ) from error
    return model.eval(), card


def classifier_of_card(card: dict[str, Any]) -> AnyClassifier:
    """The classifier that a card describes, with fresh weights; of bags where it has ``objects``."""
    widths = card.get("part_dims") or [int(card["feature_dim"])]  # older cards know of one fusion alone
    if (objects := card.get("objects")) is None:
        return build_classifier(widths, len(card["labels"]), **card["model"])
    # How objects become sequences is said, too.
    dict(objects["tracking"]), float(objects["max_gap_seconds"]), float(objects["minimum_seconds"])
    return build_bag_classifier(widths, len(card["labels"]), **card["model"])


def balanced_weights(counts_K: Tensor) -> Tensor:
    """Weights inverse to class frequency, mean 1 over the clips; a class without clips gets 0."""
    weights = torch.where(counts_K > 0, counts_K.sum() / (counts_K.clamp_min(1) * (counts_K > 0).sum()), 0.0)
    return weights.float()
