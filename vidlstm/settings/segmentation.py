"""Settings of ``--task segmentation``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vidlstm.settings.common import BackboneSettings, SamplingSettings
from vidlstm.settings.ranges import (
    Bias,
    Count,
    Dropout,
    Layers,
    NotNegative,
    Number,
    Positive,
    Rate,
    Seconds,
    Share,
    Units,
    UnitsOrNone,
)


@dataclass
class SegmentationDataSettings:
    """Long videos, and what happens when in them.

    Args:
        format: of the annotations; auto tells by the file. features are files of features that were made
            elsewhere, in place of videos, with annotations of any format.
        root: the folder of the videos; without it, that of the annotations.
        annotations: the file of timed labels.
        labelled_fps: frames a second as the labelling tool counted them, where it counts frames.
        fold: which fold is held out for validation, where the annotations number them.
        validation_fraction: the share of groups held out where the annotations say nothing about it.
        skip_unreadable: train without videos that cannot be read, instead of stopping.
        batch_size: windows per training step, in each process where several train together.
        window_seconds: what is cut out of a video for one training sequence; None takes whole videos.
        carry_state: windows follow each other in time, and the state at the end of one is where the next
            starts; for events that hang on what was minutes ago. Not with a bidirectional network.
        background: the class of steps without a label, an own one or one of the labels; None leaves them out
            of the loss and of every score.
        multi_label: labels may overlap, each is decided by itself, and a step without a label has none.
        minimum_seconds: shorter stretches of a prediction are given to their neighbours.
        features_fps: steps a second in files of features.
        features_layout: how each lies, as (T, F) or (F, T) for T steps of F features; auto tells by what all
            files agree on.
    """

    format: str = "auto"
    root: Path | None = None
    annotations: Path | None = None
    labelled_fps: Positive | None = None
    fold: Number | None = None
    validation_fraction: Share = 0.2
    skip_unreadable: bool = False
    batch_size: Count = 4
    window_seconds: Seconds | None = 20.0
    carry_state: bool = False
    background: str | None = None
    multi_label: bool = False
    minimum_seconds: NotNegative = 0.5
    features_fps: Rate | None = None
    features_layout: Literal["auto", "TF", "FT"] = "auto"


@dataclass
class SegmentationModelSettings:
    """The recurrent network that scores every step.

    Args:
        cell: the recurrent cell.
        hidden_size: units per layer and direction.
        num_layers: stacked layers.
        bidirectional: read the video from both ends. Without it a step knows nothing of what comes after
            it, as when watching live.
        projection: width of a linear layer before the recurrence; 0 leaves it out.
        dropout: between layers and before the scores.
        input_dropout: on the features.
        frame_difference: append the change since the previous step to every feature.
        absolute_difference: append how much every feature has changed, whichever way.
        forget_bias: where the bias of the gate that keeps the old state starts; 1 or more lets gradients
            through from the first step on. None leaves it to chance.
        orthogonal: start the recurrent weights as orthogonal matrices.
        boundary: also score whether a step begins a segment; a prediction is cut where that is likeliest.
    """

    cell: str = "lstm"
    hidden_size: Units = 64
    num_layers: Layers = 1
    bidirectional: bool = True
    projection: UnitsOrNone = 64
    dropout: Dropout = 0.5
    input_dropout: Dropout = 0.2
    frame_difference: bool = False
    absolute_difference: bool = False
    forget_bias: Bias | None = None
    orthogonal: bool = False
    boundary: bool = False


@dataclass
class SegmentationOptimiserSettings:
    """AdamW with a warm-up and a cosine schedule, and the losses of a network that scores every step.

    Args:
        learning_rate: the peak, after the warm-up.
        weight_decay: decoupled; not applied to biases.
        warmup_fraction: the share of all steps spent rising to the peak.
        label_smoothing: mixed into the targets.
        class_weights: balanced weighs each class by the inverse of its time.
        smoothing_weight: of the loss that keeps neighbouring steps alike, beside the other.
        smoothing_limit: a change of log-probability beyond this costs no more; so borders stay sharp.
        boundary_weight: of the loss of a network with `model.boundary`, beside the other.
        patience: epochs without a better macro F1 of the validation steps before stopping; 0 never stops
            early.
    """

    learning_rate: NotNegative = 1e-3
    weight_decay: NotNegative = 1e-2
    warmup_fraction: Share = 0.1
    label_smoothing: Dropout = 0.0
    class_weights: Literal["none", "balanced"] = "balanced"
    smoothing_weight: NotNegative = 0.15
    smoothing_limit: Positive = 4.0
    boundary_weight: NotNegative = 0.1
    patience: Number = 0


@dataclass
class SegmentationSettings:
    """All that ``train --task segmentation`` takes."""

    data: SegmentationDataSettings = field(default_factory=SegmentationDataSettings)
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    model: SegmentationModelSettings = field(default_factory=SegmentationModelSettings)
    optimiser: SegmentationOptimiserSettings = field(default_factory=SegmentationOptimiserSettings)
