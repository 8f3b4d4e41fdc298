"""The backbone that settings ask for, and the one that a checkpoint was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.build import JOINT, build_backbone
from vidlstm.backbones.person_features import NAME as POSE
from vidlstm.backbones.yolo import YOLO_KINDS
from vidlstm.errors import SettingsError, WeightsError
from vidlstm.features.spec import side_by_side

if TYPE_CHECKING:
    from vidlstm.backbones.base import Backbone
    from vidlstm.settings import BackboneSettings


def backbone_from(settings: BackboneSettings, *, device: str | None = None) -> Backbone:
    """The backbone that settings describe.

    Raises:
        SettingsError, WeightsError: see :func:`build_backbone`; or it describes tracked objects.
    """
    if POSE in settings.name.split(JOINT):
        raise SettingsError(f"{POSE} describes tracked objects; train on their table: --data.tracks FILE")
    return build_backbone(
        settings.name,
        weights=settings.weights,
        trust=settings.trust,
        size=settings.size,
        download=settings.download,
        dtype=settings.dtype,
        fit=settings.fit,
        compile=settings.compile,
        device=device,
    )


def backbone_of_card(
    card: Any, settings: BackboneSettings, *, device: str | None = None, given: Backbone | None = None
) -> Backbone:
    """The backbone a checkpoint was trained on, with the weights that settings lead to.

    Args:
        card: the checkpoint's.
        settings: where the weights are, and how to run it; name, dtype, fit and size are the checkpoint's.

    Raises:
        WeightsError: the weights found are not those of the training.
    """
    spec = card.backbone
    backbone = given or build_backbone(
        spec["backbone"],
        weights=_weights_of_card(
            {"backbone": card.backbone, "weights_source": card.weights_source}, settings.weights
        ),
        trust=settings.trust,
        size=_yolo_size(spec),
        download=settings.download,
        dtype=spec["dtype"],
        fit=spec["frame"][2],
        compile=settings.compile,
        device=device,
    )
    if backbone.spec != spec:
        raise WeightsError(
            "this backbone is not the one the checkpoint was trained on; give its weights with "
            f"--backbone.weights:\n{side_by_side(spec, backbone.spec)}"
        )
    return backbone


def _weights_of_card(card: dict[str, Any], given: str | None) -> str | None:
    """For each network: ``random``, the file that was given, that of the training if it is still there."""
    parts = card["backbone"].get("parts", [card["backbone"]])
    hashes = [str(part["weights_sha256"]) for part in parts]
    sources = str(card.get("weights_source", "")).split(JOINT)
    places: list[str | None] = [None] * len(parts) if given is None else list(given.split(JOINT))
    if len(parts) == 1:
        sources, places = [str(card.get("weights_source", ""))], [given]
    if len(places) != len(parts) or len(sources) != len(parts):
        return given  # it says what is wrong itself
    for i, digest in enumerate(hashes):
        if digest.startswith("random:"):
            places[i] = "random"
        elif not places[i] and Path(sources[i]).is_file():
            places[i] = sources[i]  # checked by its hash when it is built
    return JOINT.join(place or "" for place in places) or None


def _yolo_size(spec: dict[str, Any]) -> int | None:
    """The one size that YOLO networks were given; None where they have none or each had its own."""
    parts = [part for part in spec.get("parts", [spec]) if part["backbone"] in YOLO_KINDS]
    sides = {int(part["frame"][0]) for part in parts}
    return sides.pop() if len(sides) == 1 else None
