"""``save_card``: a network of one's own training loop to a checkpoint that can be predicted with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.base import Backbone
from vidlstm.cards import CARD, MODEL, ActionCard, card_from, write_checkpoint
from vidlstm.errors import OutputError, SettingsError
from vidlstm.files import check_inputs
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.settings import ActionModelSettings, Rate, Seconds, path_from, settings_from, value_from

if TYPE_CHECKING:
    from collections.abc import Sequence


def save_card(
    path: Path | str,
    model: SequenceClassifier,
    *,
    labels: Sequence[str],
    backbone: Backbone,
    fps: float = 10.0,
    window_seconds: float,
    image_fps: float = 25.0,
    overwrite: bool = False,
) -> Path:
    """Writes a checkpoint of a network that was trained without ``vidlstm train``.

    >>> net = SequenceClassifier(1280, 7)  # doctest: +SKIP
    >>> save_card("mine.ckpt", net, labels=labels, backbone=backbone, window_seconds=2)  # doctest: +SKIP
    >>> load("mine.ckpt").predict("holiday.mp4")  # doctest: +SKIP

    Args:
        path: the checkpoint.
        model: the network with its weights.
        labels: the K class names, in the order of its outputs.
        backbone: what made the features it was trained on.
        fps: features per second of the training.
        window_seconds: what a long video is cut into; about the length of the training clips.
        image_fps: the rate of folders of images.
        overwrite: write over a file that is there.

    Returns:
        The path.

    Raises:
        SettingsError: labels, widths or numbers do not fit the network.
        OutputError: the file is there already, is what the backbone was
            loaded from, or cannot be written.
    """
    target = path_from(path, "path")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} is there already; give another path, or overwrite=True")
    if not isinstance(model, SequenceClassifier) or not isinstance(backbone, Backbone):
        raise SettingsError("save_card takes a SequenceClassifier and the Backbone that made its features")
    if isinstance(labels, str) or len(set(labels)) < len(labels):
        raise SettingsError(f"labels are different names, one a class, not {labels!r}")
    check_inputs([target], [backbone.weights_source])
    settings = dict(model.settings)
    width, classes = settings.pop("feature_dim"), settings.pop("num_classes")
    if width != backbone.feature_dim or classes != len(labels):
        raise SettingsError(
            f"the network takes {width} features to {classes} classes; the backbone gives "
            f"{backbone.feature_dim} and there are {len(labels)} labels"
        )
    card = ActionCard(
        labels=tuple(labels),
        feature_dim=width,
        part_dims=tuple(backbone.part_dims),
        backbone=backbone.spec,
        weights_source=backbone.weights_source,
        fps=value_from(Rate, fps, name="fps"),
        image_fps=value_from(Rate, image_fps, name="image_fps"),
        window_seconds=value_from(Seconds, window_seconds, name="window_seconds"),
        model=settings_from(ActionModelSettings, settings, section="model"),
    )
    card_from(ActionCard, card.as_plain(), str(target))  # else it could not be loaded
    content: dict[str, Any] = {
        "state_dict": {f"{MODEL}{name}": value.cpu() for name, value in model.state_dict().items()},
        CARD: card.as_plain(),
    }
    write_checkpoint(content, target)
    return target
