"""Where networks run: what the word after ``--device`` means on this machine; and its memory."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.errors import SettingsError, nearest

if TYPE_CHECKING:
    import torch

AUTO = "auto"


def resolve_device(text: str | torch.device | None) -> torch.device:
    """The device that a setting names.

    Args:
        text: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``auto`` or None takes a CUDA GPU where there is one,
            else the CPU. Apple's GPU is taken only by name: the tests were never run on one.

    Raises:
        SettingsError: it is misspelt, or not on this machine; the message lists what is.
    """
    import torch  # here, so that the command line can ask for this module cheaply

    there = devices_here()
    if text is None or text == AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = str(text)
    if name in there or f"{name}:0" in there or name.removesuffix(":0") in there:
        return torch.device(name)
    if name.partition(":")[0] in ("cpu", "cuda", "mps"):
        raise SettingsError(f"`device` {name} is not on this machine, which has {', '.join(there)}")
    raise SettingsError(f"`device` {name!r} is unknown{nearest(name, [AUTO, 'cuda', *there])}")


def memory_bytes(device: torch.device) -> int | None:
    """All memory of a CUDA GPU, free or not, so that the answer is the same on every call; else None."""
    import torch

    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def free_memory_bytes() -> float:
    """Memory that can be taken without swapping; unlimited where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return math.inf
    available = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return float(available[0][1]) * 1024 if available else math.inf


def devices_here() -> list[str]:
    """What can be named on this machine: ``cpu``, each ``cuda:N``, ``mps``."""
    import torch

    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]
