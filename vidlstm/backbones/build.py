"""A backbone as settings describe it; ``restore.py`` builds the one that a checkpoint describes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vidlstm.backbones.base import Backbone, number_format
from vidlstm.backbones.families import family_of
from vidlstm.backbones.parts import TRACK_POSE, parse_parts
from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError
from vidlstm.structures import FrameSize

if TYPE_CHECKING:
    import torch

    from vidlstm.backbones.network import Network
    from vidlstm.backbones.parts import Part
    from vidlstm.settings import BackboneSettings


def build_backbone(settings: BackboneSettings, *, device: torch.device | str | None = None) -> Backbone:
    """Builds a frozen backbone.

    Args:
        settings: which networks, their weights, and how to run them. A name that is spelled
            ``package.module:function`` is imported.
        device: where it runs; None takes a GPU where there is one.

    Raises:
        SettingsError: a name, the dtype or the device is unknown, or they do not go together.
        WeightsError: the weights are nowhere, or do not fit.
    """
    parts = parse_parts(settings.name, settings.weights)
    if any(part.name == TRACK_POSE for part in parts):
        raise SettingsError(
            f"{TRACK_POSE} describes tracked objects; train on their table: `data.tracks FILE`"
        )
    if settings.size is not None and settings.size < 1:
        raise SettingsError(f"`backbone.size` must be above 0, not {settings.size}")
    families = [family_of(part) for part in parts]
    if settings.size is not None and not any(family.takes_size for family in families):
        raise SettingsError(
            f"`backbone.size` is for YOLO networks and timm's; {settings.name} has a size of its own"
        )
    target = resolve_device(device)
    dtype = number_format(settings.dtype, target)
    networks = with_one_fit([build_network(part, settings) for part in parts], settings.fit)
    return Backbone(*networks, dtype=dtype, device=target, compile=settings.compile)


def build_network(part: Part, settings: BackboneSettings) -> Network:
    """One network, under the name it was asked for and shown what was asked for.

    Raises:
        SettingsError, WeightsError: see :meth:`Family.build`.
    """
    network = replace(family_of(part).build(part, settings), name=part.spelling)
    return replace(network, view=part.view) if part.view == "motion" else network


def with_one_fit(networks: list[Network], fit: str) -> list[Network]:
    """The networks with one fit: a frame is decoded once, so all see it brought to size in the same way.

    Args:
        networks: each with the fit it is used to.
        fit: a name in ``structures.FITS``, or ``auto``: their own where it is one, else letterbox where one
            of them needs it.
    """
    if fit == "auto":
        own = {network.size.fit for network in networks}
        fit = own.pop() if len(own) == 1 else "letterbox" if "letterbox" in own else "squash"
    return [replace(n, size=FrameSize(n.size.height, n.size.width, fit)) for n in networks]  # type: ignore[arg-type]
