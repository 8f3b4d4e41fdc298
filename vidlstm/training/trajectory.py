"""Training a forecaster: losses, schedule and metrics, as a LightningModule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchmetrics import Metric

from vidlstm.models.forecaster import Forecast, PathForecaster
from vidlstm.settings import TrajectoryOptimiserSettings
from vidlstm.training.module import TaskModule
from vidlstm.training.path_augmentation import PathAugmentation, augment_paths
from vidlstm.training.trajectory_loss import best_of_k_loss, likelihood_loss, mixture_log_density, path_loss
from vidlstm.training.trajectory_metrics import best_of_k, displacement_errors

if TYPE_CHECKING:
    from vidlstm.cards import Card
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


class TrajectoryModule(TaskModule):
    """Trains a :class:`PathForecaster` by distance, best of K and likelihood together.

    Args:
        model: the forecaster.
        optimiser: losses and schedule.
        validation_recordings: how many recordings the validation windows come from.
        observed: steps that are seen.
        total_steps: optimiser steps of the whole run, for the schedules.
        augmentation: how training windows are changed.
        card: see :class:`TaskModule`.
    """

    model: PathForecaster

    def __init__(
        self,
        model: PathForecaster,
        optimiser: TrajectoryOptimiserSettings | None = None,
        *,
        validation_recordings: int,
        observed: int,
        total_steps: int,
        augmentation: PathAugmentation | None = None,
        card: Card | None = None,
    ) -> None:
        optimiser = optimiser or TrajectoryOptimiserSettings()
        super().__init__(model, optimiser, total_steps=total_steps, card=card)
        self._observed = observed
        self._augmentation = augmentation or PathAugmentation()
        self._temperature, self._final_weight = optimiser.temperature, optimiser.final_weight
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
        self.note(len(batch), loss=loss)
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


LIKELIHOOD_WEIGHT = 0.1
"""Reaches the certainty head alone, whose inputs are detached, so it only sets how fast that head learns."""
