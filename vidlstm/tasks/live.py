"""What says, frame by frame, what many sources show: the contract, and the networks that see whole frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidlstm.features.in_process import features_of_frames
from vidlstm.features.lanes import Lanes
from vidlstm.tasks.stream import frames_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from vidlstm.structures import FrameSize
    from vidlstm.tasks.predictor import Predictor
    from vidlstm.video.source import Shown


@dataclass(frozen=True, eq=False)
class Said:
    """What is said of a source at a step.

    Attributes:
        probabilities_K: of the labels; None where nothing is said at this step.
    """

    probabilities_K: np.ndarray | None = None


class Watcher(ABC):
    """A network over the frames of many sources, each with a past of its own.

    Attributes:
        how: one sentence: what is done at each step.
        labels: the K class names.
        fps: how often a frame is looked at.
        size: to which frames are brought; None leaves them as they are.
        views: what the network is shown of each, see ``structures.VIEWS``.
    """

    how: str
    labels: tuple[str, ...]
    fps: float
    size: FrameSize | None
    views: Sequence[str]

    @abstractmethod
    def step(self, shown: Sequence[Shown], seconds: Sequence[float]) -> list[Said]:
        """Takes the next frame of some sources, one of each at most, and its time on the source's clock."""

    @abstractmethod
    def forget(self, source: int) -> None:
        """What comes next of a source has nothing before it."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more comes."""


class WholeFrames(Watcher):
    """Features of whole frames, and a recurrent network over them.

    Args:
        predictor: loaded, of a task that has ``streams``.
        sources: how many there are at most.
    """

    def __init__(self, predictor: Predictor, sources: int) -> None:
        network: Any = predictor
        self._backbone, self._streams = network.backbone, predictor.streams()
        self.how, self.labels, self.fps = self._streams.how, network.labels, float(network.card.fps)
        self.size, self.views = self._backbone.size, self._backbone.views
        self._lanes = Lanes(self._backbone, frames_together(self._backbone, sources))

    def step(self, shown: Sequence[Shown], seconds: Sequence[float]) -> list[Said]:
        """One batch of all through the backbone, and one through the recurrent network."""
        images = (item.image for item in shown)
        _, x_BF = features_of_frames(zip(seconds, images, strict=True), self._backbone, lanes=self._lanes)
        said = self._streams.push([item.source for item in shown], x_BF, seconds)
        return [Said(probabilities_K) for probabilities_K in said]

    def forget(self, source: int) -> None:
        """Drops the state of a source."""
        self._streams.forget(source)

    def close(self) -> None:
        """Ends the lanes."""
        self._lanes.close()
