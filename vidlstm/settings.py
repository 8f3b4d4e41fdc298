"""Small typed dataclasses that flags, YAML files, Python arguments and checkpoints are made from.

This is the one place of defaults and ranges: a field's type says what it may be, its docstring becomes the
help text of the command line. Settings flow down whole; :func:`settings_from` checks them, wherever they come
from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from annotated_types import Ge, Gt, Interval, Lt

from vidlstm.errors import SettingsError, nearest

Positive = Annotated[float, Gt(0), Lt(math.inf)]
NotNegative = Annotated[float, Ge(0), Lt(math.inf)]
Share = Annotated[float, Interval(ge=0, le=1)]
Dropout = Annotated[float, Interval(ge=0, lt=1)]
Count = Annotated[int, Interval(ge=1, le=1_000_000)]
Number = Annotated[int, Interval(ge=0, le=1_000_000)]
Seed = Annotated[int, Interval(ge=0, lt=2**32)]
Widest = 10.0
"""The largest margin around a box, as a share of its side; beyond it an object is a dot."""


@dataclass
class BackboneSettings:
    """The frozen network that turns frames into features.

    Args:
        name: a torchvision classification model (mobilenet_v2, resnet18, ...), efficientnet_lite0, timm:NAME,
            a YOLO network's yolo:embed, yolo:objects, yolo:pose or yolo:joints, or package.module:function
            for a network of yours; several joined by + stand side by side. Of tracked objects (data.tracks)
            these see what is cut out, and track:pose describes the body.
        weights: a weights file, or the word 'random'. Without it: torch hub's cache, then the installed
            package, then a download if that is allowed. Joined networks take as many, joined by +.
        trust: read a YOLO file that holds more than a plain network, and so may run any code.
        size: of the square frames given to a YOLO network or one of timm's, in pixels; None is what it was
            trained on.
        download: allow torchvision and timm to download their weights.
        dtype: the number format it computes in; auto takes bfloat16 where the processor has it.
        fit: how a frame is brought to the input size. squash keeps the whole view, crop cuts the middle out,
            letterbox pads; auto is letterbox for YOLO and squash for the others.
        compile: run it through torch.compile; for GPUs, where it pays off after some thousands of frames. On
            a CPU what is built in is faster.
        batch_size: frames per forward pass; the last batch is padded to it.
    """

    name: str = "mobilenet_v2"
    weights: str | None = None
    trust: bool = False
    size: Count | None = None
    download: bool = False
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    fit: Literal["auto", "squash", "crop", "letterbox"] = "auto"
    compile: bool = False
    batch_size: Count = 32


@dataclass
class SamplingSettings:
    """Which frames become features.

    Args:
        fps: features per second of video. A slower video gives one feature per frame.
        decoder: auto takes PyAV and falls back to OpenCV.
        image_fps: the rate of a folder of frame images, which carries no clock of its own.
        workers: decode processes; 0 takes one per core, at most sixteen.
        timeout_seconds: a video that gives no frame for this long is listed as failed.
    """

    fps: Positive = 10.0
    decoder: Literal["auto", "pyav", "opencv"] = "auto"
    image_fps: Positive = 25.0
    workers: Number = 0
    timeout_seconds: Positive = 60.0


@dataclass
class TrackingSettings:
    """What is found in each frame of a video, and how it is followed.

    Args:
        weights: the file of a YOLO detection, pose or segmentation network.
        trust: run the code of a weights file that holds more than layers and numbers.
        boxes: MOTChallenge text files in place of a network, one a video, in the same order; without
            identities they are detections.
        tracker: bytetrack, or botsort, which follows a moving camera.
        classes: names of the classes to keep; none keeps all.
        confidence: less certain detections are dropped; the trackers make use of uncertain ones.
        image_size: longest side that frames are scaled to for the network, pixels.
        lost_seconds: for how long an object that is not seen keeps its number.
        start_confidence: how certain a detection must be to begin a track, and to be matched first.
        weigh_overlap: uncertain detections need a larger overlap to be matched. Off, faint people in dark or
            coarse pictures are followed for longer, and wrong boxes too.
        fps: frames a second that are looked at; None takes all.
        batch_size: frames that go through the network together; 0 takes what suits the device.
        decoder: auto takes PyAV and falls back to OpenCV.
        image_fps: the rate of a folder of frame images, which carries no clock of its own.
        timeout_seconds: a video that gives no frame for this long is listed as failed.
    """

    weights: Path | None = None
    trust: bool = False
    boxes: list[Path] | None = None
    tracker: Literal["bytetrack", "botsort"] = "bytetrack"
    classes: list[str] | None = None
    confidence: Share = 0.1
    image_size: Count = 640
    lost_seconds: NotNegative = 1.0
    start_confidence: Share = 0.25
    weigh_overlap: bool = True
    fps: Positive | None = None
    batch_size: Number = 0
    decoder: Literal["auto", "pyav", "opencv"] = "auto"
    image_fps: Positive = 25.0
    timeout_seconds: Positive = 60.0


@dataclass
class ActionDataSettings:
    """Labelled clips.

    Args:
        format: the layout of the dataset.
        root: the folder that paths in the annotations start from.
        annotations: the annotation file, where the format has one.
        fold: which fold is held out for validation, where the annotations number them.
        validation_fraction: the share of groups held out where the annotations say nothing about it.
        skip_unreadable: train without clips that cannot be read, instead of stopping.
        batch_size: sequences per training step, in each process where several train together.
        max_seconds: longer clips are cut: at random in training, else in the middle; None keeps all.
    """

    format: Literal["folder", "csv", "ucf101", "hmdb51", "kinetics"] = "folder"
    root: Path | None = None
    annotations: Path | None = None
    fold: int | None = None
    validation_fraction: Share = 0.2
    skip_unreadable: bool = False
    batch_size: Count = 32
    max_seconds: Positive | None = None


@dataclass
class ObjectActionDataSettings(ActionDataSettings):
    """Labelled clips, and the objects that were tracked in them.

    Every tracked object is a sequence of its own; a clip's label is that of its objects together, or of the
    one that its track_id names.

    Args:
        tracks: the tracks table of the clips, made by vidlstm track.
        max_gap_seconds: an object that is not seen for longer begins anew; a shorter gap is filled.
        minimum_seconds: an object that is seen for a shorter time is left out.
        crop_margin: shown around an object's box, as a share of its longer side.
    """

    tracks: Path | None = None
    max_gap_seconds: NotNegative = 0.5
    minimum_seconds: NotNegative = 0.5
    crop_margin: Annotated[float, Interval(ge=0, le=Widest)] = 0.1


@dataclass
class ActionModelSettings:
    """The recurrent classifier.

    Args:
        cell: the recurrent cell.
        hidden_size: units per layer and direction.
        num_layers: stacked layers.
        bidirectional: read the sequence from both ends.
        projection: width of a linear layer before the recurrence; 0 leaves it out.
        dropout: between layers and before the classifier.
        input_dropout: on the features.
        frame_difference: append the change since the previous step to every feature.
        absolute_difference: append how much every feature has changed, whichever way.
        pooling: how the steps become one vector.
        forget_bias: where the bias of the gate that keeps the old state starts; 1 or more lets gradients
            through from the first step on. None leaves it to chance.
        orthogonal: start the recurrent weights as orthogonal matrices.
        fusion: of joined backbones. early has one classifier read all features; late gives each backbone's
            features a classifier of their own and averages the log-probabilities.
    """

    cell: str = "lstm"
    hidden_size: Count = 128
    num_layers: Annotated[int, Interval(ge=1, le=1000)] = 2
    bidirectional: bool = True
    projection: Number = 128
    dropout: Dropout = 0.5
    input_dropout: Dropout = 0.2
    frame_difference: bool = False
    absolute_difference: bool = False
    pooling: Literal["last", "mean", "max", "attention"] = "mean"
    forget_bias: float | None = None
    orthogonal: bool = False
    fusion: Literal["early", "late"] = "early"


@dataclass
class OptimiserSettings:
    """AdamW with a warm-up and a cosine schedule.

    Args:
        learning_rate: the peak, after the warm-up.
        weight_decay: decoupled; not applied to biases.
        warmup_fraction: the share of all steps spent rising to the peak.
        label_smoothing: mixed into the targets.
        class_weights: balanced weighs each class by the inverse of its frequency.
        patience: epochs without a better validation score before stopping; 0 never stops early.
        truncate_steps: cut the gradient through time at every so many steps, for clips too long to hold; the
            state is carried on. Not with a bidirectional network. 0 never cuts.
    """

    learning_rate: NotNegative = 1e-3
    weight_decay: NotNegative = 1e-2
    warmup_fraction: Share = 0.1
    label_smoothing: Dropout = 0.1
    class_weights: Literal["none", "balanced"] = "balanced"
    patience: Number = 0
    truncate_steps: Number = 0


TRAINER_DEFAULTS: dict[str, Any] = {
    "max_epochs": 60,
    "gradient_clip_val": 1.0,
    "log_every_n_steps": 1,
    "enable_model_summary": False,
    "use_distributed_sampler": False,
}
"""Where vidlstm's training differs from Lightning's own ``Trainer`` defaults.

