"""Lightning's trainer as every task uses it."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning import Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import CheckpointIO, Precision
from torch import distributed

from vidlstm.cards import write_checkpoint
from vidlstm.devices import AUTO, resolve_device
from vidlstm.errors import SettingsError
from vidlstm.features.launch import quieten_loggers, speaks
from vidlstm.settings import TRAINER_DEFAULTS
from vidlstm.training.arguments import best_precision, check_arguments, check_precision, listed
from vidlstm.training.callbacks import StopAtNonFinite, TellProgress
from vidlstm.training.outcome import BEST, LAST, first_line
from vidlstm.training.resuming import in_this_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vidlstm.training.callbacks import TrainingReport


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint under another name first, so that there is the old one or the whole new one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes it; see Lightning's ``CheckpointIO``.

        Raises:
            OutputError: the file cannot be written.
        """
        write_checkpoint(checkpoint, path)

    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Reads one, wherever its folder lies now; see Lightning's ``CheckpointIO``."""
        checkpoint: dict[str, Any] = super().load_checkpoint(path, *args, **kwargs)
        return in_this_folder(checkpoint, Path(os.path.realpath(path)).parent)


def build_trainer(
    out: Path,
    arguments: dict[str, Any],
    *,
    monitor: str,
    patience: int,
    device: str | torch.device | None = None,
    callbacks: Sequence[Any] = (),
    told: Callable[[TrainingReport, int], None] | None = None,
    precision: str | None = None,
) -> Trainer:
    """A trainer with best and last checkpoints in ``out`` and a CSV logger unless one is given.

    Args:
        out: takes everything.
        arguments: of Lightning's ``Trainer``, over ``TRAINER_DEFAULTS``.
        monitor: the logged value whose smallest is the best.
        patience: epochs without a better one before stopping; 0 never stops early.
        device: where to train, unless the arguments say; None and auto leave it to Lightning.
        callbacks: of the task.
        told: how far the run has come. Lightning's bar of each epoch is for whoever asks for it:
            ``enable_progress_bar``, or one among the callbacks.
        precision: of the training that this one goes on with; else ``auto`` is :func:`best_precision`.

    Raises:
        SettingsError: an argument does not fit; see :func:`check_arguments`.
    """
    arguments = {**TRAINER_DEFAULTS, **_placed(device), **arguments}
    check_arguments(arguments)
    arguments["default_root_dir"] = arguments.get("default_root_dir") or out
    plugins = listed(arguments.get("plugins"))
    if arguments.get("precision") in (None, AUTO):
        own = any(isinstance(plugin, Precision) for plugin in plugins)
        chosen_precision = precision or best_precision(arguments.get("accelerator"))
        arguments["precision"] = None if own else chosen_precision
    if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
        plugins.append(WholeCheckpoints())
    chosen = [*listed(arguments.pop("callbacks", None)), *callbacks, StopAtNonFinite(monitor)]
    if not _has_bar(chosen):
        wanted = arguments.get("enable_progress_bar")
        arguments["enable_progress_bar"] = bool(wanted) and not told
        chosen += [TellProgress(told)] if told and wanted is not False else []
    if patience:
        chosen.append(EarlyStopping(monitor, mode="min", patience=patience))
    chosen.append(ModelCheckpoint(out, BEST, monitor, mode="min", enable_version_counter=False))
    # Not the first one's save_last, which writes where there is a new best alone. After it: holds its state.
    chosen.append(ModelCheckpoint(out, LAST, enable_version_counter=False, save_on_train_epoch_end=True))
    if arguments.get("logger") in (None, True):
        arguments["logger"] = CSVLogger(out, name="", version="")
    try:
        trainer = Trainer(**{**arguments, "callbacks": chosen, "plugins": plugins})
    except Exception as error:  # of whatever class: nothing has happened yet but reading the arguments
        raise SettingsError(f"`trainer`: {first_line(error)}", setting="trainer") from error
    check_precision(arguments.get("precision"), trainer.strategy.root_device)
    return trainer


def _has_bar(callbacks: Sequence[Any]) -> bool:
    return any(isinstance(callback, ProgressBar) for callback in callbacks)


def total_steps(trainer: Trainer, batches: int) -> int:
    """Optimiser steps of the whole run, for schedules.

    Args:
        trainer: with its limits.
        batches: of one process in one epoch, before them.
    """
    limit = trainer.limit_train_batches
    taken = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    an_epoch = math.ceil(taken / trainer.accumulate_grad_batches)
    epochs = trainer.max_epochs or 0
    ends = [steps for steps in (an_epoch * epochs, trainer.max_steps) if steps > 0]
    return min(ends, default=1)


def _placed(device: str | torch.device | None) -> dict[str, Any]:
    if device in (None, AUTO):
        return {}
    place = resolve_device(device)
    if place.type == "cpu":
        return {"accelerator": "cpu"}
    return {"accelerator": "gpu", "devices": [place.index or 0]}


def extracts(trainer: Trainer) -> bool:
    """Whether this process extracts what is missing, alone or with others.

    Lightning starts the other processes of a machine only when the first comes to ``fit``, so they find all
    features there. Other launchers (torchrun, SLURM) start all at once; see :func:`start_together`.
    """
    return trainer.local_rank == 0 or _all_at_once(trainer)


def start_together(trainer: Trainer) -> bool:
    """Lets processes that were started all at once find each other, before there is anything to train.

    Returns:
        Whether there are several; then there is a process group.
    """
    if trainer.world_size == 1 or not _all_at_once(trainer):
        return False
    trainer.strategy.setup_environment()  # which `fit` does else, and finds done
    return True


@contextlib.contextmanager
def hanging_up() -> Iterator[None]:
    """Lets the other processes hear at once when this one fails.

    Else they wait until it has gone, which takes seconds after its last word.
    """
    try:
        yield
    except BaseException:
        # What NCCL has under way would have to end first.
        if distributed.is_initialized() and distributed.get_backend() == "gloo":
            distributed.destroy_process_group()
        raise


def _all_at_once(trainer: Trainer) -> bool:
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return not isinstance(environment, LightningEnvironment)


def quieten_lightning() -> None:
    """Leaves what is said of a training's own, without Lightning's remarks on hardware, on other products, on
    folders that are not empty (this room says what happens to them) and on small data."""
    quieten_loggers()
    for remark in REMARKS:
        warnings.filterwarnings("ignore", remark)
    if not speaks():
        warnings.simplefilter("ignore")


REMARKS = (
    r"`isinstance\(treespec",  # of torch 2.15
    ".*exists and is not empty",
    ".*does not have many workers",
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    "Be aware that when using `ckpt_path`",
)
"""How warnings of Lightning's begin that tell a user of vidlstm nothing."""
