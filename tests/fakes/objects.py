"""Sequences of tracked objects made of numbers: no video, no table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidlstm.datamodules.object_sequences import ObjectSequence

STEP = 0.1


def sequence(
    track: int, steps: int, width: int = 4, *, start_seconds: float = 0.0, value: float | None = None
) -> ObjectSequence:
    """One stretch of a track, all of one value, or noise that the track and the start decide."""
    rng = np.random.default_rng([track, round(start_seconds * 1000)])
    features = rng.normal(size=(steps, width)) if value is None else np.full((steps, width), value)
    return ObjectSequence(track, features.astype(np.float16), start_seconds + STEP * np.arange(steps), STEP)


def rise_or_fall(track: int, label: str, *, width: int = 6, seed: int = 0) -> ObjectSequence:
    """A ramp, or its exact reverse: only order tells them apart."""
    rng = np.random.default_rng([seed, track])
    steps = int(rng.integers(6, 13))
    ramp = np.linspace(-1, 1, steps)[:, None] * np.cos(np.arange(width))
    ramp += 0.1 * rng.normal(size=(steps, width))
    features = ramp if label == "rise" else ramp[::-1]
    return ObjectSequence(track, features.astype(np.float16), STEP * np.arange(steps), STEP)


def still(track: int, steps: int = 8, *, width: int = 6, seed: int = 0) -> ObjectSequence:
    """Somebody who does nothing: noise around zero."""
    rng = np.random.default_rng([seed, track, 1])
    features = 0.1 * rng.normal(size=(steps, width))
    return ObjectSequence(track, features.astype(np.float16), STEP * np.arange(steps), STEP)


def rows_of(sequences: Sequence[ObjectSequence]) -> np.ndarray:
    """All their rows, one after the other."""
    return np.concatenate([s.features_TF for s in sequences])
