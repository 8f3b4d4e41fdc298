"""A backbone by name, or several joined."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from vidlstm.backbones.base import Backbone, best_dtype
from vidlstm.backbones.efficientnet_lite import build_efficientnet_lite0
from vidlstm.backbones.network import DTYPES, Network
from vidlstm.backbones.torchvision import build_torchvision, torchvision_names
from vidlstm.backbones.yolo.family import YOLO_KINDS, build_yolo
from vidlstm.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

BACKBONES: dict[str, Callable[..., Network]] = {
    "efficientnet_lite0": build_efficientnet_lite0,
    **dict.fromkeys(YOLO_KINDS, build_yolo),
    **dict.fromkeys(torchvision_names(), build_torchvision),
}
"""Backbone name to the function that builds its network."""

JOINT = "+"
MOTION = ":motion"
"""After a name: the network is shown not the pictures but how they change."""


def build_backbone(
    name: str,
    *,
    weights: str | None = None,
    trust: bool = False,
    size: int | None = None,
    download: bool = False,
    dtype: str = "auto",
    fit: str = "auto",
    compile: bool = False,
    device: torch.device | str | None = None,
) -> Backbone:
    """Builds a frozen backbone.

    Args:
        name: one of ``BACKBONES``, or several joined by ``+``; with ``:motion`` after it, a network is shown
            the change from frame to frame.
        weights: a file, ``random``, or None to look in torch hub's cache and installed packages. For joined
            networks as many, in their order, joined by ``+``; nothing between two is None.
        trust: read a YOLO file that may run code.
        size: of the square frames a YOLO network is given, in pixels; None is what it was trained on.
        download: whether to download weights found nowhere else.
        dtype: ``float32``, ``bfloat16``, or ``auto`` for what the processor is fastest at.
        fit: a name in ``structures.FITS``, or ``auto``: letterbox where a YOLO network looks at the frames,
            whose people and things would be distorted otherwise, else squash.
        compile: run it through ``torch.compile``.
        device: None takes a GPU where there is one.

    Raises:
        SettingsError: a name or the dtype is unknown, or they do not go together.
        WeightsError: the weights are nowhere, or do not fit.
    """
    names = name.split(JOINT)
    for part in names:
        kind = part.removesuffix(MOTION)
        if kind not in BACKBONES or (kind != part and kind in YOLO_KINDS):
            raise SettingsError(f"no backbone is called {part!r}{nearest(part, BACKBONES)}")
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    chosen = best_dtype(target) if dtype == "auto" else dtype
    if chosen not in DTYPES:
        raise SettingsError(f"--backbone.dtype {dtype!r} is unknown{nearest(dtype, DTYPES)}")
    if size is not None and not any(part in YOLO_KINDS for part in names):
        raise SettingsError(f"--backbone.size is for YOLO networks; {name} has a size of its own")
    if fit == "auto":
        fit = "letterbox" if any(part in YOLO_KINDS for part in names) else "squash"
    files = _weights_of_each(names, weights)
    more = [{"trust": trust, "size": size} if part in YOLO_KINDS else {} for part in names]
    networks = [
        _network(part, weights=file, download=download, fit=fit, **options)
        for part, file, options in zip(names, files, more, strict=True)
    ]
    return Backbone(*networks, dtype=chosen, device=target, compile=compile)


def _network(name: str, **options: Any) -> Network:
    kind = name.removesuffix(MOTION)
    network = BACKBONES[kind](kind, **options)
    return network if kind == name else replace(network, name=name, view="motion")


def _weights_of_each(names: list[str], weights: str | None) -> list[str | None]:
    if weights is None or len(names) == 1:
        return [weights] * len(names)
    files = weights.split(JOINT)
    if len(files) != len(names):
        raise SettingsError(
            f"--backbone.name joins {len(names)} networks and --backbone.weights {len(files)}: give one for "
            f"each, in the same order, as in a.pth{JOINT}b.pt; leave a place empty to have it looked for"
        )
    return [file or None for file in files]
