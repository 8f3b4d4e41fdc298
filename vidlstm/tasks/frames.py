"""What the tasks share that read the features of whole frames: their backbone, and their words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vidlstm.backbones.base import Backbone
    from vidlstm.cards import VideoCard
    from vidlstm.settings import BackboneSettings
    from vidlstm.structures import ActionPrediction


RANDOM = "  warning: the backbone's weights are random; these labels mean nothing"


class FrameFeatures:
    """The backbone of a training and of its checkpoint, and predictions in words."""

    def network(self, settings: Any, device: str | None) -> Backbone:
        """The backbone that the settings of a task ask for."""
        from vidlstm.backbones.build import build_backbone

        return build_backbone(settings.backbone, device=device)

    def network_of(
        self,
        card: VideoCard,
        settings: BackboneSettings,
        device: str | None,
        given: Backbone | None = None,
    ) -> Backbone:
        """The backbone of the training; ``given`` is used in place of what settings lead to."""
        from vidlstm.backbones.restore import backbone_of_spec

        source = card.weights_source
        return backbone_of_spec(
            card.backbone, weights_source=source, settings=settings, device=device, given=given
        )

    def told(self, prediction: ActionPrediction) -> Iterable[str]:
        """The segments."""
        yield prediction.video
        if prediction.produced_by["random_weights"]:
            yield RANDOM
        for s in prediction.segments:
            yield f"  {s.start_seconds:8.2f} - {s.end_seconds:8.2f} s  {s.label}  {s.probability:.2f}"