The data modules share sequences among processes themselves, so that none is counted twice.
"""


@dataclass
class TrajectoryDataSettings:
    """Tables of positions, cut into windows.

    Args:
        format: the layout of the dataset.
        root: its folder; for tracks also one table, which is then cut by time (see train_until).
        scene: the scene held out (ethucy): one of eth, hotel, univ, zara1, zara2.
        observed: steps that are seen.
        horizon: steps to forecast.
        frame_step: keep every so many frames (mot, tracks).
        step_seconds: resample by the timestamps to steps of this length instead (tracks).
        max_gap_seconds: a track that is not seen for longer is split, a shorter gap is filled (step_seconds).
        train_until: of a single table, this share of each video's time is for training,
        validate_until: what follows up to here for validation, and the rest for testing.
        normalise: height counts lengths in box heights, so that near and far objects are alike.
        homography: a text file of three lines of three numbers, pixels to metres on the ground (tracks).
        fps: frames a second, where the format does not say (mot).
        gaps: error stops at a track that misses a frame, split lets no window span it; None takes the
            format's own rule.
        minimum_tracks: evaluate windows that begin together only where there are at least so many; 1 is the
            rule of the trajectory-only papers, 2 that of Social GAN's loader.
        batch_size: windows per training step.
        draws_per_epoch: training windows drawn each epoch.
        balance: 1 draws windows alike, 0 draws recordings alike, so that long ones do not drown short ones.
        flip: share of training windows that are mirrored.
        reverse: share walked backwards in time; not with social pooling.
        scale: training windows are scaled by exp(u), u uniform within plus and minus this.
        noise: largest noise on observed positions in training, in typical steps.
        noisy: share of training windows with noise.
    """

    format: Literal["ethucy", "trajnet", "mot", "tracks"] = "ethucy"
    root: Path | None = None
    scene: str | None = None
    observed: Count = 8
    horizon: Count = 12
    frame_step: Count = 1
    step_seconds: Positive | None = None
    max_gap_seconds: NotNegative = 1.0
    train_until: Share = 0.4
    validate_until: Share = 0.6
    normalise: Literal["none", "height"] = "none"
    homography: Path | None = None
    fps: Positive | None = None
    gaps: Literal["error", "split"] | None = None
    minimum_tracks: Count = 1
    batch_size: Count = 256
    draws_per_epoch: Count = 16384
    balance: Share = 0.75
    flip: Share = 0.5
    reverse: Share = 0.5
    scale: NotNegative = 0.3
    noise: NotNegative = 0.25
    noisy: Share = 0.5


@dataclass
class TrajectoryModelSettings:
    """The recurrent forecaster.

    Args:
        modes: paths of the mixture; 0 leaves it out.
        cell: the recurrent cell.
        hidden_size: units per layer.
        num_layers: stacked layers.
        decoding: direct gives all steps at once, autoregressive feeds each prediction back.
        decoder_size: units of the direct decoder's hidden layer.
        social: how neighbours are seen: grid is that of Social LSTM, directional that of TrajNet++.
        social_size: width of the neighbourhood's embedding.
        neighbours: the nearest others that are seen, where social is on.
        forget_bias: where the bias of the gate that keeps the old state starts; 1 or more lets gradients
            through from the first step on. None leaves it to chance.
        orthogonal: start the recurrent weights as orthogonal matrices.
    """

    modes: Number = 20
    cell: str = "lstm"
    hidden_size: Count = 96
    num_layers: Annotated[int, Interval(ge=1, le=1000)] = 1
    decoding: Literal["direct", "autoregressive"] = "direct"
    decoder_size: Count = 256
    social: Literal["none", "grid", "directional"] = "none"
    social_size: Count = 32
    neighbours: Number = 8
    forget_bias: float | None = None
    orthogonal: bool = False


@dataclass
class TrajectoryOptimiserSettings:
    """AdamW with a warm-up and a cosine schedule, and the losses of a forecaster.

    Args:
        learning_rate: the peak, after the warm-up.
        weight_decay: decoupled; not applied to biases.
        warmup_fraction: the share of all steps spent rising to the peak.
        temperature: how softly the best of K is chosen at the start, in typical steps; falls to zero.
        final_weight: of the final distance beside the mean one in best of K.
        average_decay: of the moving average of the weights that is validated and kept.
        patience: epochs without a better validation error before stopping; 0 never stops early.
    """

    learning_rate: NotNegative = 2e-3
    weight_decay: NotNegative = 1e-2
    warmup_fraction: Share = 0.05
    temperature: NotNegative = 0.7
    final_weight: NotNegative = 0.5
    average_decay: Share = 0.995
    patience: Number = 0


@dataclass
class WindowSettings:
    """How a long video is cut for prediction.

    Args:
        seconds: length of a window; None takes the median training clip, from the checkpoint.
        stride_seconds: from one window to the next; None takes a quarter of a window.
        minimum_seconds: shorter segments are given to their neighbours; None takes half a window.
    """

    seconds: Positive | None = None
    stride_seconds: Positive | None = None
    minimum_seconds: NotNegative | None = None


@dataclass
class ActionSettings:
    """All that ``train --task action`` takes."""

    data: ActionDataSettings = field(default_factory=ActionDataSettings)
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    model: ActionModelSettings = field(default_factory=ActionModelSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)


@dataclass
class ObjectActionSettings(ActionSettings):
    """All that ``train --task object_action`` takes."""

    data: ObjectActionDataSettings = field(default_factory=ObjectActionDataSettings)


@dataclass
class TrajectorySettings:
    """All that ``train --task trajectory`` takes."""

    data: TrajectoryDataSettings = field(default_factory=TrajectoryDataSettings)
    model: TrajectoryModelSettings = field(default_factory=TrajectoryModelSettings)
    optimiser: TrajectoryOptimiserSettings = field(default_factory=TrajectoryOptimiserSettings)


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


def plain(settings: Any) -> dict[str, Any]:
    """A settings dataclass as JSON-ready values, for checkpoints and reports."""
    return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(settings).items()}


S = TypeVar("S")
SHORTHAND = {"data": "root", "backbone": "name"}
"""Of a section that is given as one word, the setting that is meant."""


def settings_from(kind: type[S], given: S | Mapping[str, Any] | str | Path | None, *, section: str) -> S:
    """Checked settings of one kind.

    >>> settings_from(SamplingSettings, {"fps": 5}, section="sampling").fps
    5.0

    Args:
        kind: the dataclass.
        given: settings, some of them by name (the others take their defaults), one word for the setting in
            ``SHORTHAND``, or None for all defaults.
        section: what they are called, such as ``data``; for messages. Empty at the top level.

    Raises:
        SettingsError: a name is unknown, or a value is not what the field's type says.
    """
    values = by_name(given, section)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    for name in values.keys() - known:
        full = dotted(section, name)
        raise SettingsError(f"no setting is called {full}{nearest(name, known)}", setting=full)
    from pydantic import ValidationError

    try:
        checked: S = _adapter(cast("Any", kind)).validate_python(values)
    except ValidationError as error:
        raise first_mistake(error, section) from None
    return checked


def by_name(given: Any, section: str) -> dict[str, Any]:
    """Settings by name, however they were given; of a settings object all of them.

    Raises:
        SettingsError: it is neither settings, nor a mapping, nor a word where one is taken.
    """
    if isinstance(given, str | Path) and section in SHORTHAND:
        return {SHORTHAND[section]: given}
    if is_dataclass(given) and not isinstance(given, type):
        return asdict(given)
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    name = section or "tracking"
    raise SettingsError(f"`{name}` takes settings, or a dict of some, not {given!r}", setting=name)


def value_from(kind: Any, given: Any, *, name: str) -> Any:
    """One checked value.

    >>> value_from(Seed, 3, name="seed")
    3

    Args:
        kind: its type, with its range.
        given: the value.
        name: of the setting, for the message.

    Raises:
        SettingsError: it does not fit.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(given)
    except ValidationError as error:
        raise first_mistake(error, name) from None


def first_mistake(error: Any, section: str) -> SettingsError:
    """What pydantic found first, in a sentence that names the setting."""
    mistake = error.errors()[0]
    name = dotted(section, str(mistake["loc"][0])) if mistake["loc"] else section
    words = mistake["msg"].replace("Input should be ", "must be ").replace("Input is", "is")
    return SettingsError(f"`{name}` {words}: {mistake['input']!r}", setting=name)


def dotted(section: str, name: str) -> str:
    """The full name of a setting."""
    return f"{section}.{name}" if section else name


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter  # a tenth of a second, which --help need not wait for

    return TypeAdapter(kind)
