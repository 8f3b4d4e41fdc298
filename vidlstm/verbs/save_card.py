"""``save_card``: a network of one's own training loop to a checkpoint that can be predicted with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.base import Backbone
from vidlstm.cards import CARD, MODEL, ActionCard, SegmentationCard, VideoCard, card_from, write_checkpoint
from vidlstm.errors import OutputError, SettingsError
from vidlstm.features.given import GivenFeatures
from vidlstm.files import check_inputs
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.models.labeller import SequenceLabeller
from vidlstm.settings import (
    ActionDataSettings,
    ActionModelSettings,
    Rate,
    Seconds,
    SegmentationDataSettings,
    SegmentationModelSettings,
    path_from,
    settings_from,
    value_from,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def save_card(
    path: Path | str,
    model: SequenceClassifier | SequenceLabeller,
    *,
    labels: Sequence[str],
    backbone: Backbone | None,
    fps: float = 10.0,
    window_seconds: float | None = None,
    minimum_seconds: float | None = None,
    multi_label: bool = False,
    image_fps: float = 25.0,
    overwrite: bool = False,
) -> Path:
    """Writes a checkpoint of a network that was trained without ``vidlstm train``.

    >>> net = SequenceClassifier(1280, 7)  # doctest: +SKIP
    >>> save_card("mine.ckpt", net, labels=labels, backbone=backbone, window_seconds=2)  # doctest: +SKIP
    >>> load("mine.ckpt").predict("holiday.mp4")  # doctest: +SKIP

    Args:
        path: the checkpoint.
        model: the network with its weights: a classifier of clips, or a labeller of steps.
        labels: the K class names, in the order of its outputs.
        backbone: what made the features it was trained on; None where nothing here did, and files of
            features ``(T, F)`` are what it reads.
        fps: features per second of the training.
        window_seconds: of a classifier, what a long video is cut into; about the length of the training
            clips.
        minimum_seconds: of a labeller, how long a segment lasts at least; None is half a second.
        multi_label: of a labeller, whether labels may overlap.
        image_fps: the rate of folders of images.
        overwrite: write over a file that is there.

    Returns:
        The path.

    Raises:
        SettingsError: labels, widths or numbers do not fit the network, or have no effect on it.
        OutputError: the file is there already, is what the backbone was
            loaded from, or cannot be written.
    """
    target = path_from(path, "path")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} is there already; give another path, or overwrite=True")
    if backbone is not None and not isinstance(backbone, Backbone):
        raise SettingsError("save_card takes the Backbone that made the features, or None")
    if isinstance(labels, str) or len(set(labels)) < len(labels):
        raise SettingsError(f"labels are different names, one a class, not {labels!r}")
    settings = dict(getattr(model, "settings", {}))
    width, classes = settings.pop("feature_dim", 0), settings.pop("num_classes", 0)
    fps = value_from(Rate, fps, name="fps")
    network = GivenFeatures(width, "TF", fps, device="cpu") if backbone is None else backbone
    check_inputs([target], [network.weights_source] if network.weights_source else [])
    about: dict[str, Any] = {
        "labels": tuple(labels),
        "feature_dim": width,
        "part_dims": tuple(network.part_dims),
        "backbone": network.spec,
        "weights_source": network.weights_source,
        "fps": fps,
        "image_fps": value_from(Rate, image_fps, name="image_fps"),
    }
    given = {"format": "features", "features_fps": fps, "features_layout": "TF"} if backbone is None else {}
    card: VideoCard
    match model:
        case SequenceClassifier():
            _refuse_given("a classifier", minimum_seconds=minimum_seconds, multi_label=multi_label)
            card = ActionCard(
                **about,
                window_seconds=value_from(Seconds, window_seconds, name="window_seconds"),
                model=settings_from(ActionModelSettings, settings, section="model"),
                data=settings_from(ActionDataSettings, given, section="data"),
            )
        case SequenceLabeller():
            _refuse_given("a labeller, which reads whole videos", window_seconds=window_seconds)
            given |= {} if minimum_seconds is None else {"minimum_seconds": minimum_seconds}
            given |= {"multi_label": multi_label}
            if settings.get("boundary"):
                _refuse_given("a labeller with a boundary", multi_label=multi_label)
            card = SegmentationCard(
                **about,
                model=settings_from(SegmentationModelSettings, settings, section="model"),
                data=settings_from(SegmentationDataSettings, given, section="data"),
            )
        case _:
            raise SettingsError("save_card takes a SequenceClassifier or a SequenceLabeller")
    if width != network.feature_dim or classes != len(labels):
        raise SettingsError(
            f"the network takes {width} features to {classes} classes; the backbone gives "
            f"{network.feature_dim} and there are {len(labels)} labels"
        )
    card_from(type(card), card.as_plain(), str(target))  # else it could not be loaded
    content: dict[str, Any] = {
        "state_dict": {f"{MODEL}{name}": value.cpu() for name, value in model.state_dict().items()},
        CARD: card.as_plain(),
    }
    write_checkpoint(content, target)
    return target


def _refuse_given(what: str, **given: Any) -> None:
    for name, value in given.items():
        if value:
            raise SettingsError(f"`{name}` has no effect on {what}; leave it out", setting=name)
