"""Any Ultralytics network as a frozen per-frame backbone.

``yolo:embed`` is what its neck sees, averaged over the frame; ``yolo:objects`` and ``yolo:pose`` describe
what it detects in a fixed number of values (``object_features.py``, ``pose_features.py``), and
``yolo:joints`` gives the keypoints themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vidlstm.backbones.contract import Family
from vidlstm.backbones.network import Network
from vidlstm.backbones.weights import RANDOM
from vidlstm.backbones.yolo.body import RAW, Head, Neck, traced
from vidlstm.backbones.yolo.detections import CONFIDENCE, MOST, OVERLAP, Detections, select
from vidlstm.backbones.yolo.model import YoloModel, load_yolo
from vidlstm.backbones.yolo.object_features import LAYOUT as OBJECT_LAYOUT
from vidlstm.backbones.yolo.object_features import describe_objects
from vidlstm.backbones.yolo.pose_features import LAYOUT as POSE_LAYOUT
from vidlstm.backbones.yolo.pose_features import POINTS, describe_joints, describe_poses
from vidlstm.errors import SettingsError, WeightsError
from vidlstm.structures import FrameSize

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidlstm.backbones.parts import Part
    from vidlstm.settings import BackboneSettings

PUBLISHED = (
    "They are published by Ultralytics (its documentation, 'Models'): yolo11n-pose.pt for people, yolo26n.pt "
    "for objects. `vidlstm weights` lists the files on this machine"
)
NAMES = ("yolo:embed", "yolo:objects", "yolo:pose", "yolo:joints")


class Yolo(Family):
    """What the network of an Ultralytics ``.pt`` file sees, in four descriptions."""

    spelling = ", ".join(NAMES)
    takes_size = True
    allows_motion = False  # they find things on pictures alone

    def names(self) -> tuple[str, ...]:
        """The four."""
        return NAMES

    def build(self, part: Part, settings: BackboneSettings) -> Network:
        """Builds one from its file; see :meth:`Family.build`.

        Raises:
            SettingsError: the size does not suit the network.
            WeightsError: there is no file, it is refused, or the network is not for this.
        """
        if part.weights in (None, RANDOM):
            raise WeightsError(
                f"{part.name} needs `backbone.weights FILE.pt`; YOLO weights are neither drawn nor fetched. "
                f"{PUBLISHED}"
            )
        return _build(part.name, load_yolo(str(part.weights), trust=settings.trust), settings.size)


class Describe(nn.Module):
    """A head's raw outputs to features, by way of detections.

    Args:
        model: whose head it is.
        side: of the frames, in pixels.
        features: detections and ``side`` to features ``(B, F)``.
    """

    def __init__(self, model: YoloModel, side: int, features: Callable[[Detections, int], Tensor]) -> None:
        super().__init__()
        network: Any = model.module
        self._head: Any = network.model[-1]
        self._model, self._side, self._features = model, side, features
        strides = self._head.stride.int().tolist()
        self._maps = [torch.zeros(1, 1, side // stride, side // stride) for stride in strides]

    def forward(self, raw: list[Tensor]) -> Tensor:
        """Raw outputs ``(B, values, A)`` to features ``(B, F)``."""
        return self._features(self.detections(raw), self._side)

    def detections(self, raw: list[Tensor]) -> Detections:
        """What the head found."""
        named = dict(zip(RAW, raw, strict=False))
        # Of the maps the head takes only the shapes, and the device they are on.
        decoded = self._head._inference({**named, "feats": [x.to(raw[0].device) for x in self._maps]})
        if self._model.end_to_end:
            decoded = self._head.postprocess(decoded.transpose(1, 2))
        return select(
            decoded, len(self._model.names), self._model.keypoints, end_to_end=self._model.end_to_end
        )


def _build(name: str, model: YoloModel, size: int | None) -> Network:
    side = model.side if size is None else size
    if side < model.stride or side % model.stride:
        raise SettingsError(f"`backbone.size` {side}: {model.path.name} takes multiples of {model.stride}")
    module, describe, settings = _parts(name, model, side)
    return Network(
        name=name,
        module=traced(module.eval()),
        size=FrameSize(side, side, "letterbox"),  # as it was trained: people are distorted otherwise
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        weights_sha256=model.sha256,
        weights_source=str(model.path),
        describe=describe,
        settings=settings,
    )


def _parts(name: str, model: YoloModel, side: int) -> tuple[nn.Module, Describe | None, dict[str, Any]]:
    if name == "yolo:embed":
        return Neck(model), None, {}
    if model.task == "classify":
        raise WeightsError(f"{model.path} classifies whole frames and detects nothing; use yolo:embed")
    choice = {"end_to_end": model.end_to_end, "confidence": CONFIDENCE, "overlap": OVERLAP, "most": MOST}
    if name == "yolo:objects":
        classes = len(model.names)
        described = Describe(model, side, lambda found, side: describe_objects(found, side, classes))
        return Head(model), described, {"detections": choice, "layout": OBJECT_LAYOUT}
    if model.keypoints != (POINTS, 3):
        raise WeightsError(
            f"{name} needs a pose network with the {POINTS} keypoints of COCO and a confidence to each, such "
            f"as yolo11n-pose.pt; {model.path} is for {model.task}, {model.keypoints[0]} keypoints"
        )
    features = describe_poses if name == "yolo:pose" else describe_joints
    return Head(model), Describe(model, side, features), {"detections": choice, "layout": POSE_LAYOUT}
