"""``load``: a checkpoint to a predictor that stays loaded."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.base import Backbone
from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError, nearest
from vidlstm.settings import PredictSettings, by_name, path_from, settings_from
from vidlstm.tasks import open_checkpoint
from vidlstm.verbs.refusals import refuse_decided, refuse_without_effect

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    task, trained = open_checkpoint(path_from(checkpoint, "checkpoint"))
    given = {name: value for name, value in options.items() if value is not None}
    network = backbone if isinstance(backbone, Backbone) else None
    if backbone is not None and network is None:
        given["backbone"] = backbone
    refuse_unknown(given)
    everything = given if network is None else {**given, "backbone": network}
    refuse_without_effect(task, everything, lambda section, name: section in task.used)
    refuse_decided(trained.card, given.get("backbone"), given.get("sampling"))
    if "tracking" in task.used:
        given["tracking"] = {**task.tracking_defaults(trained.card), **by_name(given.get("tracking"), "")}
    return task.predictor(trained, predict_settings(given), device=device, backbone=network)


def refuse_unknown(given: Mapping[str, Any]) -> None:
    """Raises a SettingsError where an option is no part of ``PredictSettings``."""
    known = {f.name for f in fields(PredictSettings)}
    for name in given.keys() - known:
        raise SettingsError(f"no setting is called {name}{nearest(name, known)}", setting=name)


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
