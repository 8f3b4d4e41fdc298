"""The nouns. They check themselves when made, and print shapes, not contents.

Shapes use one legend: ``B`` batch, ``T`` time, ``H W C`` image, ``F`` feature, ``D`` hidden,
``K`` classes or modes, ``P`` predicted steps, ``N`` objects. Units are in the names.

This module knows nothing of files or networks, and does not import torch: decode workers import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vidlstm.addresses import address
from vidlstm.errors import VIDEO_FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

FITS = ("squash", "crop", "letterbox")
"""How a frame is brought to a network's input size.

``squash`` scales both sides freely and keeps the whole view, ``crop`` scales the short side and cuts the
middle out, ``letterbox`` scales the long side and pads with grey (114).
"""


VIEWS = ("picture", "motion")
"""What a network is shown of a frame: the picture itself, or its change since the sampled frame before."""

GIVEN = "given"
"""What a checkpoint calls its backbone where features were made elsewhere."""


@dataclass(frozen=True)
class FrameSize:
    """The size at which frames are wanted: pixels, and how other aspect ratios are made to fit."""

    height: int
    width: int
    fit: Literal["squash", "crop", "letterbox"] = "squash"

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a frame size must be positive, not {self.height}x{self.width}")
        if self.fit not in FITS:
            raise ValueError(f"fit must be one of {FITS}, not {self.fit!r}")


@dataclass(frozen=True)
class VideoInfo:
    """What a video's container claims. Claims may be wrong; a reader counts what it really decoded.

    Attributes:
        height, width: pixels, upright (after rotation).
        claimed_frames: from the header; None where it does not say.
        claimed_fps: average rate from the header; None where it does not say.
        claimed_duration_seconds: from the header; None where it does not say.
        codec: the codec's short name, such as ``h264``.
        decoder: which reader opened it, ``pyav``, ``opencv`` or ``images``.
        rotation_degrees: the clockwise turn that was applied to make frames upright, and
        mirrored: whether they were mirrored left to right before it.
    """

    path: str
    height: int
    width: int
    claimed_frames: int | None
    claimed_fps: float | None
    claimed_duration_seconds: float | None
    codec: str
    decoder: str
    rotation_degrees: int = 0
    mirrored: bool = False


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame: RGB ``uint8 (H, W, 3)``, upright, and its time in the container's own clock.

    Attributes:
        image: the picture.
        timestamp_seconds: its time.
        index: its number among all decoded frames.
        taken_seconds: of a camera or stream, when it was taken by this machine's ``time.monotonic()``, as far
            as can be told from here; None for what is read at its own pace.
        picture: the whole frame for people to look at, RGB uint8 with its own sides; None where nobody asked
            for it.
    """

    image: np.ndarray
    timestamp_seconds: float
    index: int
    taken_seconds: float | None = None
    picture: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.image.dtype != np.uint8 or self.image.ndim != 3 or self.image.shape[2] != 3:
            raise ValueError(f"a frame is uint8 (H, W, 3), not {self.image.dtype} {self.image.shape}")

    def __repr__(self) -> str:
        return f"Frame({self.index} at {self.timestamp_seconds:.3f} s, {self.image.shape})"


