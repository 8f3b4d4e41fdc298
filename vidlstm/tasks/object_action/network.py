"""What describes each tracked object: its pose in the tracks table, its picture through a frozen network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.build import build_backbone
from vidlstm.backbones.parts import TRACK_POSE, joined, without_track_pose
from vidlstm.backbones.restore import backbone_of_spec
from vidlstm.backbones.yolo.person_features import LAYOUT, UNFILLED_LAYOUT
from vidlstm.errors import WeightsError
from vidlstm.features.tracked_objects import POSE_DIM

if TYPE_CHECKING:
    from vidlstm.backbones.base import Backbone
    from vidlstm.cards import ObjectActionCard
    from vidlstm.settings import BackboneSettings


@dataclass(frozen=True, eq=False)
class ObjectNetwork:
    """A description of objects.

    Attributes:
        pose: whether bodies are described by their keypoints.
        crops: the network that sees what is cut out; None where none does.
        crop_margin: around each box, as a share of its longer side.
        fills_keypoints: whether keypoints that are missing for a while are filled in.
    """

    pose: bool
    crops: Backbone | None
    crop_margin: float
    fills_keypoints: bool = True

    @property
    def feature_dim(self) -> int:
        """F: the pose first."""
        return sum(self.part_dims)

    @property
    def part_dims(self) -> list[int]:
        """The widths of the parts, which stand one after another."""
        return [POSE_DIM] * self.pose + (self.crops.part_dims if self.crops else [])

    @property
    def spec(self) -> dict[str, Any]:
        """All that changes the features of an object whose track is known."""
        names = [TRACK_POSE] * self.pose + ([self.crops.name] if self.crops else [])
        spec: dict[str, Any] = {"backbone": joined(names), "feature_dim": self.feature_dim}
        if self.pose:
            spec["pose_layout"] = LAYOUT if self.fills_keypoints else UNFILLED_LAYOUT
        if self.crops:
            spec |= {"crops": self.crops.spec, "crop_margin": self.crop_margin}
        return spec

    @property
    def weights_source(self) -> str:
        """Where the weights of ``crops`` are from."""
        return self.crops.weights_source if self.crops else ""

    @property
    def is_random(self) -> bool:
        """Whether the weights of ``crops``, or some of them, were drawn, not trained."""
        return self.crops is not None and self.crops.is_random


def object_network(
    settings: BackboneSettings, *, crop_margin: float, device: str | None = None
) -> ObjectNetwork:
    """The description that settings ask for.

    Args:
        settings: names joined by ``+``; ``track:pose`` among them takes no weights.
        crop_margin: see :class:`ObjectNetwork`.
        device: of the network that sees what is cut out.

    Raises:
        SettingsError, WeightsError: see :func:`build_backbone`.
    """
    pose, rest = without_track_pose(settings)
    return ObjectNetwork(pose, build_backbone(rest, device=device) if rest else None, crop_margin)


def object_network_of_card(
    card: ObjectActionCard,
    settings: BackboneSettings,
    *,
    device: str | None = None,
    given: Backbone | None = None,
) -> ObjectNetwork:
    """The description a checkpoint was trained on.

    Raises:
        WeightsError: see :func:`backbone_of_spec`; or bodies were described in a way that is not known here.
    """
    spec, crops = card.backbone, None
    layout = spec.get("pose_layout", LAYOUT)
    if layout not in (LAYOUT, UNFILLED_LAYOUT):
        raise WeightsError(
            f"the checkpoint describes bodies in layout {layout!r}, and this version in {LAYOUT} or "
            f"{UNFILLED_LAYOUT}; use the version of vidlstm that it was trained with, or train anew"
        )
    if "crops" in spec:
        source = card.weights_source
        crops = backbone_of_spec(
            spec["crops"], weights_source=source, settings=settings, device=device, given=given
        )
    return ObjectNetwork(
        "pose_layout" in spec, crops, float(spec.get("crop_margin", 0.0)), fills_keypoints=layout == LAYOUT
    )
