"""What says, frame by frame, what many sources show: the contract, and the networks that see whole frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidlstm.features.in_process import features_of_frames
from vidlstm.features.lanes import Lanes
from vidlstm.tasks.stream import frames_together
from vidlstm.training.threads import threads_that_pay, using_threads
from vidlstm.video.source import WAITING_FRAMES

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
        at_once: frames of one source that a step takes at most.
    """

    how: str
    labels: tuple[str, ...]
    fps: float | None
    size: FrameSize | None
    views: Sequence[str]
    at_once: int = 1

    @abstractmethod
    def step(self, shown: Sequence[Shown], seconds: Sequence[float]) -> list[list[Said]]:
        """Takes the next frames of some sources, those of one in their order, with times on its clock.

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
        if (
            self._backbone.device.type == "cpu"
        ):  # so many that no core waits; a GPU would pad each batch to them
            self.at_once = max(4, WAITING_FRAMES // sources)
        self._kept = ExitStack()
        self._kept.enter_context(using_threads(threads_that_pay(network.model, sources)))
        batch_size = frames_together(self._backbone, self.at_once * sources)
        self._lanes = self._kept.enter_context(closing(Lanes(self._backbone, batch_size, small=True)))

    def step(self, shown: Sequence[Shown], seconds: Sequence[float]) -> list[list[Said]]:
        """One batch of all through the backbone; of each source one frame after the other is a step."""
        images = (item.image for item in shown)
        _, x_BF = features_of_frames(zip(seconds, images, strict=True), self._backbone, lanes=self._lanes)
        said: list[list[Said]] = [[] for _ in shown]
        for rows in rounds([item.source for item in shown]):
            sources, times = [shown[b].source for b in rows], [seconds[b] for b in rows]
            for b, probabilities_K in zip(rows, self._streams.push(sources, x_BF[rows], times), strict=True):
                said[b].append(Said(probabilities_K))
        return said

    def forget(self, source: int) -> None:
        """Drops the state of a source."""
        self._streams.forget(source)

    def close(self) -> None:
        """Ends the lanes."""
        self._kept.close()


def rounds(sources: Sequence[int]) -> list[list[int]]:
    """Rows in as few groups as may be, in their order, each source once in a group.

    >>> rounds([0, 0, 0, 1, 2, 2])
    [[0, 3, 4], [1, 5], [2]]
    """
    groups: list[list[int]] = []
    for row, source in enumerate(sources):
        number = list(sources[:row]).count(source)
        groups += [[]] if number == len(groups) else []
        groups[number].append(row)
    return groups
