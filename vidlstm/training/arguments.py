"""What of Lightning's ``Trainer`` a training takes: one table of all its arguments, read before any work.

Lightning checks some of them when the trainer is built, some when it has trained, and some never; and some
would leave no checkpoint, or have no effect here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from numbers import Integral, Real
from typing import Any

import torch
from lightning import Callback
from lightning.pytorch.accelerators import AcceleratorRegistry, CUDAAccelerator
from lightning.pytorch.loggers import Logger

from vidlstm.devices import AUTO
from vidlstm.errors import SettingsError, nearest

PRECISION = "precision"
"""The key under which a checkpoint says in what precision it was trained."""

Fits = Callable[[Any], bool]


@dataclass(frozen=True)
class Rule:
    """What an argument may be.

    Attributes:
        words: that, for a message.
        fits: whether a value is.
        why: what another value would lead to, and what to do instead.
    """

    words: str
    fits: Fits
    why: str = ""


def whole(least: int) -> Fits:
    """Whole numbers from ``least``."""
    return lambda value: type(value) is not bool and isinstance(value, Integral) and int(value) >= least


def one_of(*values: Any) -> Fits:
    """These alone, and none that merely equals one, as 1 equals True."""
    return lambda value: any(value is v or (type(value) is type(v) and value == v) for v in values)


def either(*kinds: Fits) -> Fits:
    """What fits any of them."""
    return lambda value: any(fits(value) for fits in kinds)


def duration(value: Any) -> bool:
    """More than no time: ``DD:HH:MM:SS``, a timedelta, or a dict of its arguments."""
    if isinstance(value, str):
        parts = re.fullmatch(r"(\d+):(\d\d):(\d\d):(\d\d)", value)
        return parts is not None and any(int(part) for part in parts.groups())
    try:
        return (timedelta(**value) if isinstance(value, Mapping) else value) > timedelta()
    except TypeError:
        return False


def share(value: Any) -> bool:
    """A float above 0, to 1."""
    return isinstance(value, float) and 0 < value <= 1


def _number(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, Real) and 0 <= float(value) < math.inf


def _accelerators() -> list[str]:
    there = (n for n in AcceleratorRegistry if AcceleratorRegistry[n]["accelerator"].is_available())
    names = ["auto", *there]
    return sorted({*names, "gpu"} if {"cuda", "mps"} & set(names) else names)


def _accelerator(value: Any) -> bool:
    return not isinstance(value, str) or value in _accelerators()


def _unsharded(value: Any) -> bool:
    name = value if isinstance(value, str) else type(value).__name__
    return not re.search("fsdp|deepspeed|modelparallel|xla", name.lower())


def _loggers(value: Any) -> bool:
    given = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    return all(logger is None or isinstance(logger, bool | Logger) for logger in given)


def listed(given: Any) -> list[Any]:
    """One, several or none, as Lightning takes callbacks and plugins."""
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple | set) else [given]


NONE = one_of(None)
FLAG = Rule("true or false", one_of(None, True, False))
NUMBER = Rule("a whole number from 0", either(NONE, whole(0)))
ANY = Rule("anything", lambda value: True)
BATCHES = Rule(
    "a share of the batches (above 0.0, to 1.0) or a whole number of them from 1",
    either(NONE, share, whole(1)),
)
ALL = either(NONE, one_of(1.0))
DURATION = "a time such as 00:12:00:00 (days, hours, minutes, seconds)"
OFF = one_of(None, False)

RULES: dict[str, Rule] = {
    "accelerator": Rule("one that is on this machine", _accelerator),
    "accumulate_grad_batches": Rule("a whole number from 1", whole(1)),
    "barebones": Rule("false", OFF, "it leaves out checkpoints and logs, which a training is for"),
    "benchmark": FLAG,
    "callbacks": Rule(
        "Lightning's callbacks", lambda value: all(isinstance(c, Callback) for c in listed(value))
    ),
    "check_val_every_n_epoch": Rule("a whole number from 1, or null", either(NONE, whole(1))),
    "default_root_dir": ANY,
    "deterministic": Rule("true, false or warn", one_of(None, True, False, "warn")),
    "detect_anomaly": FLAG,
    "devices": ANY,
    "enable_autolog_hparams": FLAG,
    "enable_checkpointing": Rule(
        "true", one_of(None, True), "without checkpoints nothing is left of a training to predict with"
    ),
    "enable_model_summary": FLAG,
    "enable_progress_bar": FLAG,
    "fast_dev_run": Rule(
        "false",
        either(OFF, one_of(0)),
        "it leaves no checkpoint; for a short try take `trainer.max_epochs 1` and "
        "`trainer.limit_train_batches 1`",
    ),
    "gradient_clip_algorithm": Rule("norm or value", one_of(None, "norm", "value")),
    "gradient_clip_val": Rule("a number from 0", either(NONE, _number)),
    "inference_mode": FLAG,
    "limit_predict_batches": Rule("left out", ALL, "it has no effect on a training"),
    "limit_test_batches": Rule(
        "left out", ALL, "it has no effect on a training; vidlstm evaluate scores a test side"
    ),
    "limit_train_batches": BATCHES,
    "limit_val_batches": Rule(
        BATCHES.words, BATCHES.fits, "validation chooses the epoch that is kept; it cannot be left out"
    ),
    "log_every_n_steps": NUMBER,
    "logger": Rule("true, false, or Lightning's loggers", _loggers),
    "max_epochs": Rule(
        "a whole number from 1, or -1 beside `trainer.max_steps`", either(NONE, whole(1), one_of(-1))
    ),
    "max_steps": Rule("a whole number from 1, or -1 for no limit", either(whole(1), one_of(-1))),
    "max_time": Rule(DURATION, either(NONE, duration)),
    "min_epochs": NUMBER,
    "min_steps": NUMBER,
    "model_registry": Rule(
        "left out", either(NONE, one_of("")), "it sends checkpoints to a service of Lightning's"
    ),
    "num_nodes": Rule("a whole number from 1", whole(1)),
    "num_sanity_val_steps": Rule("a whole number from 0, or -1 for all", either(NONE, whole(-1))),
    "overfit_batches": Rule(
        "0",
        one_of(None, 0, 0.0),
        "the data modules order their batches themselves; to see whether a network can learn a few clips by "
        "heart, take `trainer.limit_train_batches`",
    ),
    "plugins": ANY,
    "precision": Rule(
        "auto, 32-true, 64-true, bf16-mixed or 16-mixed",
        one_of(
            None, AUTO, 32, 64, 16, "32", "64", "16", "bf16", "32-true", "64-true", "16-mixed", "bf16-mixed"
        ),
        "weights of 16 bits lose the small steps of a training; bf16-mixed computes in 16 bits and keeps "
        "them in 32",
    ),
    "profiler": ANY,
    "reload_dataloaders_every_n_epochs": Rule("a whole number from 0", whole(0)),
    "strategy": Rule(
        "auto, ddp, or another that gives every process the whole network",
        _unsharded,
        "a network that is split among devices does not lie in one checkpoint",
    ),
    "sync_batchnorm": Rule("false", OFF, "there is no batch norm in these networks"),
    "use_distributed_sampler": Rule(
        "false", OFF, "the data modules share sequences among processes themselves, so that none counts twice"
    ),
    "val_check_interval": Rule(f"{BATCHES.words}, or {DURATION}", either(BATCHES.fits, duration)),
}


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Refuses what a training cannot do.

    Raises:
        SettingsError: an argument is unknown or its value does not fit; says what would.
    """
    for name, value in arguments.items():
        setting = f"trainer.{name}"
        if name not in RULES:
            raise SettingsError(f"no setting is called {setting}{nearest(name, RULES)}", setting=setting)
        rule = RULES[name]
        if not rule.fits(value):
            words = rule.words if name != "accelerator" else f"{rule.words} ({', '.join(_accelerators())})"
            why = f": {rule.why}" if rule.why else ""
            raise SettingsError(f"`{setting}` must be {words}, not {value!r}{why}", setting=setting)
    if arguments.get("max_epochs") == -1 and arguments.get("max_steps", -1) == -1:
        raise SettingsError(
            "`trainer.max_epochs -1` has no end that the learning rate could fall towards; give "
            "`trainer.max_steps` too"
        )
    if arguments.get("check_val_every_n_epoch", 1) is None and not whole(1)(
        arguments.get("val_check_interval")
    ):
        raise SettingsError(
            "`trainer.check_val_every_n_epoch null` needs a whole number of batches as "
            "`trainer.val_check_interval`"
        )


def best_precision(accelerator: Any) -> str:
    """What ``auto`` stands for: bf16-mixed on a GPU that computes in bfloat16, else 32-true.

    Args:
        accelerator: as Lightning takes it, by name or as an object.
    """
    gpu = accelerator in (None, AUTO, "gpu", "cuda") or isinstance(accelerator, CUDAAccelerator)
    if gpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16-mixed"
    return "32-true"


def check_precision(precision: Any, device: torch.device) -> None:
    """Refuses 16 bits on a processor that has no recurrent network in them; only trying tells.

    Raises:
        SettingsError: it has none.
    """
    if device.type != "cpu" or "16" not in str(precision):
        return
    try:
        with torch.autocast("cpu", torch.bfloat16):
            torch.nn.LSTM(8, 8)(torch.zeros(2, 3, 8))[0].sum().backward()
    except RuntimeError:
        raise SettingsError(
            f"`trainer.precision {precision}` is not there on this processor, whose recurrent networks "
            "compute in 32 bits alone; give `trainer.precision 32-true`"
        ) from None