@dataclass(frozen=True)
class Failure:
    """A video that gave no features, or (``truncated``) only those of its good beginning."""

    path: Path
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        text = f"{address(self.path)}: {VIDEO_FAILURES[self.reason]}"
        return f"{text}: {self.detail}" if self.detail else text


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects found in one frame.

    Attributes:
        boxes_N4: ``(N, 4)`` float32, x1, y1, x2, y2 in pixels of the upright frame.
        confidence_N: ``(N,)`` float32.
        class_N: ``(N,)`` int64, the detector's class numbers.
        keypoints_NJ3: ``(N, J, 3)`` float32: x, y in pixels, confidence; J is 0 where there are none.
    """

    boxes_N4: np.ndarray
    confidence_N: np.ndarray
    class_N: np.ndarray
    keypoints_NJ3: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.boxes_N4)
        alike = self.confidence_N.shape == (n,) and self.class_N.shape == (n,)
        if self.boxes_N4.shape != (n, 4) or not alike or self.keypoints_NJ3.shape[::2] != (n, 3):
            raise ValueError(
                f"boxes (N, 4), confidence (N,), class (N,) and keypoints (N, J, 3) expected, not "
                f"{self.boxes_N4.shape}, {self.confidence_N.shape}, {self.class_N.shape}, "
                f"{self.keypoints_NJ3.shape}"
            )

    def __len__(self) -> int:
        return len(self.boxes_N4)

    def __repr__(self) -> str:
        return f"Detections({len(self)} objects, {self.keypoints_NJ3.shape[1]} keypoints each)"


@dataclass(frozen=True, eq=False)
class FeatureSequence:
    """The features of one video at a steady rate.

    >>> FeatureSequence(np.zeros((30, 1280), np.float16), np.arange(30) / 10)
    FeatureSequence(features (30, 1280) float16)

    Attributes:
        features: ``(T, F)`` float16; float32 where they were made elsewhere.
        timestamps_seconds: ``(T,)`` float64, rising, in the container's own clock.
        truncated: empty, or why the video ended before its header said it would.
    """

    features: np.ndarray
    timestamps_seconds: np.ndarray
    truncated: str = ""

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.timestamps_seconds.shape != self.features.shape[:1]:
            raise ValueError(
                f"features (T, F) and timestamps (T,) expected, not {self.features.shape} and "
                f"{self.timestamps_seconds.shape}"
            )

    def __len__(self) -> int:
        return int(self.features.shape[0])

    def __repr__(self) -> str:
        return f"FeatureSequence(features {self.features.shape} {self.features.dtype})"


@dataclass(eq=False)
class SequenceBatch:
    """Where data modules and tasks meet: padded sequences, their lengths, and what is to be learned.

    Attributes:
        x_BTF: float; steps at and after ``lengths_B`` are zero and must not matter.
        lengths_B: int64, on the same device, each at least 1.
        targets: class indices ``(B,)`` int64, or ``(B, P, F)`` float for forecasts.
        index_B: int64, the position of each sequence in its dataset, so that results can be put in order.
        extras: further tensors a task asks for by name, such as neighbours or an origin.
    """

    x_BTF: Tensor
    lengths_B: Tensor
    targets: Tensor
    index_B: Tensor
    extras: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.x_BTF.ndim != 3 or self.lengths_B.shape != self.x_BTF.shape[:1]:
            raise ValueError(
                f"x (B, T, F) and lengths (B,) expected, not {tuple(self.x_BTF.shape)} and "
                f"{tuple(self.lengths_B.shape)}"
            )

    def __len__(self) -> int:
        return int(self.x_BTF.shape[0])

    def __repr__(self) -> str:
        return f"SequenceBatch(x {tuple(self.x_BTF.shape)}, targets {tuple(self.targets.shape)})"

    def to(self, *args: Any, **kwargs: Any) -> SequenceBatch:
        """Moves every tensor, as ``torch.Tensor.to`` does; Lightning calls this."""
        moved = {
            f.name: getattr(self, f.name).to(*args, **kwargs) for f in fields(self) if f.name != "extras"
        }
        return SequenceBatch(**moved, extras={k: v.to(*args, **kwargs) for k, v in self.extras.items()})

    def pin_memory(self) -> SequenceBatch:
        """Pins every tensor that is not on a device already, so that it can be sent there without waiting."""
        names = (f.name for f in fields(self) if f.name != "extras")
        moved = {name: _pinned(getattr(self, name)) for name in names}
        return SequenceBatch(**moved, extras={k: _pinned(v) for k, v in self.extras.items()})


def _pinned(tensor: Tensor) -> Tensor:
    return tensor.pin_memory() if tensor.device.type == "cpu" else tensor


@dataclass(frozen=True)
class Segment:
    """A stretch of a video with one label. Times are in the container's own clock."""

    start_seconds: float
    end_seconds: float
    label: str
    probability: float

    def __post_init__(self) -> None:
        if not self.end_seconds >= self.start_seconds:
            raise ValueError(
                f"a segment cannot end ({self.end_seconds}) before it starts ({self.start_seconds})"
            )


@dataclass(frozen=True, eq=False)
class ActionPrediction:
    """What an action classifier says of one video.

    Attributes:
        video: the path as it was given.
        labels: the K class names.
        window_start_seconds, window_end_seconds: ``(W,)`` float64.
        window_probabilities: ``(W, K)``, each row sums to 1; where labels may overlap, each is by itself.
        segments: the windows merged into stretches of one label, in time order; without overlap, unless
            labels may.
        produced_by: checkpoint, backbone, weights and settings that led to this; plain JSON values.
        truncated: empty, or why the video ended early.
        boundary_probabilities: ``(W,)``, of whether a window begins a segment; None where nothing says so.
    """

    video: str
    labels: tuple[str, ...]
    window_start_seconds: np.ndarray
    window_end_seconds: np.ndarray
    window_probabilities: np.ndarray
    segments: tuple[Segment, ...]
    produced_by: dict[str, Any]
    truncated: str = ""
    boundary_probabilities: np.ndarray | None = None

    def __post_init__(self) -> None:
        windows = len(self.window_start_seconds)
        if self.window_probabilities.shape != (windows, len(self.labels)):
            raise ValueError(
                f"probabilities ({windows}, {len(self.labels)}) expected, "
                f"not {self.window_probabilities.shape}"
            )

    def __repr__(self) -> str:
        return (
            f"ActionPrediction({self.video!r}, {len(self.window_start_seconds)} windows, "
            f"{len(self.segments)} segments)"
        )


