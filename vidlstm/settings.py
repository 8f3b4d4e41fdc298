"""Small typed dataclasses that flags, YAML files and checkpoints are made from.

Field docstrings become the help text of the command line. Only ``workflows`` takes these apart; every
other room gets plain arguments.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass
class BackboneSettings:
    """The frozen network that turns frames into features.

    Args:
        name: a torchvision classification model (mobilenet_v2, resnet18, ...) or efficientnet_lite0.
        weights: a weights file, or the word 'random'. Without it: torch hub's cache, then the installed
            package, then a download if that is allowed.
        download: allow torchvision to download its weights.
        dtype: the number format it computes in; auto takes bfloat16 where the processor has instructions for it.
        fit: how a frame is brought to the input size. squash keeps the whole view, crop cuts the middle out,
            letterbox pads.
        compile: run it through torch.compile; pays off from some thousands of frames on.
        batch_size: frames per forward pass; the last batch is padded to it.
    """

    name: str = "mobilenet_v2"
    weights: str | None = None
    download: bool = False
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    fit: Literal["squash", "crop", "letterbox"] = "squash"
    compile: bool = False
    batch_size: int = 32


@dataclass
class SamplingSettings:
    """Which frames become features.

    Args:
        fps: features per second of video. A slower video gives one feature per frame.
        decoder: auto takes PyAV and falls back to OpenCV.
        image_fps: the rate of a folder of frame images, which carries no clock of its own.
        workers: decode processes; 0 takes one per core, at most four.
        timeout_seconds: a video that gives no frame for this long is listed as failed.
    """

    fps: float = 10.0
    decoder: Literal["auto", "pyav", "opencv"] = "auto"
    image_fps: float = 25.0
    workers: int = 0
    timeout_seconds: float = 60.0


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
        batch_size: sequences per training step.
        max_seconds: longer clips are cut at random in training and in the middle in evaluation; None keeps all.
    """

    format: Literal["folder", "csv", "ucf101", "hmdb51", "kinetics"] = "folder"
    root: Path | None = None
    annotations: Path | None = None
    fold: int | None = None
    validation_fraction: float = 0.2
    skip_unreadable: bool = False
    batch_size: int = 32
    max_seconds: float | None = None


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
        pooling: how the steps become one vector.
    """

    cell: str = "lstm"
    hidden_size: int = 128
    num_layers: int = 2
    bidirectional: bool = True
    projection: int = 128
    dropout: float = 0.5
    input_dropout: float = 0.2
    frame_difference: bool = False
    pooling: Literal["last", "mean", "max", "attention"] = "mean"


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
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup_fraction: float = 0.1
    label_smoothing: float = 0.1
    class_weights: Literal["none", "balanced"] = "balanced"
    patience: int = 0


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
class WindowSettings:
    """How a long video is cut for prediction.

    Args:
        seconds: length of a window; None takes the median training clip, from the checkpoint.
        stride_seconds: from one window to the next; None takes a quarter of a window.
        minimum_seconds: shorter segments are given to their neighbours; None takes half a window.
    """

    seconds: float | None = None
    stride_seconds: float | None = None
    minimum_seconds: float | None = None


def plain(settings: Any) -> dict[str, Any]:
    """A settings dataclass as JSON-ready values, for checkpoints and reports."""
    return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(settings).items()}
