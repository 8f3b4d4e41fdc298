"""A backbone by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from vidlstm.backbones.base import DTYPES, Backbone, Network, best_dtype
from vidlstm.backbones.efficientnet_lite import build_efficientnet_lite0
from vidlstm.backbones.torchvision import build_torchvision, torchvision_names
from vidlstm.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

BACKBONES: dict[str, Callable[..., Network]] = {
    "efficientnet_lite0": build_efficientnet_lite0,
    **dict.fromkeys(torchvision_names(), build_torchvision),
}
"""Backbone name to the function that builds its network."""

MOTION = ":motion"
"""After a name: the network is shown not the pictures but how they change."""


def build_backbone(
    name: str,
    *,
    weights: str | None = None,
    download: bool = False,
    dtype: str = "auto",
    fit: str = "squash",
    compile: bool = False,
    device: torch.device | str | None = None,
) -> Backbone:
    """Builds a frozen backbone.

    Args:
        name: one of ``BACKBONES``; with ``:motion`` after it, it is shown the change from frame to frame.
        weights: a file, ``random``, or None to look in torch hub's cache and installed packages.
        download: whether to download weights found nowhere else.
        dtype: ``float32``, ``bfloat16``, or ``auto`` for what the processor is fastest at.
        fit: a name in ``structures.FITS``.
        compile: run it through ``torch.compile``.
        device: None takes a GPU where there is one.

    Raises:
        SettingsError: the name or the dtype is unknown.
        WeightsError: the weights are nowhere, or do not fit.
    """
    kind = name.removesuffix(MOTION)
    if kind not in BACKBONES:
        raise SettingsError(f"no backbone is called {name!r}{nearest(name, BACKBONES)}")
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    chosen = best_dtype(target) if dtype == "auto" else dtype
    if chosen not in DTYPES:
        raise SettingsError(f"--backbone.dtype {dtype!r} is unknown{nearest(dtype, DTYPES)}")
    network = BACKBONES[kind](kind, weights=weights, download=download, fit=fit)
    if kind != name:
        network = replace(network, name=name, view="motion")
    return Backbone(network, dtype=chosen, device=target, compile=compile)
