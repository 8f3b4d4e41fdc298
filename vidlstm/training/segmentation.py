"""Training a network that labels every step: losses and metrics, as a LightningModule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import (
    BinaryF1Score,
    MulticlassAccuracy,
    MulticlassF1Score,
    MultilabelF1Score,
)

from vidlstm.models.cells import valid_steps
from vidlstm.models.trunk import Carried
from vidlstm.training.module import TaskModule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vidlstm.cards import Card
    from vidlstm.models.labeller import SequenceLabeller
    from vidlstm.settings import SegmentationOptimiserSettings
    from vidlstm.structures import SequenceBatch

UNKNOWN = -1
"""The target of a step that nothing is to be learned from, and of padding."""
LARGEST_WEIGHT = 100.0
"""Of what is rarer, one step in so many has to stand for the class."""


def step_losses(
    scores_BTK: Tensor, targets: Tensor, *, weights_K: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """The loss of every known step, ``(N,)``: cross-entropy, or where labels overlap the mean over classes of
    the binary one.

    Args:
        scores_BTK: of the network.
        targets: class numbers ``(B, T)``, or 0 and 1 ``(B, T, K)``; -1 is unknown.
        weights_K: of the classes; of overlapping labels, what a step with the label weighs beside one
            without.
        label_smoothing: mixed into the targets.
    """
    known = targets != UNKNOWN
    if targets.ndim == 2:
        return F.cross_entropy(
            scores_BTK[known],
            targets[known],
            weight=weights_K,
            label_smoothing=label_smoothing,
            reduction="none",
        )
    known_BT = known.all(-1)
    aims_NK = targets[known_BT].to(scores_BTK.dtype) * (1 - label_smoothing) + label_smoothing / 2
    losses_NK = F.binary_cross_entropy_with_logits(
        scores_BTK[known_BT], aims_NK, pos_weight=weights_K, reduction="none"
    )
    return losses_NK.mean(-1)


def smoothing_loss(log_probabilities_BTK: Tensor, lengths_B: Tensor, limit: float) -> Tensor:
    """The truncated mean squared error between the log-probabilities of neighbouring steps.

    Farha and Gall 2019, "MS-TCN: multi-stage temporal convolutional network for action segmentation", eq. 3
    to 5: with Δ = abs(log y_t - log y_{t-1}) cut at ``limit`` (their τ = 4), the mean of Δ² over steps and
    classes; no gradient goes to the earlier step.

    Args:
        log_probabilities_BTK: of the network.
        lengths_B: valid steps of each sequence.
        limit: τ.

    Returns:
        A scalar; 0 where no sequence has two steps.
    """
    change_BTK = (
        (log_probabilities_BTK[:, 1:] - log_probabilities_BTK[:, :-1].detach()).abs().clamp(max=limit)
    )
    pair_BT = valid_steps(lengths_B - 1, change_BTK.shape[1])
    squares_NK = change_BTK[pair_BT].square()
    return squares_NK.mean() if squares_NK.numel() else change_BTK.new_zeros(())


def boundary_targets(targets_BT: Tensor) -> Tensor:
    """Whether each step begins a segment: 1 where its class is another than that of the step before, else 0.

    -1 where one of the two is unknown, as at the first step.

    Args:
        targets_BT: class numbers; -1 is unknown.
    """
    now_BT, before_BT = targets_BT[:, 1:], targets_BT[:, :-1]
    known_BT = (now_BT != UNKNOWN) & (before_BT != UNKNOWN)
    return F.pad(torch.where(known_BT, (now_BT != before_BT).long(), UNKNOWN), (1, 0), value=UNKNOWN)


def boundary_rarity(targets: Iterable[Tensor]) -> Tensor:
    """What a step that begins a segment weighs beside one that does not, ``(1,)``: as much in all.

    Args:
        targets: class numbers ``(T,)`` of each video; -1 is unknown.
    """
    begins = torch.cat([boundary_targets(targets_T[None])[0] for targets_T in targets])
    known = begins[begins != UNKNOWN]
    return balanced_step_weights(known.sum()[None], len(known), multi_label=True)


def balanced_step_weights(counts_K: Tensor, steps: int, *, multi_label: bool) -> Tensor:
    """Weights inverse to how many steps a class has.

    Args:
        counts_K: steps of each class.
        steps: known ones in all.
        multi_label: then what a step with the label weighs beside one without.
    """
    if multi_label:
        return ((steps - counts_K) / counts_K.clamp_min(1)).clamp(max=LARGEST_WEIGHT).float()
    present = counts_K > 0
    return torch.where(present, steps / (counts_K.clamp_min(1) * present.sum()), 0.0).clamp(
        max=LARGEST_WEIGHT
    )


class SegmentationModule(TaskModule):
    """Per-step cross-entropy and a smoothing loss; batches are windows, fresh ones or such that go on.

    Args:
        model: scores every step.
        optimiser: losses and schedule.
        total_steps: optimiser steps of the whole run, for the schedule.
        multi_label: labels overlap.
        carry_state: a batch goes on where the last one ended; see :class:`WindowOrder`.
        weights_K: see :func:`step_losses`; None weighs all alike.
        rarity: of a network with a boundary; see :func:`boundary_rarity`.
        card: see :class:`TaskModule`.
    """

    model: SequenceLabeller

    def __init__(
        self,
        model: SequenceLabeller,
        optimiser: SegmentationOptimiserSettings,
        *,
        num_classes: int,
        total_steps: int,
        multi_label: bool = False,
        carry_state: bool = False,
        weights_K: Tensor | None = None,
        rarity: Tensor | None = None,
        card: Card | None = None,
    ) -> None:
        super().__init__(model, optimiser, total_steps=total_steps, card=card)
        self.register_buffer("weights_K", weights_K, persistent=False)
        self.register_buffer("rarity", rarity, persistent=False)
        self._losses, self._multi_label, self._carries = optimiser, multi_label, carry_state
        self._state: Carried | None = None
        self.val_metrics = step_metrics(num_classes, multi_label=multi_label)
        self.val_loss = MeanMetric()

    def on_train_epoch_start(self) -> None:
        """Starts every slot anew; see :class:`TaskModule`."""
        super().on_train_epoch_start()
        self._state = None

    def training_step(self, batch: SequenceBatch, batch_index: int) -> Tensor:
        """The loss of one batch; in units that make the mean over processes that of the whole batch."""
        scores_BTK, begins_BT1 = self.model.split(self._scores(batch))
        weights_K = self._weights()
        losses_N = step_losses(
            scores_BTK, batch.targets, weights_K=weights_K, label_smoothing=self._losses.label_smoothing
        )
        weight = self._weight_of(batch.targets)
        loss = losses_N.sum() / weight.clamp_min(1e-6)
        smoothing = smoothing_loss(self._log(scores_BTK), batch.lengths_B, self._losses.smoothing_limit)
        boundary = self._boundary_loss(begins_BT1, batch.targets)
        parts = {"loss": loss, "smoothing": smoothing, "boundary": boundary}
        self.note(len(batch), **{name: part for name, part in parts.items() if part is not None})
        loss = loss * self.share_of(weight) + self._losses.smoothing_weight * smoothing
        return loss if boundary is None else loss + self._losses.boundary_weight * boundary

    def _boundary_loss(self, begins_BT1: Tensor, targets_BT: Tensor) -> Tensor | None:
        """Binary cross-entropy, mean over steps; None without a boundary."""
        if not self.model.boundary:
            return None
        rarity = self.rarity if isinstance(self.rarity, Tensor) else None
        losses_N = step_losses(begins_BT1, boundary_targets(targets_BT)[..., None], weights_K=rarity)
        return losses_N.sum() / max(1, len(losses_N))

    def _scores(self, batch: SequenceBatch) -> Tensor:
        if not self._carries:
            return self.model.whole(batch.x_BTF, batch.lengths_B)
        slots_B, fresh_B = batch.extras["slot_B"], batch.extras["fresh_B"]
        scores_BTK, after = self.model.carry(batch.x_BTF, batch.lengths_B, self._before(slots_B, fresh_B))
        self._keep(slots_B, after.detach())
        return scores_BTK

    def _before(self, slots_B: Tensor, fresh_B: Tensor) -> Carried:
        """The states of some slots; of those that are fresh, the initial one."""
        start = self.model.initial_state(len(slots_B))
        if self._state is None:
            return start
        pairs = zip(start.encoder, self._state.encoder, strict=True)
        return Carried(
            torch.where(fresh_B[:, None], start.before_BF, self._state.before_BF[slots_B]),
            tuple(torch.where(fresh_B[:, None], first, old[:, slots_B]) for first, old in pairs),
        )

    def _keep(self, slots_B: Tensor, after: Carried) -> None:
        if self._state is None or len(slots_B) == len(self._state.before_BF):
            self._state = after  # all slots, in order
            return
        self._state.before_BF[slots_B] = after.before_BF
        for old, new in zip(self._state.encoder, after.encoder, strict=True):
            old[:, slots_B] = new.to(old.dtype)

    def _weights(self) -> Tensor | None:
        weights_K = self.weights_K
        return weights_K if isinstance(weights_K, Tensor) else None

    def _weight_of(self, targets: Tensor) -> Tensor:
        """How much the known steps of a batch weigh together."""
        known, weights_K = targets != UNKNOWN, self._weights()
        if targets.ndim == 3:
            return known.all(-1).sum().float()
        return known.sum().float() if weights_K is None else weights_K[targets[known]].sum()

    def _log(self, scores_BTK: Tensor) -> Tensor:
        return F.logsigmoid(scores_BTK) if self._multi_label else F.log_softmax(scores_BTK, dim=-1)

    def validation_step(self, batch: SequenceBatch, batch_index: int) -> None:
        """Gathers one batch's scores."""
        scores_BTK = self.model.split(self.model.whole(batch.x_BTF, batch.lengths_B).float())[0]
        losses_N = step_losses(scores_BTK, batch.targets)
        known_BT = (batch.targets if batch.targets.ndim == 2 else batch.targets[..., 0]) != UNKNOWN
        if len(losses_N):
            self.val_loss.update(losses_N.mean(), weight=len(losses_N))
            self.val_metrics.update(scores_BTK[known_BT], batch.targets[known_BT])

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics over all processes."""
        # They are the same in all processes already; sync_dist tells Lightning so.
        values = self.val_metrics.compute()
        self.log("val_loss", self.val_loss.compute(), prog_bar=True, sync_dist=True)
        # The loss rises once a network is too sure of itself, while its labels still get better.
        self.log("val_error", 1 - values["val_macro_f1"], sync_dist=True)
        self.log_dict(values, prog_bar=True, sync_dist=True)
        self.val_metrics.reset()
        self.val_loss.reset()


def step_metrics(num_classes: int, *, multi_label: bool) -> MetricCollection:
    """Scores of single steps, over all processes."""
    metrics: dict[str, nn.Module] = (
        # torchmetrics takes two labels or more.
        {"macro_f1": MultilabelF1Score(num_classes, average="macro") if num_classes > 1 else BinaryF1Score()}
        if multi_label
        else {
            "accuracy": MulticlassAccuracy(num_classes, average="micro"),
            "mean_class_accuracy": MulticlassAccuracy(num_classes, average="macro"),
            "macro_f1": MulticlassF1Score(num_classes, average="macro"),
        }
    )
    return MetricCollection(metrics, prefix="val_", compute_groups=False)  # type: ignore[arg-type]
