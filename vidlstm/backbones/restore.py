"""The backbone that a checkpoint was trained on, built from its spec, which may be anyone's.

Nothing is imported because a file names it. Code from outside the package must be registered in this process,
be offered by an installed distribution, or be named in ``settings.name`` by the user; and it is not handed a
weights file that only the checkpoint speaks of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.base import Backbone
from vidlstm.backbones.build import build_network, with_one_fit
from vidlstm.backbones.families import FAMILIES, family_of
from vidlstm.backbones.network import DTYPES
from vidlstm.backbones.parts import JOINT, Part, parse_parts, sources
from vidlstm.backbones.plugins import Plugins, is_import_path, load
from vidlstm.backbones.weights import RANDOM
from vidlstm.devices import resolve_device
from vidlstm.errors import WeightsError, side_by_side
from vidlstm.structures import FITS

if TYPE_CHECKING:
    import torch

    from vidlstm.backbones.network import Network
    from vidlstm.settings import BackboneSettings

MOST_NETWORKS, LARGEST_SIDE = 16, 8192
"""Side by side, and of their frames in pixels: what is built before anything can be compared."""


def backbone_of_spec(
    spec: dict[str, Any],
    *,
    weights_source: str,
    settings: BackboneSettings,
    device: torch.device | str | None = None,
    given: Backbone | None = None,
) -> Backbone:
    """The backbone that a checkpoint was trained on.

    Args:
        spec: ``Backbone.spec`` of the training; it says name, dtype, fit and size.
        weights_source: ``Backbone.weights_source`` of the training; used where the files are still there.
        settings: where the weights are now, and how to run it (trust, download, compile). ``name`` may speak
            of code to import, as ``package.module:function``.
        device: where it runs; None takes a GPU where there is one.
        given: the backbone itself, where the caller has it; it is only compared.

    Raises:
        SettingsError: the settings join another number of weights, or the device is unknown.
        WeightsError: the weights are not found, or not those of the training; a network is not known here;
            the spec is damaged.
    """
    known = _known_parts(spec, weights_source, settings.weights if given is None else None)
    backbone = given if given is not None else _rebuilt(spec, known, settings, device)
    if backbone.spec != spec:
        raise WeightsError(
            "this backbone is not the one the checkpoint was trained on; give its weights with "
            f"`backbone.weights`:\n{side_by_side(spec, backbone.spec)}{_trained_with(known)}"
        )
    return backbone


@dataclass(frozen=True)
class _Known:
    """What a checkpoint says of one network."""

    part: Part
    digest: str
    side: int
    source: str


def _known_parts(spec: dict[str, Any], weights_source: str, weights: str | None) -> list[_Known]:
    try:
        if (count := str(spec["backbone"]).count(JOINT) + 1) > MOST_NETWORKS:
            raise ValueError(f"{count} networks side by side")
        specs, parts = spec.get("parts", [spec]), parse_parts(str(spec["backbone"]), weights)
        places = sources(weights_source, len(parts))
        known = [
            _Known(part, str(own["weights_sha256"]), _side(own["frame"][0]), place)
            for part, own, place in zip(parts, specs, places, strict=True)
        ]
        whole = spec["dtype"] in DTYPES and spec["frame"][2] in FITS
    except (
        AttributeError,
        IndexError,
        KeyError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise WeightsError(f"what the checkpoint says of its backbone is damaged: {error!r}") from error
    if not whole:
        raise WeightsError(f"the checkpoint's backbone has dtype {spec['dtype']!r}, frame {spec['frame']!r}")
    return known


def _side(value: Any) -> int:
    side = int(value)
    if not 1 <= side <= LARGEST_SIDE:
        raise ValueError(f"frames of {side} pixels")
    return side


def _rebuilt(
    spec: dict[str, Any],
    known: list[_Known],
    settings: BackboneSettings,
    device: torch.device | str | None,
) -> Backbone:
    target = resolve_device(device)
    _all_must_be_here(known, settings)
    networks = with_one_fit([_network(one, settings) for one in known], spec["frame"][2])
    return Backbone(*networks, dtype=spec["dtype"], device=target, compile=settings.compile)


def _network(known: _Known, settings: BackboneSettings) -> Network:
    family = family_of(known.part)
    size = known.side if family.takes_size else None
    foreign = isinstance(family, Plugins)
    part = replace(known.part, weights=_weights(known, look=not foreign))
    try:
        return build_network(part, replace(settings, size=size))
    except WeightsError as error:
        raise WeightsError(f"{error}{_trained_with([known])}") from error


def _weights(known: _Known, *, look: bool) -> str | None:
    """``random``, the file that was given, or that of the training if it is still there."""
    if known.digest.startswith(f"{RANDOM}:"):
        return RANDOM
    if known.part.weights is None and look and _is_file(known.source):
        return known.source  # checked by its hash once it is built
    return known.part.weights


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except OSError:  # no system takes such a name
        return False


def _trained_with(known: list[_Known]) -> str:
    """A line for each network with weights: the file's name and hash, which it can be found by."""
    lines = ""
    for one in known:
        if not one.digest.startswith(f"{RANDOM}:"):
            file = re.split(r"[\\/]", one.source)[-1]
            named = f"the file {file!r}" if file else "weights"
            lines += f"\n{one.part.spelling} was trained on with {named} of SHA-256 {one.digest}"
    return lines


def _all_must_be_here(known: list[_Known], settings: BackboneSettings) -> None:
    """Imports what the user named in the settings, if something is missing, and nothing else."""
    names = [one.part.name for one in known]
    if not all(_is_here(name) for name in names):
        for part in parse_parts(settings.name):
            if is_import_path(part.name):
                load(part.name)
    for name in names:
        if not _is_here(name):
            path = name if is_import_path(name) else "package.module:function"
            raise WeightsError(
                f"the checkpoint was trained on {name!r}, which is neither built in nor registered here, and "
                "a name in a file is never imported. If you trust that code, import the module that "
                f"registers it (Python), or name it yourself: `backbone.name {path}`"
            )


def _is_here(name: str) -> bool:
    return any(family.is_here(name) for family in FAMILIES.values())
