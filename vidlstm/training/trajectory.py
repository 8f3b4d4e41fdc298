"""Training a forecaster: losses, schedule and metrics, as a LightningModule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning import LightningModule
from torch import Tensor
from torchmetrics import Metric

from vidlstm.models.forecaster import Forecast, PathForecaster
from vidlstm.training.checkpoint import CARD, CARD_VERSION, read_checkpoint
from vidlstm.training.optimisation import adamw_with_cosine
from vidlstm.training.path_augmentation import PathAugmentation, augment_paths
from vidlstm.training.trajectory_loss import best_of_k_loss, likelihood_loss, mixture_log_density, path_loss
from vidlstm.training.trajectory_metrics import best_of_k, displacement_errors

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

    from vidlstm.structures import SequenceBatch

NEIGHBOURS = "neighbours_BNT2"
RECORDING = "recording_B"


class RecordingMeans(Metric):
    """The mean over recordings of each recording's mean, for several values at once.

    Recordings count alike, as scenes do in the benchmark's average; correct under several processes.

    Args:
        values: how many values.
        recordings: how many recordings.
    """

    full_state_update = False
    total_GV: Tensor
    count_G: Tensor

    def __init__(self, values: int, recordings: int) -> None:
        super().__init__()
        self.add_state("total_GV", torch.zeros(recordings, values, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count_G", torch.zeros(recordings, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, values_BV: Tensor, recording_B: Tensor) -> None:
        """Adds one batch."""
        self.total_GV.index_add_(0, recording_B, values_BV.to(self.total_GV))
        self.count_G.index_add_(0, recording_B, torch.ones_like(recording_B, dtype=self.count_G.dtype))

    def compute(self) -> Tensor:
        """The means ``(V,)``; recordings without a window are left out."""
        there = self.count_G > 0
        return (self.total_GV[there] / self.count_G[there, None]).mean(0)


class TrajectoryModule(LightningModule):
    """Trains a :class:`PathForecaster` by distance, best of K and likelihood together.

    Args:
        model: the forecaster.
        validation_recordings: how many recordings the validation windows come from.
        observed: steps that are seen.
        total_steps: optimiser steps of the whole run, for the schedules.
        learning_rate, weight_decay, warmup_fraction: see :func:`adamw_with_cosine`.
        augmentation: how training windows are changed.
        temperature: of the choice among K at the start, in typical steps; falls to zero quadratically.
        final_weight: of the final distance beside the mean one.
        card: plain values that go into the checkpoint.
    """

    def __init__(
        self,
        model: PathForecaster,
        *,
        validation_recordings: int,
        observed: int,
        total_steps: int,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        warmup_fraction: float = 0.05,
        augmentation: PathAugmentation | None = None,
        temperature: float = 0.7,
        final_weight: float = 0.5,
        card: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.card = {"version": CARD_VERSION, "task": "trajectory", **(card or {})}
        self._observed, self._total_steps, self._warmup_fraction = observed, total_steps, warmup_fraction
        self._learning_rate, self._weight_decay = learning_rate, weight_decay
        self._augmentation = augmentation or PathAugmentation()
        self._temperature, self._final_weight = temperature, final_weight
        self._names = ("ade", "fde", "min_ade", "min_fde", "nll") if model.modes else ("ade", "fde")
        self.val_means = RecordingMeans(len(self._names), validation_recordings)

    def forward(self, x_BTC: Tensor, lengths_B: Tensor, neighbours_BNT2: Tensor | None = None) -> Forecast:
        """The forecast."""
        forecast: Forecast = self.model(x_BTC, lengths_B, neighbours_BNT2)
        return forecast

    def training_step(self, batch: SequenceBatch, batch_index: int) -> Tensor:
        """The loss of one changed batch, in typical steps."""
        paths_BTC, neighbours = augment_paths(
            torch.cat([batch.x_BTF, batch.targets], dim=1),
            batch.extras.get(NEIGHBOURS),
            observed=self._observed,
            typical_step=self.model.typical_step,
            how=self._augmentation,
        )
        seen_BTC, truth_BPC = paths_BTC[:, : self._observed], paths_BTC[:, self._observed :]
        loss = self.loss(self(seen_BTC, batch.lengths_B, neighbours), truth_BPC)
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(batch))
        return loss

    def loss(self, forecast: Forecast, truth_BPC: Tensor) -> Tensor:
        """Distance of the path, of the best of K, and the likelihood of weights and spreads."""
        unit = self.model.typical_step
        loss = path_loss(forecast.path_BPC, truth_BPC) / unit
        if self.model.modes:
            left = 1.0 - min(1.0, self.global_step / max(1, self._total_steps))
            loss = loss + best_of_k_loss(
                forecast.modes_BKPC / unit,
                truth_BPC / unit,
                temperature=self._temperature * left**2,
                final_weight=self._final_weight,
            )
            loss = loss + LIKELIHOOD_WEIGHT * likelihood_loss(forecast, truth_BPC)
        return loss

    def validation_step(self, batch: SequenceBatch, batch_index: int) -> None:
        """Gathers one batch's errors."""
        forecast = self(batch.x_BTF, batch.lengths_B, batch.extras.get(NEIGHBOURS))
        values = displacement_errors(forecast.path_BPC, batch.targets)
        if self.model.modes:
            values |= best_of_k(forecast.modes_BKPC, batch.targets)
            values["nll"] = -mixture_log_density(forecast, batch.targets).mean(-1)
        self.val_means.update(torch.stack([values[n] for n in self._names], dim=-1), batch.extras[RECORDING])

    def on_validation_epoch_end(self) -> None:
        """Logs means over recordings, and ``val_error``, the sum of distances a checkpoint is chosen by."""
        means = dict(zip(self._names, self.val_means.compute(), strict=True))
        error = sum(v for k, v in means.items() if k != "nll")
        self.log_dict({**{f"val_{k}": v for k, v in means.items()}, "val_error": error}, prog_bar=True)
        self.val_means.reset()

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


LIKELIHOOD_WEIGHT = 0.1
"""Reaches the certainty head alone, whose inputs are detached, so it only sets how fast that head learns."""


def load_trajectory_model(path: Path) -> tuple[PathForecaster, dict[str, Any]]:
    """The trained forecaster of a checkpoint, in eval mode, and its card.

    Raises:
        CheckpointError: see :func:`read_checkpoint`.
    """
    state, card = read_checkpoint(path, task="trajectory")
    model = PathForecaster(**card["network"])
    model.load_state_dict({k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")})
    return model.eval(), card