@dataclass(frozen=True, eq=False)
class ObjectActions:
    """What each tracked object of one video does, by windows that all objects share.

    Attributes:
        video: the path as it was given.
        labels: the K class names.
        scene: the video as a whole: the objects of each window pooled by attention.
        tracks: track number to its own prediction, with the windows in which it is seen.
        attention: track number to its share ``(W,)`` in the scene, for each of its own windows; the shares of
            one window add up to 1 over the tracks.
        short_tracks: track number to how many seconds it is seen, of tracks too short to be judged.
    """

    video: str
    labels: tuple[str, ...]
    scene: ActionPrediction
    tracks: dict[int, ActionPrediction]
    attention: dict[int, np.ndarray]
    short_tracks: dict[int, float]

    def __post_init__(self) -> None:
        for track_id, prediction in self.tracks.items():
            shares = self.attention[track_id].shape
            if shares != prediction.window_start_seconds.shape:
                raise ValueError(
                    f"track {track_id}: attention {shares} expected to be "
                    f"{prediction.window_start_seconds.shape}, one share a window"
                )

    def __repr__(self) -> str:
        return f"ObjectActions({self.video!r}, {len(self.tracks)} tracks, {len(self.short_tracks)} too short)"


@dataclass(frozen=True, eq=False)
class PathForecast:
    """Where one object is expected, seen from one moment.

    Attributes:
        recording: the video or file the track is from.
        track_id: whose path.
        frame: the last observed frame.
        frame_step, seconds_per_step: from one step to the next.
        unit: of all positions, ``metres`` or ``pixels``.
        observed_TC: ``(T, C)``, up to and including ``frame``; C is 2 (x, y) or 4 (centre x, centre y, width,
            height).
        path_PC: ``(P, C)``, the one path.
        modes_KPC: ``(K, P, C)``, further possible paths, likeliest first; K may be 0.
        probabilities_K: of the modes.
        spread_KPC: standard deviations, the first two along and across ``heading_radians``.
        heading_radians: the direction of the last observed step.
        truth_PC: ``(P, C)``, what happened; NaN where it is not known.
        straight_PC: ``(P, C)``, going on at constant velocity, for comparison.
        moment_seconds: the time of ``frame``, where the recording has a clock.
    """

    recording: str
    track_id: int
    frame: int
    frame_step: int
    seconds_per_step: float
    unit: str
    observed_TC: np.ndarray
    path_PC: np.ndarray
    modes_KPC: np.ndarray
    probabilities_K: np.ndarray
    spread_KPC: np.ndarray
    heading_radians: float
    truth_PC: np.ndarray
    straight_PC: np.ndarray
    moment_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.truth_PC.shape != self.path_PC.shape or self.modes_KPC.shape[1:] != self.path_PC.shape:
            raise ValueError(
                f"path {self.path_PC.shape}, truth {self.truth_PC.shape} "
                f"and modes {self.modes_KPC.shape} differ"
            )

    def __repr__(self) -> str:
        return (
            f"PathForecast({self.recording!r}, track {self.track_id}, frame {self.frame}, "
            f"{len(self.path_PC)} steps, {len(self.modes_KPC)} modes)"
        )


@dataclass(eq=False)
class TrackForecasts:
    """Where the tracked objects of a table, or of some videos, will be.

    Attributes:
        forecasts: all of them.
        short_tracks: those that were too short for any: recording, track, its longest run of steps, steps
            needed.
        gaps: stretches in which tracks were not seen: recording, track, last time before, first after, and
            whether it was short enough to be filled (a longer one splits the track).
        scores: of the forecasts whose whole future is known, and of constant velocity on the same.
    """

    forecasts: list[PathForecast] = field(default_factory=list)
    short_tracks: list[tuple[str, int, int, int]] = field(default_factory=list)
    gaps: list[tuple[str, int, float, float, bool]] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"TrackForecasts({len(self.forecasts)} forecasts, {len(self.short_tracks)} tracks too short)"


@dataclass(frozen=True)
class Progress:
    """Who is told how far a long job has come; each gets the report so far and the number of videos in all.

    Attributes:
        extraction: called with ``ExtractionReport``.
        tracking: called with ``TrackingReport``.
        training: called with ``TrainingReport`` and the number of steps in all.
        drawing: called with ``DrawingReport`` and the number of frames expected; 0 is not known.
    """

    extraction: Callable[[Any, int], None] | None = None
    tracking: Callable[[Any, int], None] | None = None
    training: Callable[[Any, int], None] | None = None
    drawing: Callable[[Any, int], None] | None = None
