"""Feature stores filled with drawn numbers: whatever comes after extraction is tested without a video."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidlstm.datasets import ClipRecord
from vidlstm.features.spec import FeatureSpec
from vidlstm.features.store import FeatureStore
from vidlstm.structures import FeatureSequence

FPS = 10.0


def fake_store(root: Path, width: int, *, fps: float = FPS) -> FeatureStore:
    """An empty store whose backbone is a name and a width."""
    spec = FeatureSpec(fps=fps, image_fps=25.0, backbone={"backbone": "fake", "feature_dim": width})
    return FeatureStore(root, spec)


def put(store: FeatureStore, name: str, sequence: FeatureSequence) -> str:
    """Stores a sequence; returns the hash it lies under."""
    video_hash = hashlib.sha256(name.encode()).hexdigest()
    with store.writer(video_hash) as writer:
        writer.append(sequence.features, sequence.timestamps_seconds.tolist())
        writer.commit()
    return video_hash


def noise_sequences(
    lengths: Sequence[int], width: int, *, seed: int = 0, start_seconds: float = 0.0
) -> list[FeatureSequence]:
    """Normal noise; the steps are ``1 / FPS`` apart."""
    rng = np.random.default_rng(seed)
    return [
        FeatureSequence(
            rng.normal(size=(length, width)).astype(np.float16), start_seconds + np.arange(length) / FPS
        )
        for length in lengths
    ]


def rise_or_fall(
    count: int, width: int, *, seed: int = 0, noise: float = 0.3
) -> tuple[list[FeatureSequence], list[str]]:
    """Ramps up and their exact reverses, like sitting down and standing up: the mean over time tells nothing.

    Every two neighbours hold the same steps in opposite order.
    """
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=width)
    sequences, labels = [], []
    for _ in range(count // 2):
        steps = int(rng.integers(6, 13))
        ramp = np.linspace(-1, 1, steps)[:, None] * direction + noise * rng.normal(size=(steps, width))
        for label, features in (("rise", ramp), ("fall", ramp[::-1])):
            sequences.append(FeatureSequence(features.astype(np.float16), np.arange(steps) / FPS))
            labels.append(label)
    return sequences, labels


def clips_of(
    store: FeatureStore, sequences: Sequence[FeatureSequence], labels: Sequence[str], *, prefix: str = "clip"
) -> tuple[list[ClipRecord], dict[Path, str]]:
    """Stores the sequences; returns a record each and the hashes that a data module asks for."""
    records, hashes = [], {}
    for number, (sequence, label) in enumerate(zip(sequences, labels, strict=True)):
        path = Path(f"{prefix}{number}.mp4")
        hashes[path] = put(store, str(path), sequence)
        records.append(ClipRecord(path, label))
    return records, hashes
