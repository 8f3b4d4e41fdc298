"""``train --task action``: labelled clips to a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning import Trainer, seed_everything
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from vidlstm.backbones.cpu import keep_freed_memory
from vidlstm.datamodules.object_actions import ObjectActionData
from vidlstm.errors import CheckpointError, SettingsError, side_by_side
from vidlstm.files import write_csv, write_json
from vidlstm.settings import (
    TRAINER_DEFAULTS,
    ActionDataSettings,
    ActionModelSettings,
    BackboneSettings,
    OptimiserSettings,
    SamplingSettings,
    plain,
)
from vidlstm.training.action import ActionModule, balanced_weights, classifier_of_card
from vidlstm.training.checkpoint import read_checkpoint
from vidlstm.verbs.action_data import read_split
from vidlstm.verbs.labelled_clips import gather_clips, network_from
from vidlstm.verbs.object_data import how_tracked

if TYPE_CHECKING:
    from vidlstm.backbones.base import Backbone
    from vidlstm.datamodules.sequence_data import SequenceData
    from vidlstm.verbs.extract import Progress
    from vidlstm.verbs.object_network import ObjectNetwork

KEPT_MEGABYTES = 1024
"""Every step takes and gives back the same arrays, some hundred megabytes of them."""


def train_action(
    *,
    data: ActionDataSettings,
    out: Path,
    store: Path = Path("features"),
    backbone: BackboneSettings | None = None,
    sampling: SamplingSettings | None = None,
    model: ActionModelSettings | None = None,
    optimiser: OptimiserSettings | None = None,
    trainer: dict[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Trains an action classifier on labelled clips; extracts missing features first.

    Args:
        data: the clips and how they are split.
        out: takes ``best.ckpt``, ``last.ckpt``, ``metrics.json`` and ``metrics.csv``; with ``data.tracks``
            ``short_tracks.csv`` too, the tracks that are seen too shortly to be trained on.
        store: the feature store's root folder.
        backbone: the frozen network.
        sampling: which frames become features.
        model: the recurrent classifier.
        optimiser: loss and schedule.
        trainer: arguments of Lightning's ``Trainer``, over ``TRAINER_DEFAULTS``.
        seed: of the split, the initial weights and the order of the clips.
        resume: go on from ``out/last.ckpt``.
        progress: told of the extraction.

    Returns:
        What ``metrics.json`` holds: the validation metrics of the best epoch and of the last.

    Raises:
        VidlstmError: see its subclasses; the message names the remedy.
    """
    backbone, sampling = backbone or BackboneSettings(), sampling or SamplingSettings()
    model, optimiser = model or ActionModelSettings(), optimiser or OptimiserSettings()
    check_truncation(model, optimiser)
    seed_everything(seed, workers=True, verbose=False)
    keep_freed_memory(KEPT_MEGABYTES)
    lightning = build_trainer(
        Path(out), trainer or {}, monitor="val_loss", mode="min", patience=optimiser.patience
    )
    labels, split = read_split(data, seed=seed)
    network = network_from(data, backbone)
    datamodule = gather_clips(
        split.train,
        split.validation,
        labels,
        data=data,
        network=network,
        store=Path(store),
        backbone=backbone,
        sampling=sampling,
        seed=seed,
        progress=progress,
        extracted_elsewhere=not extracts(lightning),
    )
    card = make_card(datamodule, network, sampling, data, model, seed=seed)
    task = build_task(datamodule, optimiser, lightning, card, seed=seed)
    checkpoint = resumable(Path(out) / "last.ckpt", card) if resume else None
    lightning.fit(task, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
    return finish(lightning, task, datamodule, Path(out))


def check_truncation(model: ActionModelSettings, optimiser: OptimiserSettings) -> None:
    """Refuses what cannot be cut.

    Raises:
        SettingsError: the network is bidirectional, or the number of steps is negative.
    """
    if optimiser.truncate_steps < 0:
        raise SettingsError(f"optimiser.truncate_steps must not be negative: {optimiser.truncate_steps}")
    if optimiser.truncate_steps and model.bidirectional:
        raise SettingsError(
            "optimiser.truncate_steps needs a network that reads forwards alone, piece by piece; "
            "add --model.bidirectional false"
        )


def make_card(
    data: SequenceData,
    backbone: Backbone | ObjectNetwork,
    sampling: SamplingSettings,
    settings: ActionDataSettings,
    model: ActionModelSettings,
    *,
    seed: int,
) -> dict[str, Any]:
    """The plain values a checkpoint needs so that ``predict`` needs nothing else."""
    tracked = {} if settings.tracks is None else {"objects": how_tracked(settings)}
    return {
        **tracked,
        "labels": list(data.labels),
        "feature_dim": backbone.feature_dim,
        "part_dims": backbone.part_dims,
        "backbone": backbone.spec,
        "weights_source": backbone.weights_source,
        "fps": float(sampling.fps),
        "image_fps": float(sampling.image_fps),
        "window_seconds": data.median_seconds(),
        "model": plain(model),
        "data": plain(settings),
        "seed": seed,
    }


def build_task(
    data: SequenceData,
    optimiser: OptimiserSettings,
    trainer: Trainer,
    card: dict[str, Any],
    *,
    seed: int,
) -> ActionModule:
    """The classifier that the card describes, normalised by the training features, and its task."""
    classifier = classifier_of_card(card)
    classifier.fit_norm(*data.feature_statistics())
    weights = balanced_weights(data.class_counts()) if optimiser.class_weights == "balanced" else None
    epochs = trainer.max_epochs or 1
    steps = data.steps_per_epoch(trainer.world_size) // trainer.accumulate_grad_batches or 1
    return ActionModule(
        classifier,
        len(data.labels),
        total_steps=trainer.max_steps if trainer.max_steps > 0 else epochs * steps,
        learning_rate=optimiser.learning_rate,
        weight_decay=optimiser.weight_decay,
        warmup_fraction=optimiser.warmup_fraction,
        label_smoothing=optimiser.label_smoothing,
        class_weights_K=weights,
        seed=seed,
        card=card,
        truncate_steps=optimiser.truncate_steps,
    )


def resumable(path: Path, card: dict[str, Any]) -> Path:
    """The checkpoint itself, where it comes from a training like the one described by ``card``.

    Raises:
        CheckpointError: it does not, or :func:`read_checkpoint` refuses it.
    """
    _, earlier = read_checkpoint(path, task="action")
    keys = ("labels", "backbone", "fps", "image_fps", "model", "seed", "objects")
    if other := [key for key in keys if earlier.get(key) != card.get(key)]:
        raise CheckpointError(
            f"{path} cannot be resumed, it was trained with other settings; give the same again or another "
            f"--out:\n{side_by_side({k: card.get(k) for k in other}, {k: earlier.get(k) for k in other})}"
        )
    return path


def extracts(trainer: Trainer) -> bool:
    """Whether this process extracts what is missing.

    Lightning starts the other processes of a machine only when the first comes to ``fit``, so they find all
    features there. Other launchers (torchrun, SLURM) start all at once; then each extracts, which one store
    takes, but it is quicker to run ``vidlstm extract`` first.
    """
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return trainer.local_rank == 0 or not isinstance(environment, LightningEnvironment)


def build_trainer(
    out: Path, arguments: dict[str, Any], *, monitor: str, patience: int, mode: str = "max"
) -> Trainer:
    """Lightning's trainer with best and last checkpoints in ``out`` and a CSV logger unless one is given."""
    arguments = {**TRAINER_DEFAULTS, **arguments}
    arguments["default_root_dir"] = arguments.get("default_root_dir") or out
    callbacks = list(arguments.pop("callbacks", None) or [])
    if patience:
        callbacks.append(EarlyStopping(monitor, mode=mode, patience=patience))
    callbacks.append(ModelCheckpoint(out, "best", monitor, mode=mode, enable_version_counter=False))
    # Not the first one's save_last, which writes where there is a new best alone. After it: holds its state.
    callbacks.append(ModelCheckpoint(out, "last", enable_version_counter=False))
    if arguments.get("logger") in (None, True):
        arguments["logger"] = CSVLogger(out, name="", version="")
    return Trainer(callbacks=callbacks, **arguments)


def finish(trainer: Trainer, task: ActionModule, data: SequenceData, out: Path) -> dict[str, Any]:
    """Validates the best epoch and writes ``metrics.json``."""
    last = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val_")}
    best_path = out / "best.ckpt"
    (best,) = trainer.validate(task, datamodule=data, ckpt_path=best_path, verbose=False, weights_only=True)
    epoch = int(torch.load(best_path, map_location="cpu", weights_only=True)["epoch"])
    counts = data.class_counts()
    truth = data.validation_set.targets
    metrics: dict[str, Any] = {
        **{k: float(v) for k, v in best.items()},
        "best_epoch": epoch,
        "epochs": trainer.current_epoch,
        "last_epoch": last,
        "majority_class_accuracy": float((truth == counts.argmax()).float().mean()),
        "train_clips": len(data.train_records),
        "validation_clips": len(data.validation_records),
    }
    if trainer.is_global_zero:
        write_json(metrics, out / "metrics.json")
        if isinstance(data, ObjectActionData):
            rows = [(record.name, track_id) for record, track_id in data.short]
            write_csv(("path", "track_id"), rows, out / "short_tracks.csv")
    return metrics
