"""``train --task action``: labelled clips, and the recurrent classifier."""

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
    Rate,
    Seconds,
    Share,
    Units,
    UnitsOrNone,
)


@dataclass
class ActionDataSettings:
    """Labelled clips.

    Args:
        format: the layout of the dataset; features are files of features that were made elsewhere, with a
            table of labels as of csv.
        root: the folder that paths in the annotations start from.
        annotations: the annotation file, where the format has one.
        fold: which fold is held out for validation, where the annotations number them.
        validation_fraction: the share of groups held out where the annotations say nothing about it.
        skip_unreadable: train without clips that cannot be read, instead of stopping.
        batch_size: sequences per training step, in each process where several train together.
        max_seconds: longer clips are cut: at random in training, else in the middle; None keeps all.
        features_fps: steps a second in files of features.
        features_layout: how each lies, as (T, F) or (F, T) for T steps of F features; auto tells by what all
            files agree on.
    """

    format: Literal["folder", "csv", "ucf101", "hmdb51", "kinetics", "features"] = "folder"
    root: Path | None = None
    annotations: Path | None = None
    fold: Number | None = None
    validation_fraction: Share = 0.2
    skip_unreadable: bool = False
    batch_size: Count = 32
    max_seconds: Seconds | None = None
    features_fps: Rate | None = None
    features_layout: Literal["auto", "TF", "FT"] = "auto"


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
    hidden_size: Units = 128
    num_layers: Layers = 2
    bidirectional: bool = True
    projection: UnitsOrNone = 128
    dropout: Dropout = 0.5
    input_dropout: Dropout = 0.2
    frame_difference: bool = False
    absolute_difference: bool = False
    pooling: Literal["last", "mean", "max", "attention"] = "mean"
    forget_bias: Bias | None = None
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


@dataclass
class ActionSettings:
    """All that ``train --task action`` takes."""

    data: ActionDataSettings = field(default_factory=ActionDataSettings)
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    model: ActionModelSettings = field(default_factory=ActionModelSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
