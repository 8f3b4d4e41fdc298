"""What a training leaves in its folder, and what ends it before its time."""

from __future__ import annotations

import shutil
import signal
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from vidlstm.errors import OutputError, SettingsError, Stopped
from vidlstm.files import atomic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightning import Trainer

BEST, LAST = "best", "last"
"""The names of the two checkpoints."""
CHECKPOINTS = (f"{BEST}.ckpt", f"{LAST}.ckpt")
TERMINATED = 128 + signal.SIGTERM


def refuse_trained(out: Path) -> None:
    """Refuses a folder that holds a training.

    Raises:
        OutputError: it does.
    """
    if there := [name for name in CHECKPOINTS if (out / name).exists()]:
        raise OutputError(
            f"{out} holds a training already ({' and '.join(there)}): add `resume true` to go on with it or "
            "`overwrite true` to replace it, or choose another `out`"
        )


def best_of(trainer: Trainer) -> ModelCheckpoint:
    """What keeps the best epoch."""
    return _keeper(trainer, BEST)


def last_of(trainer: Trainer) -> ModelCheckpoint:
    """What keeps the last epoch."""
    return _keeper(trainer, LAST)


def _keeper(trainer: Trainer, name: str) -> ModelCheckpoint:
    # From the end: a user's own stand before.
    callbacks: list[Any] = trainer.callbacks[::-1]  # type: ignore[attr-defined]
    return next(c for c in callbacks if isinstance(c, ModelCheckpoint) and c.filename == name)


def written(keeper: ModelCheckpoint) -> Path | None:
    """The checkpoint that this training, or the one it resumed, has written; None where there is none yet."""
    path = Path(keeper.best_model_path)
    return path if keeper.best_model_path and path.is_file() else None


def keep_best(trainer: Trainer, out: Path) -> Path:
    """The checkpoint of the best epoch; where none was validated, that of the last, with a warning.

    Raises:
        SettingsError: not one step was trained.
    """
    if trainer.global_step == 0:
        raise SettingsError("`trainer.max_time` was over before one step was trained")
    if best := written(best_of(trainer)):
        return best
    warnings.warn(
        "no epoch was validated (`trainer.check_val_every_n_epoch`, `trainer.val_check_interval`, "
        "`trainer.max_steps` or `trainer.max_time` end the training before); best.ckpt is the last state",
        stacklevel=2,
    )
    best = out / f"{BEST}.ckpt"
    if last := written(last_of(trainer)):
        if trainer.is_global_zero:
            with atomic(best) as temporary:
                shutil.copyfile(last, temporary)
        trainer.strategy.barrier()
    else:
        trainer.save_checkpoint(best)
    return best


@contextmanager
def fitting(trainer: Trainer, out: Path) -> Iterator[None]:
    """What ends a training before its time, in words: Lightning's errors, a full disk, Ctrl-C, SIGTERM.

    Args:
        trainer: that is at work inside.
        out: its folder.

    Raises:
        SettingsError: an argument of the trainer does not fit the data.
        OutputError: a file cannot be written.
        Stopped: somebody ended it.
    """
    try:
        yield
    except (MisconfigurationException, ValueError) as error:
        if isinstance(error, ValueError) and "val_check_interval" not in str(error):
            raise
        raise SettingsError(f"`trainer`: {first_line(error)}") from error
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written: {error.strerror or error}; make room, or choose another `out`"
        ) from error
    except KeyboardInterrupt as stop:
        raise _stopped(trainer, stop) from None
    except SystemExit as stop:  # what Lightning makes of both, with status 1 or 0
        if isinstance(stop, SIGTERMException):
            raise _stopped(trainer, stop) from None
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise _stopped(trainer, stop.__context__) from None
        raise


def _stopped(trainer: Trainer, stop: BaseException) -> Stopped:
    status = TERMINATED if isinstance(stop, SIGTERMException) else getattr(stop, "status", 130)
    word = "terminated" if status == TERMINATED else "interrupted"
    kept = [path for path in map(written, (best_of(trainer), last_of(trainer))) if path]
    if not kept:
        return Stopped(f"{word} before an epoch was finished; no checkpoint was written", status=status)
    return Stopped(
        f"{word} in epoch {trainer.current_epoch}; {' and '.join(map(str, kept))} of the finished epochs "
        f"{'is' if len(kept) == 1 else 'are'} kept. The same again with `resume true` goes on from there",
        status=status,
    )


def first_line(error: Exception) -> str:
    """What a library says, without its further lines."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
