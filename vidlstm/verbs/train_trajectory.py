"""``train --task trajectory``: track tables to a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning import seed_everything
from lightning.pytorch.callbacks import EMAWeightAveraging

from vidlstm.files import write_json
from vidlstm.inference.forecast import forecast_windows, truth_of
from vidlstm.models.forecaster import PathForecaster
from vidlstm.settings import (
    TrajectoryDataSettings,
    TrajectoryModelSettings,
    TrajectoryOptimiserSettings,
    plain,
)
from vidlstm.training.path_augmentation import PathAugmentation
from vidlstm.training.trajectory import TrajectoryModule, load_trajectory_model
from vidlstm.training.trajectory_calibration import fit_spread_scale
from vidlstm.verbs.train_action import build_trainer
from vidlstm.verbs.trajectory_data import prepare_trajectories
from vidlstm.verbs.trajectory_scores import score_baselines, score_model

if TYPE_CHECKING:
    from lightning import Trainer

    from vidlstm.datamodules.trajectories import TrajectoryData

SPREAD_SCALE = "model.spread_scale_P"


def train_trajectory(
    *,
    data: TrajectoryDataSettings,
    out: Path,
    model: TrajectoryModelSettings | None = None,
    optimiser: TrajectoryOptimiserSettings | None = None,
    trainer: dict[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
) -> dict[str, Any]:
    """Trains a forecaster on track tables; the epoch is chosen, and the spread calibrated, on validation.

    Args:
        data: the tracks and how they are cut and changed.
        out: takes ``best.ckpt``, ``last.ckpt``, ``metrics.json`` and ``metrics.csv``.
        model: the forecaster.
        optimiser: losses and schedule.
        trainer: arguments of Lightning's ``Trainer``, over ``TRAINER_DEFAULTS``.
        seed: of the initial weights, the draws and the changes to windows.
        resume: go on from ``out/last.ckpt``.

    Returns:
        What ``metrics.json`` holds: ``ade``, ``fde``, ``min_ade``, ``min_fde`` and more on the test side (on
        validation where there is no test side; ``side`` says which), the baselines' rows beside them, and
        ``validation`` with the same on the validation side.

    Raises:
        VidlstmError: see its subclasses; the message names the remedy.
    """
    model, optimiser = model or TrajectoryModelSettings(), optimiser or TrajectoryOptimiserSettings()
    out = Path(out)
    seed_everything(seed, workers=True, verbose=False)
    datamodule = prepare_trajectories(data, model, seed=seed)
    arguments = {"log_every_n_steps": 50, **(trainer or {})}
    averaging = EMAWeightAveraging(decay=optimiser.average_decay)
    arguments["callbacks"] = [*(arguments.get("callbacks") or []), averaging]
    lightning = build_trainer(out, arguments, monitor="val_error", mode="min", patience=optimiser.patience)
    task = _task(datamodule, data, model, optimiser, lightning, seed=seed)
    checkpoint = out / "last.ckpt" if resume else None
    lightning.fit(task, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
    metrics: dict[str, Any] = {}
    if lightning.is_global_zero:
        _calibrate(out / "best.ckpt", datamodule)
        metrics = _measure(out / "best.ckpt", datamodule)
        write_json(metrics, out / "metrics.json")
    return metrics


def _task(
    datamodule: TrajectoryData,
    data: TrajectoryDataSettings,
    model: TrajectoryModelSettings,
    optimiser: TrajectoryOptimiserSettings,
    trainer: Trainer,
    *,
    seed: int,
) -> TrajectoryModule:
    network = {k: v for k, v in plain(model).items() if k != "neighbours"}
    network |= {"horizon": data.horizon, "coordinates": datamodule.coordinates}
    forecaster = PathForecaster(**network)
    forecaster.fit(datamodule.typical_step())
    steps = -(-data.draws_per_epoch // (data.batch_size * trainer.world_size))
    total = trainer.max_steps if trainer.max_steps > 0 else (trainer.max_epochs or 1) * steps
    assert datamodule.validation_set is not None
    return TrajectoryModule(
        forecaster,
        validation_recordings=int(datamodule.validation_set.recording_N.max()) + 1,
        observed=data.observed,
        total_steps=total,
        learning_rate=optimiser.learning_rate,
        weight_decay=optimiser.weight_decay,
        warmup_fraction=optimiser.warmup_fraction,
        augmentation=PathAugmentation(data.flip, data.reverse, data.scale, data.noise, data.noisy),
        temperature=optimiser.temperature,
        final_weight=optimiser.final_weight,
        card={
            "network": network,
            "model": plain(model),
            "data": plain(data),
            "unit": datamodule.unit,
            "seconds_per_step": float(datamodule.seconds_per_step),
            "neighbours": datamodule.neighbours,
            "seed": seed,
        },
    )


def _calibrate(path: Path, datamodule: TrajectoryData) -> None:
    """Fits the spread's scale on the validation windows and writes it into the checkpoint."""
    model, _ = load_trajectory_model(path)
    windows = datamodule.validation_set
    if not model.modes or windows is None:
        return
    scale_P = fit_spread_scale(forecast_windows(model, windows), truth_of(windows), windows.recording_N)
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    checkpoint["state_dict"][SPREAD_SCALE] *= scale_P.to(checkpoint["state_dict"][SPREAD_SCALE])
    partial = path.with_suffix(".partial")
    torch.save(checkpoint, partial)
    partial.replace(path)


def _measure(path: Path, datamodule: TrajectoryData) -> dict[str, Any]:
    model, _ = load_trajectory_model(path)
    assert datamodule.validation_set is not None
    side = "test" if datamodule.test_set is not None else "validation"
    windows = datamodule.test_set if datamodule.test_set is not None else datamodule.validation_set
    epoch = int(torch.load(path, map_location="cpu", weights_only=True)["epoch"])
    return {
        **score_model(model, windows),
        "side": side,
        "unit": datamodule.unit,
        "best_epoch": epoch,
        "baselines": score_baselines(windows),
        "validation": score_model(model, datamodule.validation_set),
        "validation_baselines": score_baselines(datamodule.validation_set),
    }
