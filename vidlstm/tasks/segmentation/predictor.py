"""A network that labels every step, and its backbone: videos to segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vidlstm.errors import SettingsError
from vidlstm.inference.labelling import StepLabeller
from vidlstm.inference.stream import CarriedState
from vidlstm.tasks.action.predictor import ActionPredictor

if TYPE_CHECKING:
    from vidlstm.cards import SegmentationCard
    from vidlstm.inference.stream import Streams
    from vidlstm.models.labeller import SequenceLabeller


class SegmentationPredictor(ActionPredictor):
    """Says what happens at every step.

    ``predict`` takes what :class:`ActionPredictor` takes, and gives an
    :class:`~vidlstm.structures.ActionPrediction` whose windows are the steps. Where labels may overlap, its
    probabilities are each by itself, and its segments overlap, too. A causal network on a CPU gives the same
    probabilities bit for bit as :meth:`SequenceLabeller.step` one step after another.
    """

    kind = "segmentation"
    card: SegmentationCard

    def streams(self) -> Streams:
        """What goes on from step to step; see :meth:`Predictor.streams`."""
        self.require_network()
        if why := self.why_not_carried():
            raise SettingsError(f"this network labels whole recordings: {why}")
        return CarriedState(self.model, multi_label=self.card.data.multi_label)

    def _windows(self, produced_by: dict[str, Any]) -> StepLabeller:
        window = self.settings.window
        for name in ("seconds", "stride_seconds"):
            if getattr(window, name) is not None:
                raise SettingsError(f"`window.{name}` has no effect on a checkpoint of segmentation")
        return labeller_of(self.card, self.model, window.minimum_seconds, produced_by)


def labeller_of(
    card: SegmentationCard,
    model: SequenceLabeller,
    minimum_seconds: float | None = None,
    produced_by: dict[str, Any] | None = None,
) -> StepLabeller:
    """What labels the steps of features, as the training asked for it.

    Args:
        card: of the training.
        model: in eval mode.
        minimum_seconds: of a segment; None is that of the training.
        produced_by: goes into every prediction.
    """
    shortest = card.data.minimum_seconds if minimum_seconds is None else minimum_seconds
    return StepLabeller(
        model,
        card.labels,
        minimum_seconds=shortest,
        multi_label=card.data.multi_label,
        produced_by=produced_by,
    )
