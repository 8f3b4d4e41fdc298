"""``train --task trajectory``: tables of positions, and the recurrent forecaster."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vidlstm.settings.ranges import (
    Bias,
    Count,
    Dropout,
    Few,
    Layers,
    Margin,
    NotNegative,
    Number,
    Rate,
    Seconds,
    Share,
    Steps,
    Units,
)


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
    observed: Steps = 8
    horizon: Steps = 12
    frame_step: Count = 1
    step_seconds: Seconds | None = None
    max_gap_seconds: NotNegative = 1.0
    train_until: Share = 0.4
    validate_until: Share = 0.6
    normalise: Literal["none", "height"] = "none"
    homography: Path | None = None
    fps: Rate | None = None
    gaps: Literal["error", "split"] | None = None
    minimum_tracks: Count = 1
    batch_size: Count = 256
    draws_per_epoch: Count = 16384
    balance: Share = 0.75
    flip: Share = 0.5
    reverse: Share = 0.5
    scale: Margin = 0.3
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

    modes: Few = 20
    cell: str = "lstm"
    hidden_size: Units = 96
    num_layers: Layers = 1
    decoding: Literal["direct", "autoregressive"] = "direct"
    decoder_size: Units = 256
    social: Literal["none", "grid", "directional"] = "none"
    social_size: Units = 32
    neighbours: Few = 8
    forget_bias: Bias | None = None
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
    average_decay: Dropout = 0.995
    patience: Number = 0


@dataclass
class TrajectorySettings:
    """All that ``train --task trajectory`` takes."""

    data: TrajectoryDataSettings = field(default_factory=TrajectoryDataSettings)
    model: TrajectoryModelSettings = field(default_factory=TrajectoryModelSettings)
    optimiser: TrajectoryOptimiserSettings = field(default_factory=TrajectoryOptimiserSettings)
