"""What was extracted, how, and from which bytes: the fingerprints that keep a store honest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

FORMAT_VERSION = 1


@dataclass(frozen=True)
class FeatureSpec:
    """Everything that changes the stored numbers.

    Attributes:
        fps: features per second of video.
        image_fps: the rate given to folders of images.
        backbone: ``Backbone.spec``: name, SHA-256 of the weights, preprocess, compute dtype.
        crop_margin: around the boxes that are cut out; None where whole frames are shown.
    """

    fps: float
    image_fps: float
    backbone: dict[str, Any]
    crop_margin: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The spec as JSON values."""
        return {
            "format_version": FORMAT_VERSION,
            "fps": float(self.fps),
            "image_fps": float(self.image_fps),
            **({} if self.crop_margin is None else {"crop_margin": float(self.crop_margin)}),
            **self.backbone,
        }

    @property
    def canonical(self) -> str:
        """The one JSON text of this spec: sorted keys, no spaces."""
        return json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical text, in hex."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @property
    def feature_dim(self) -> int:
        """F."""
        return int(self.backbone["feature_dim"])
