"""Labelled clips to bags of their objects: right sequences, right times, right tracks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.fakes.objects import rows_of, sequence
from vidlstm.datamodules.object_actions import ObjectActionData
from vidlstm.datasets import ClipRecord
from vidlstm.errors import DatasetError

A, B, C = Path("a.mp4"), Path("b.mp4"), Path("c.mp4")
SEQUENCES = {
    A: [
        sequence(1, 10, start_seconds=5.0),
        sequence(2, 3, start_seconds=5.5),
        sequence(1, 6, start_seconds=9),
    ],
    B: [sequence(1, 8)],
    C: [],
}
SEQUENCES_OF_A = SEQUENCES[A]


def module(
    train: list[ClipRecord], validation: list[ClipRecord] | None = None, **settings: Any
) -> ObjectActionData:
    return ObjectActionData(
        SEQUENCES,
        4,
        ("x", "y"),
        train=train,
        validation=validation or [ClipRecord(B, "x")],
        fps=10.0,
        **{"minimum_seconds": 0.0, **settings},
    )


def bag(data: ObjectActionData, place: int) -> list[np.ndarray]:
    """The sequences of a training clip."""
    assert data.train_set is not None
    batch = data.train_set[[place]]
    return [x[:n].numpy() for x, n in zip(batch.x_BTF, batch.lengths_B.tolist(), strict=True)]


def same(found: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return len(found) == len(wanted) and all(map(np.array_equal, found, wanted))


def test_a_clips_bag_is_every_object_of_its_video() -> None:
    data = module([ClipRecord(A, "y"), ClipRecord(B, "x")])
    assert same(bag(data, 0), [s.features_TF for s in SEQUENCES_OF_A])
    assert same(bag(data, 1), [SEQUENCES[B][0].features_TF])
    assert data.train_set is not None
    assert data.train_set.targets.tolist() == [1, 0] and data.class_counts().tolist() == [1, 1]
    assert data.empty == []


def test_a_tracks_bag_is_all_that_is_seen_of_it() -> None:
    data = module([ClipRecord(A, "y", track_id=1), ClipRecord(A, "x", track_id=2)])
    assert same(bag(data, 0), [SEQUENCES_OF_A[0].features_TF, SEQUENCES_OF_A[2].features_TF])
    assert same(bag(data, 1), [SEQUENCES_OF_A[1].features_TF])


def test_the_clips_time_cuts_its_objects() -> None:
    clip = ClipRecord(A, "y", start_seconds=5.6, end_seconds=9.2)
    one, two, three = bag(module([clip]), 0)
    assert np.array_equal(one, SEQUENCES_OF_A[0].features_TF[6:])
    assert np.array_equal(two, SEQUENCES_OF_A[1].features_TF[1:])
    assert np.array_equal(three, SEQUENCES_OF_A[2].features_TF[:2])
    track = ClipRecord(A, "y", start_seconds=5.6, end_seconds=9.2, track_id=2)
    assert same(bag(module([track]), 0), [SEQUENCES_OF_A[1].features_TF[1:]])


def test_what_is_seen_too_shortly_is_left_out() -> None:
    whole, track = ClipRecord(A, "y"), ClipRecord(A, "y", track_id=2)
    data = module([whole, track], minimum_seconds=0.4)
    assert same(bag(data, 0), [SEQUENCES_OF_A[0].features_TF, SEQUENCES_OF_A[2].features_TF])
    assert data.empty == [track]
    assert data.short == [(whole, 2), (track, 2)], "and listed"


def test_nobody_is_one_step_of_zeros() -> None:
    clips = [ClipRecord(C, "y"), ClipRecord(A, "x", start_seconds=100.0)]
    data = module([*clips, ClipRecord(B, "x")], [ClipRecord(C, "y")])
    for place in (0, 1):
        (nobody,) = bag(data, place)
        assert nobody.shape == (1, 4) and not nobody.any()
    assert data.empty == [*clips, ClipRecord(C, "y")]
    (batch,) = data.val_dataloader()
    assert batch.lengths_B.tolist() == [1] and not batch.x_BTF.any()


def test_an_unknown_track_is_an_error_that_names_the_clip_and_the_tracks() -> None:
    with pytest.raises(DatasetError, match=r"a\.mp4 has no track 7; it has 1, 2\..*`data\.tracks`"):
        module([ClipRecord(A, "y", track_id=7)])
    with pytest.raises(DatasetError, match=r"c\.mp4 has no track 1; it has none"):
        module([ClipRecord(C, "y", track_id=1)])
    many = {A: [sequence(n, 2) for n in range(50)]}
    with pytest.raises(DatasetError, match=r"18, 19, \.\.\.\."):
        ObjectActionData(
            many, 4, ("y",), train=[ClipRecord(A, "y", track_id=99)], validation=[], fps=10, minimum_seconds=0
        )


def test_statistics_are_of_the_training_bags_alone() -> None:
    data = module([ClipRecord(A, "y"), ClipRecord(A, "y", track_id=2)], [ClipRecord(B, "x")])
    rows = rows_of([*SEQUENCES_OF_A, SEQUENCES_OF_A[1]]).astype(np.float64)
    mean, std = data.feature_statistics()
    torch.testing.assert_close(mean, torch.tensor(rows.mean(0)).float(), atol=1e-5, rtol=0)
    torch.testing.assert_close(std, torch.tensor(rows.std(0)).float(), atol=1e-5, rtol=0)


def test_the_window_is_the_median_stretch_that_an_object_is_seen() -> None:
    assert module([ClipRecord(A, "y")]).median_seconds() == pytest.approx(0.6)
    assert module([ClipRecord(A, "y")], max_seconds=0.5).median_seconds() == pytest.approx(0.5)


def test_longer_sequences_are_cut() -> None:
    data = module([ClipRecord(A, "y")], [ClipRecord(A, "y")], max_seconds=0.4)
    (batch,) = data.val_dataloader()
    assert batch.lengths_B.tolist() == [4, 3, 4]
    assert np.array_equal(batch.x_BTF[0].numpy(), SEQUENCES_OF_A[0].features_TF[3:7])


def test_shuffled_batches_keep_every_sequence_with_its_clip() -> None:
    """Every row of a bag says whose it is."""
    videos = {
        Path(f"{n}.mp4"): [sequence(t, 2 + (n + t) % 4, value=n) for t in range(1 + n % 3)] for n in range(11)
    }
    records = [ClipRecord(path, ("x", "y")[n % 2]) for n, path in enumerate(videos)]
    data = ObjectActionData(
        videos, 4, ("x", "y"), train=records, validation=records, fps=10, minimum_seconds=0, batch_size=4
    )
    loader, seen = data.train_dataloader(), []
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)
        batches = list(loader)
        assert [len(b.targets) for b in batches] == [4, 4, 3]
        order = [i for b in batches for i in b.index_B.tolist()]
        assert sorted(order) == list(range(11))
        seen.append(order)
        for batch in batches:
            whose = batch.index_B[batch.extras["bag_B"]]
            for x, length, clip in zip(batch.x_BTF, batch.lengths_B, whose.tolist(), strict=True):
                assert (x[:length] == clip).all()
            assert torch.equal(batch.targets, batch.index_B % 2)
            sizes = torch.bincount(batch.extras["bag_B"]).tolist()
            assert sizes == [1 + i % 3 for i in batch.index_B.tolist()]
    assert len({tuple(order) for order in seen}) == 3
    assert data.steps_per_epoch(1) == 3


def test_without_training_clips_nothing_is_trained() -> None:
    assert module([]).train_set is None
