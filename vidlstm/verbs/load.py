"""``load``: a checkpoint to a predictor that stays loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.base import Backbone
from vidlstm.backbones.plugins import is_import_path
from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError, nearest
from vidlstm.settings import PredictSettings, by_name, settings_from
from vidlstm.tasks import open_checkpoint

if TYPE_CHECKING:
    from vidlstm.tasks.base import Task
    from vidlstm.tasks.predictor import Predictor


def load(
    checkpoint: Path | str, *, device: str | None = None, backbone: Any = None, **options: Any
) -> Predictor:
    """Loads a checkpoint once, to be used many times.

    >>> model = load("run/best.ckpt")  # doctest: +SKIP
    >>> model.predict("holiday.mp4").segments  # doctest: +SKIP

    Args:
        checkpoint: what ``train`` or ``save_card`` wrote.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        backbone: where the backbone's weights are and how it runs: settings, or a dict of some; or the
            backbone itself, which must be that of the training.
        options: further parts of :class:`~vidlstm.settings.PredictSettings`: ``sampling``, ``window``,
            ``tracking`` (each settings, or a dict of some), ``every`` and ``homography``.

    Returns:
        The predictor of the checkpoint's task.

    Raises:
        SettingsError: an option is unknown, or has no effect on this task.
        VidlstmError: see its other subclasses.
    """
    device = str(resolve_device(device))
    task, trained = open_checkpoint(checkpoint)
    given = {name: value for name, value in options.items() if value is not None}
    network = backbone if isinstance(backbone, Backbone) else None
    if backbone is not None and network is None:
        given["backbone"] = backbone
        refuse_other_backbone(trained.card, backbone)
    if network is not None and "backbone" not in task.used:
        raise SettingsError(f"`backbone` has no effect on a checkpoint of {task.name}", setting="backbone")
    refuse_without_effect(task, given)
    if "tracking" in task.used:
        given["tracking"] = {**task.tracking_defaults(trained.card), **by_name(given.get("tracking"), "")}
    return task.predictor(trained, predict_settings(given), device=device, backbone=network)


def refuse_other_backbone(card: Any, backbone: Any) -> None:
    """Raises a SettingsError where a name was given that is not the checkpoint's.

    Only the place of code from outside the package may be given, ``package.module:function``: a checkpoint
    cannot have it imported.
    """
    name = by_name(backbone, "backbone").get("name") if isinstance(backbone, Mapping | str) else None
    trained = getattr(card, "backbone", {}).get("backbone")
    if name and name != trained and not is_import_path(name):
        raise SettingsError(
            f"`backbone.name {name}`: the checkpoint was trained on {trained}; leave it out",
            setting="backbone.name",
        )


def predict_settings(given: dict[str, Any]) -> PredictSettings:
    """Checked settings from their parts by name."""
    parts = {}
    for f in fields(PredictSettings):
        kind: Any = f.default_factory
        if kind is not MISSING:
            section = "" if f.name == "tracking" else f.name  # its settings are flags of their own
            parts[f.name] = settings_from(kind, given.get(f.name), section=section)
        elif f.name in given:
            parts[f.name] = given[f.name]
    return settings_from(PredictSettings, parts, section="")


def refuse_without_effect(task: Task[Any, Any], given: dict[str, Any]) -> None:
    """Raises a SettingsError where an option means nothing to the checkpoint's task."""
    known = {f.name for f in fields(PredictSettings)}
    for section, value in given.items():
        if section not in known:
            raise SettingsError(f"no setting is called {section}{nearest(section, known)}", setting=section)
        if section not in task.used:
            within = next(iter(value), "") if isinstance(value, Mapping) else ""
            name = (
                within if section == "tracking" and within else f"{section}.{within}" if within else section
            )
            raise SettingsError(f"`{name}` has no effect on a checkpoint of {task.name}", setting=name)
