"""Lightning's trainer as every task uses it, and what may go on where an earlier run stopped."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning import Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only

from vidlstm.cards import card_from, read_checkpoint
from vidlstm.devices import AUTO, resolve_device
from vidlstm.errors import CheckpointError, OutputError, SettingsError, side_by_side
from vidlstm.files import atomic
from vidlstm.settings import TRAINER_DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.cards import Card


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint under another name first, so that there is the old one or the whole new one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes it; see Lightning's ``CheckpointIO``.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            with atomic(path) as temporary:
                torch.save(checkpoint, temporary)
        except RuntimeError as error:  # what torch's writer makes of a full disk
            raise OutputError(
                f"{path}: cannot be written: {str(error).splitlines()[0]}; make room"
            ) from error


def build_trainer(
    out: Path,
    arguments: dict[str, Any],
    *,
    monitor: str,
    patience: int,
    device: str | torch.device | None = None,
    callbacks: Sequence[Any] = (),
) -> Trainer:
    """A trainer with best and last checkpoints in ``out`` and a CSV logger unless one is given.

    Args:
        out: takes everything.
        arguments: of Lightning's ``Trainer``, over ``TRAINER_DEFAULTS``.
        monitor: the logged value whose smallest is the best.
        patience: epochs without a better one before stopping; 0 never stops early.
        device: where to train, unless the arguments say; None and auto leave it to Lightning.
        callbacks: of the task.
    """
    arguments = {**TRAINER_DEFAULTS, **_placed(device), **arguments}
    arguments["default_root_dir"] = arguments.get("default_root_dir") or out
    if not arguments.get("plugins"):
        arguments["plugins"] = [WholeCheckpoints()]
    chosen = [*(arguments.pop("callbacks", None) or []), *callbacks]
    if patience:
        chosen.append(EarlyStopping(monitor, mode="min", patience=patience))
    chosen.append(ModelCheckpoint(out, "best", monitor, mode="min", enable_version_counter=False))
    # Not the first one's save_last, which writes where there is a new best alone. After it: holds its state.
    chosen.append(ModelCheckpoint(out, "last", enable_version_counter=False))
    if arguments.get("logger") in (None, True):
        arguments["logger"] = CSVLogger(out, name="", version="")
    try:
        return Trainer(callbacks=chosen, **arguments)
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise SettingsError(f"`trainer`: {error}", setting="trainer") from error


def _placed(device: str | torch.device | None) -> dict[str, Any]:
    if device in (None, AUTO):
        return {}
    place = resolve_device(device)
    if place.type == "cpu":
        return {"accelerator": "cpu"}
    return {"accelerator": "gpu", "devices": [place.index or 0]}


def extracts(trainer: Trainer) -> bool:
    """Whether this process extracts what is missing.

    Lightning starts the other processes of a machine only when the first comes to ``fit``, so they find all
    features there. Other launchers (torchrun, SLURM) start all at once; then each extracts, which one store
    takes, but it is quicker to run ``vidlstm extract`` first.
    """
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return trainer.local_rank == 0 or not isinstance(environment, LightningEnvironment)


def resumable(path: Path, card: Card, keys: Sequence[str]) -> Path:
    """The checkpoint itself, where it comes from a training like the one that ``card`` describes.

    Args:
        path: what an earlier run left.
        card: of this run.
        keys: what must be alike.

    Raises:
        CheckpointError: it does not, or :func:`read_checkpoint` refuses it.
    """
    checkpoint = read_checkpoint(path)
    ours = card.as_plain()
    theirs: dict[str, Any] = {"task": checkpoint.task}
    if checkpoint.task == card.task:
        # Typed and back, so that settings that did not exist then have their defaults.
        theirs = card_from(type(card), checkpoint.plain, str(path)).as_plain()
    if other := [key for key in ("task", *keys) if theirs.get(key) != ours.get(key)]:
        raise CheckpointError(
            f"{path} cannot be resumed, it was trained with other settings; give the same again or another "
            f"`out`:\n{side_by_side({k: ours.get(k) for k in other}, {k: theirs.get(k) for k in other})}"
        )
    return path


def speaks() -> bool:
    """Whether this process prints; of several that train together only the first does."""
    return not getattr(rank_zero_only, "rank", 0)


def quieten_lightning() -> None:
    """Leaves Lightning's warnings, without its remarks on hardware and on other products."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", r"`isinstance\(treespec", FutureWarning)  # Lightning's, of torch 2.15
    if not speaks():
        warnings.simplefilter("ignore")
