"""What describes each tracked object: its pose in the tracks table, its picture through a frozen network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.parts import TRACK_POSE, joined, without_track_pose
from vidlstm.backbones.yolo.person_features import LAYOUT
from vidlstm.errors import SettingsError
from vidlstm.features.tracked_objects import POSE_DIM
from vidlstm.verbs.extract import backbone_from, backbone_of_card

if TYPE_CHECKING:
    from vidlstm.backbones.base import Backbone
    from vidlstm.settings import BackboneSettings

WIDEST = 10
"""Beyond it an object is a dot."""


@dataclass(frozen=True, eq=False)
class ObjectNetwork:
    """A description of objects.

    Attributes:
        pose: whether bodies are described by their keypoints.
        crops: the network that sees what is cut out; None where none does.
        crop_margin: around each box, as a share of its longer side.
    """

    pose: bool
    crops: Backbone | None
    crop_margin: float

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
            spec["pose_layout"] = LAYOUT
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


def object_network(settings: BackboneSettings, *, crop_margin: float) -> ObjectNetwork:
    """The description that settings ask for.

    Args:
        settings: names joined by ``+``; ``track:pose`` among them takes no weights.
        crop_margin: see :class:`ObjectNetwork`.

    Raises:
        SettingsError, WeightsError: see :func:`backbone_from`.
    """
    if not 0 <= crop_margin <= WIDEST:
        raise SettingsError(f"--data.crop_margin must be from 0 to {WIDEST}, not {crop_margin}")
    pose, rest = without_track_pose(settings)
    return ObjectNetwork(pose, backbone_from(rest) if rest else None, crop_margin)


def object_network_of_card(
    card: dict[str, Any], settings: BackboneSettings, *, device: str | None = None
) -> ObjectNetwork:
    """The description a checkpoint was trained on.

    Raises:
        WeightsError: see :func:`backbone_of_card`.
    """
    spec = card["backbone"]
    crops = None
    if "crops" in spec:
        crops = backbone_of_card({**card, "backbone": spec["crops"]}, settings, device=device)
    return ObjectNetwork("pose_layout" in spec, crops, float(spec.get("crop_margin", 0.0)))
