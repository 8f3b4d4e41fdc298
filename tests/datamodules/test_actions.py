"""The data module of action clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.features import clips_of, fake_store, noise_sequences
from vidlstm.datamodules.actions import ActionData
from vidlstm.errors import DatasetError

LENGTHS = [4, 7, 1, 5, 12]
LABELS = ["b", "a", "b", "b", "a"]


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, object]:
    store = fake_store(tmp_path, 6)
    sequences = noise_sequences(LENGTHS, 6, seed=3)
    records, hashes = clips_of(store, sequences, LABELS)
    return {
        "store": store,
        "hashes": hashes,
        "labels": ("a", "b"),
        "train": records[:3],
        "validation": records[3:],
    }


def test_training_sees_every_clip_and_validation_keeps_the_order(parts: dict) -> None:
    data = ActionData(**parts, batch_size=2)
    train = list(data.train_dataloader())
    assert [len(batch) for batch in train] == [2, 1]
    assert sorted(i for batch in train for i in batch.index_B.tolist()) == [0, 1, 2]
    (validation,) = data.val_dataloader()
    assert validation.index_B.tolist() == [0, 1] and validation.lengths_B.tolist() == [5, 12]
    assert validation.targets.tolist() == [1, 0]
    assert data.steps_per_epoch(1) == 2 and data.steps_per_epoch(3) == 1


def test_statistics_are_those_of_the_training_rows_alone(parts: dict) -> None:
    data = ActionData(**parts)
    rows = np.concatenate([s.features for s in noise_sequences(LENGTHS, 6, seed=3)[:3]]).astype(np.float64)
    mean, std = data.feature_statistics()
    assert torch.allclose(mean, torch.tensor(rows.mean(0)).float(), atol=1e-6)
    assert torch.allclose(std, torch.tensor(rows.std(0)).float(), atol=1e-6)
    assert data.class_counts().tolist() == [1, 2]


def test_the_median_clip_is_the_window(parts: dict) -> None:
    assert ActionData(**parts).median_seconds() == pytest.approx(0.4)
    assert ActionData(**parts, max_seconds=0.3).median_seconds() == pytest.approx(0.3)


def test_clips_are_stretches_of_one_video(parts: dict) -> None:
    records = parts["validation"]
    halves = [replace(records[1], end_seconds=0.6), replace(records[1], start_seconds=0.6)]
    data = ActionData(**{**parts, "validation": halves})
    (batch,) = data.val_dataloader()
    whole = noise_sequences(LENGTHS, 6, seed=3)[4].features
    assert batch.lengths_B.tolist() == [6, 6]
    assert np.array_equal(batch.x_BTF.flatten(0, 1).numpy(), whole)


def test_a_clip_between_two_frames_is_named(parts: dict) -> None:
    lost = replace(parts["train"][0], start_seconds=0.11, end_seconds=0.19)
    with pytest.raises(DatasetError, match=r"clip0\.mp4"):
        ActionData(**{**parts, "train": [lost]})


def test_a_longer_clip_is_cut(parts: dict) -> None:
    data = ActionData(**parts, max_seconds=0.5)
    (batch,) = data.val_dataloader()
    assert batch.lengths_B.tolist() == [5, 5]
    whole = noise_sequences(LENGTHS, 6, seed=3)[4].features
    assert np.array_equal(batch.x_BTF[1].numpy(), whole[3:8])  # the middle
