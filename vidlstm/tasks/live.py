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

    from vidlstm.structures import FrameSize, PathForecast
    from vidlstm.tasks.predictor import Predictor
    from vidlstm.video.source import Shown


@dataclass(frozen=True, eq=False)
class Said:
    """What is said of a source, or of an object in it, at a step.

    Attributes:
        probabilities_K: of the labels; None where nothing is said at this step.
        track: the object's number; None is the whole source.
        box_4: where the object is, x1, y1, x2, y2 in pixels of the frame.
        forecast: where it will be.
        over: the object is gone for good.
    """

    probabilities_K: np.ndarray | None = None
    track: int | None = None
    box_4: np.ndarray | None = None
    forecast: PathForecast | None = None
    over: bool = False


class Watcher(ABC):
    """A network over the frames of many sources, each with a past of its own.

    Attributes:
        how: one sentence: what is done at each step.
        labels: the K class names.
        fps: how often a frame is looked at; None looks at all.
        size: to which frames are brought; None leaves them as they are.
        views: what the network is shown of each, see ``structures.VIEWS``.
    """

    how: str
    labels: tuple[str, ...]
    fps: float | None
    size: FrameSize | None
    views: Sequence[str]

    @abstractmethod
    def step(self, shown: Sequence[Shown], seconds: Sequence[float]) -> list[list[Said]]:
        """Takes the next frame of some sources, one of each at most, and its time on the source's clock.

        Returns:
            Of each what is said of it and of the objects in it.
        """

    def to_picture(self, positions: np.ndarray) -> np.ndarray:
        """Positions ``(..., 2)`` of forecasts in pixels of the frame."""
        return positions

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

    def step(self, shown: Sequence[Shown], seconds: Sequence[float]) -> list[list[Said]]:
        """One batch of all through the backbone, and one through the recurrent network."""
        images = (item.image for item in shown)
        _, x_BF = features_of_frames(zip(seconds, images, strict=True), self._backbone, lanes=self._lanes)
        said = self._streams.push([item.source for item in shown], x_BF, seconds)
        return [[Said(probabilities_K)] for probabilities_K in said]

    def forget(self, source: int) -> None:
        """Drops the state of a source."""
        self._streams.forget(source)

    def close(self) -> None:
        """Ends the lanes."""
        self._lanes.close()
