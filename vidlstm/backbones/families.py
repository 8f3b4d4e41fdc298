"""The families of networks, and which of them a name belongs to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vidlstm.backbones.efficientnet_lite import EfficientNetLite
from vidlstm.backbones.plugins import FACTORIES, Plugins
from vidlstm.backbones.timm import Timm
from vidlstm.backbones.torchvision import Torchvision
from vidlstm.backbones.yolo.family import Yolo
from vidlstm.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidlstm.backbones.contract import Family
    from vidlstm.backbones.parts import Part
    from vidlstm.backbones.plugins import Factory

FAMILIES: dict[str, Family] = {
    "torchvision": Torchvision(),
    "efficientnet_lite": EfficientNetLite(),
    "yolo": Yolo(),
    "timm": Timm(),
    "module": Plugins(),  # the last: it cannot take a name from those above
}


def family_of(part: Part) -> Family:
    """The family that ``part`` is of.

    Raises:
        SettingsError: there is none of this name, or it is not shown ``:motion``.
    """
    for family in FAMILIES.values():
        if family.knows(part.name) and (part.view == "picture" or family.allows_motion):
            return family
    raise SettingsError(f"no backbone is called {part.spelling!r}{_hint(part.spelling)}")


def _hint(spelling: str) -> str:
    """The nearest known name; where none is near, how names look, not the thousand that there are."""
    hint = nearest(spelling, (name for family in FAMILIES.values() for name in family.names()))
    if hint.startswith("; did you mean"):
        return hint
    return f"; it may be {', '.join(family.spelling for family in FAMILIES.values())}"


def register_backbone(name: str) -> Callable[[Factory], Factory]:
    """Makes a network of yours a backbone by name, for as long as this process runs.

    ::

        @register_backbone("mine")
        def mine(weights: str | None) -> Network:
            return Network.of(load_my_network(weights), size=224)

    Args:
        name: letters, digits, ``_``, ``-`` and ``.``; not that of a backbone there is already.

    Returns:
        A decorator that gives the function back as it is. The function takes the ``--backbone.weights`` that
        were given, or None, and is called with torch's random numbers at a fixed seed.

    Raises:
        ValueError: the name is taken, or cannot be one.
    """
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
        raise ValueError(f"{name!r} cannot name a backbone; use letters, digits, '_', '-' and '.'")
    refuse_taken(name)

    def register(factory: Factory) -> Factory:
        earlier = FACTORIES.get(name)
        if earlier is not None and _identity(earlier) != _identity(factory):
            raise ValueError(f"{_identity(earlier)} is called {name!r} already; choose another name")
        FACTORIES[name] = factory
        return factory

    return register


def refuse_taken(name: str) -> None:
    """Keeps the names of vidlstm's own networks for them: a checkpoint with one would be taken for theirs.

    Raises:
        ValueError: the name is one of them.
    """
    if any(family.knows(name) for family in FAMILIES.values() if not isinstance(family, Plugins)):
        raise ValueError(f"a backbone of vidlstm is called {name!r} already; choose another name")


def _identity(factory: Factory) -> str:
    # A module that is loaded anew, as in a notebook, registers the same function again.
    return f"{factory.__module__}.{getattr(factory, '__qualname__', type(factory).__qualname__)}"
