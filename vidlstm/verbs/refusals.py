"""What a checkpoint decides or has no use for: refused by name, whichever surface it came through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.plugins import is_import_path
from vidlstm.errors import SettingsError
from vidlstm.settings import BackboneSettings, SamplingSettings, dotted, given_in, settings_from
from vidlstm.tasks.frames import WITHOUT_NETWORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidlstm.tasks.base import Task


def refuse_without_effect(
    task: Task[Any, Any], given: Mapping[str, Any], takes: Callable[[str, str], bool]
) -> None:
    """Refuses what means nothing to a checkpoint's task.

    Args:
        task: of the checkpoint.
        given: sections of settings, and single ones, by name; None is not given.
        takes: of a section and the full name of a setting in it, whether the task does.

    Raises:
        SettingsError: something has no effect.
    """
    for section, value in given.items():
        for name in _names(section, value):
            if not takes(section, name):
                raise SettingsError(
                    f"`{name}` has no effect on a checkpoint of {task.name}; leave it out", setting=name
                )


def _names(section: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, Mapping) or is_dataclass(value):
        above = "" if section == "tracking" else section  # its settings are flags of their own
        return [dotted(above, name) for name in given_in(value, section)]
    return [section]


def refuse_decided(card: Any, backbone: Any = None, sampling: Any = None) -> None:
    """Refuses another value than the training's of what a checkpoint decides.

    Of the backbone's name the place of code from outside the package may be given,
    ``package.module:function``: a checkpoint cannot have it imported.

    Raises:
        SettingsError: one was given; the message has the checkpoint's.
    """
    if getattr(card, "given", False):
        refuse_network(backbone, sampling)
    trained = decided_by(card)
    for section, kind, given in (
        ("backbone", BackboneSettings, backbone),
        ("sampling", SamplingSettings, sampling),
    ):
        checked = settings_from(kind, given, section=section)
        for name in given_in(given, section):
            full, value = dotted(section, name), getattr(checked, name)
            fits = value == "auto" or (full == "backbone.name" and is_import_path(value))
            if not fits and value not in trained.get(full, (value,)):
                _refuse(full, value, trained[full][0])


def refuse_network(backbone: Any, sampling: Any) -> None:
    """Refuses settings of a network, and of decoding, for a checkpoint that was trained on given features.

    Raises:
        SettingsError: there is one.
    """
    for section, given in (("backbone", backbone), ("sampling", sampling)):
        for name in given_in(given, section):
            full = dotted(section, name)
            raise SettingsError(f"`{full}` has no effect: {WITHOUT_NETWORK}; leave it out", setting=full)


def refuse_kept(kept: tuple[str, ...], trained: Any, given: Mapping[str, Any]) -> None:
    """Refuses another value than the training's of settings of the data that an evaluation keeps.

    Raises:
        SettingsError: one was given; the message has the checkpoint's.
    """
    values = {name: value for name, value in given.items() if name in kept and value is not None}
    if not values:
        return
    checked = settings_from(type(trained), values, section="data")
    for name in values:
        if getattr(checked, name) != getattr(trained, name):
            _refuse(dotted("data", name), getattr(checked, name), getattr(trained, name))


def _refuse(name: str, value: Any, trained: Any) -> None:
    raise SettingsError(
        f"`{name} {value}`: the checkpoint was trained on {trained}; leave it out", setting=name
    )


def decided_by(card: Any) -> dict[str, tuple[Any, ...]]:
    """What a card decides of backbone and sampling: full name to the values that agree with it."""
    spec = getattr(card, "backbone", None)
    if not isinstance(spec, dict):
        return {}
    found = {
        "backbone.name": [spec.get("backbone")],
        "sampling.fps": [card.fps],
        "sampling.image_fps": [card.image_fps],
    }
    seen = spec.get("crops", spec)
    parts = seen.get("parts", [seen]) if isinstance(seen, dict) else []
    for part in parts if isinstance(parts, list) else []:
        frame = part.get("frame") if isinstance(part, dict) else None
        if isinstance(frame, list) and len(frame) == 3:
            found.setdefault("backbone.dtype", []).append(part.get("dtype"))
            found.setdefault("backbone.size", []).append(frame[0])
            found.setdefault("backbone.fit", []).append(frame[2])
    return {name: tuple(values) for name, values in found.items()}
