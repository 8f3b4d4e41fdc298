"""How a checkpoint is used."""

from dataclasses import dataclass, field
from pathlib import Path

from vidlstm.settings.common import BackboneSettings, SamplingSettings, TrackingSettings
from vidlstm.settings.ranges import Count, NotNegative, Seconds


@dataclass
class WindowSettings:
    """How a long video is cut for prediction.

    Args:
        seconds: length of a window; None takes the median training clip, from the checkpoint.
        stride_seconds: from one window to the next; None takes a quarter of a window.
        minimum_seconds: shorter segments are given to their neighbours; None takes half a window.
    """

    seconds: Seconds | None = None
    stride_seconds: Seconds | None = None
    minimum_seconds: NotNegative | None = None


@dataclass
class PredictSettings:
    """How a checkpoint is used; each task takes the parts it has a use for.

    Args:
        backbone: where the weights of the backbone are, and how it runs; what it is, the checkpoint says.
        sampling: how videos are decoded; the rate is the checkpoint's.
        window: how a long video is cut.
        tracking: how objects are found in videos; the network's file, and what differs from the training.
        every: forecast from every so many steps; None takes the horizon for a table, 1 for videos.
        homography: pixels to metres, a text file of three lines of three numbers.
    """

    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    window: WindowSettings = field(default_factory=WindowSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    every: Count | None = None
    homography: Path | None = None
