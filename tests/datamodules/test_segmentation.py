"""Windows of long videos: all of them, in order where the state is carried, each step with its target."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.features import FPS, fake_store, noise_sequences, put
from vidlstm.datamodules.segmentation import SegmentationData
from vidlstm.datamodules.window_order import WindowOrder
from vidlstm.datasets.timed import TimedLabel, TimedVideo
from vidlstm.errors import DatasetError
from vidlstm.settings import SegmentationDataSettings


def data_of(tmp_path: Path, lengths=(30, 45), *, held_out: int = 1, labels=("a", "b"), **settings):
    store = fake_store(tmp_path, 3)
    videos, hashes = [], {}
    for number, sequence in enumerate(noise_sequences(lengths, 3)):
        path = Path(f"{number}.mp4")
        hashes[path] = put(store, str(path), sequence)
        marks = (TimedLabel(0, 1, "a"), TimedLabel(1, 2.5, "b"))
        videos.append(TimedVideo(path, settings.get("marks", marks)))
    settings.pop("marks", None)
    kept = len(videos) - held_out
    return SegmentationData(
        store,
        hashes,
        labels,
        train=videos[:kept],
        validation=videos[kept:],
        settings=SegmentationDataSettings(**settings),
    )


def covered(batches, lengths):
    counts = [np.zeros(length, int) for length in lengths]
    for window in (w for batch in batches for w in batch):
        counts[window.sequence][window.first : window.last] += 1
    return counts


def test_windows_are_full_and_as_many_as_cover_a_video() -> None:
    order = WindowOrder([100, 7, 20], 10, 4, seed=1)
    windows = [w for batch in order for w in batch]
    assert Counter(w.sequence for w in windows) == {0: 10, 1: 1, 2: 2}
    assert {w.last - w.first for w in windows if w.sequence != 1} == {10}
    assert all(0 <= w.first < w.last <= (100, 7, 20)[w.sequence] for w in windows)
    assert len(order) == len(list(order)) == 4


def test_every_epoch_draws_other_windows_and_a_seed_repeats_them() -> None:
    first, again = WindowOrder([100], 10, 4, seed=1), WindowOrder([100], 10, 4, seed=1)
    assert list(first) == list(again) == list(first)
    again.set_epoch(1)
    assert list(first) != list(again)


def test_the_ends_of_a_video_are_seen_as_often_as_its_middle() -> None:
    order, total = WindowOrder([60], 10, 4), np.zeros(60)
    for epoch in range(400):
        order.set_epoch(epoch)
        total += covered(order, [60])[0]
    assert total.min() > 0.5 * total.mean()
    assert total.max() < 1.7 * total.mean()


def test_whole_videos_where_no_window_is_asked_for() -> None:
    assert sorted((w.first, w.last) for batch in WindowOrder([5, 9], None, 8) for w in batch) == [
        (0, 5),
        (0, 9),
    ]


def test_carried_windows_follow_each_other_in_their_slot() -> None:
    lengths = [25, 7, 31, 10, 4]
    batches = list(WindowOrder(lengths, 10, 2, carry=True, seed=3))
    assert all((counts == 1).all() for counts in covered(batches, lengths))
    before: dict[int, tuple[int, int]] = {}
    for batch in batches:
        assert len({w.slot for w in batch}) == len(batch) <= 2
        for w in batch:
            follows = before.get(w.slot) == (w.sequence, w.first)
            assert follows or w.first == 0
            before[w.slot] = w.sequence, w.last
    assert len(WindowOrder(lengths, 10, 2, carry=True, seed=3)) == len(batches)


def test_processes_share_the_windows() -> None:
    both = [
        [w for batch in WindowOrder([95], 10, 3, rank=rank, world_size=2) for w in batch] for rank in (0, 1)
    ]
    alone = [w for batch in WindowOrder([95], 10, 3) for w in batch]
    assert len(both[0]) == len(both[1]) == 5
    assert sorted(both[0] + both[1]) == sorted(alone)


def test_a_batch_holds_features_and_targets_of_its_windows(tmp_path: Path) -> None:
    data = data_of(tmp_path, window_seconds=1.2, batch_size=2)
    assert data.train_set is not None
    windows = [w for batch in data._order(data.train_set, rank=0, world_size=1) for w in batch]
    batch = data.train_set[windows]
    expected = torch.tensor([0] * 10 + [1] * 15 + [-1] * 5)
    for row, w in enumerate(windows):
        assert torch.equal(batch.targets[row], expected[w.first : w.last])
        assert torch.equal(batch.x_BTF[row], data.table.rows_NF[w.first : w.last])
    assert batch.x_BTF.shape == (3, 12, 3)  # a batch is never longer than a window


def test_padding_is_unknown(tmp_path: Path) -> None:
    marks = (TimedLabel(0, 0.4, "a"),)
    data = data_of(tmp_path, (30, 10, 5), window_seconds=None, marks=marks)
    (batch,) = data.train_dataloader()
    assert sorted(batch.lengths_B.tolist()) == [10, 30]
    assert (batch.targets[batch.lengths_B == 10, 10:] == -1).all()
    assert batch.extras["fresh_B"].tolist() == [True, True]


def test_validation_is_whole_videos_one_by_one(tmp_path: Path) -> None:
    data = data_of(tmp_path, (30, 45, 20), held_out=2, window_seconds=1.0)
    assert [batch.x_BTF.shape[:2] for batch in data.val_dataloader()] == [(1, 45), (1, 20)]


def test_counts_are_of_steps(tmp_path: Path) -> None:
    data = data_of(tmp_path)
    assert data.class_counts().tolist() == [10, 15]
    assert data.known_steps() == 25
    several = data_of(tmp_path, multi_label=True, marks=(TimedLabel(0, 2, "a"), TimedLabel(1, 2.5, "b")))
    assert several.class_counts().tolist() == [20, 15]
    assert several.known_steps() == 30
    assert data.fps == FPS


def test_long_overlaps_are_told_unless_they_are_meant(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    marks = (TimedLabel(0, 2.4, "a"), TimedLabel(1, 2.5, "b"))
    with pytest.warns(UserWarning, match=r"overlap for 1\.4 s.*`data\.multi_label true`"):
        data_of(tmp_path, marks=marks)
    recwarn.clear()
    data_of(tmp_path, marks=marks, multi_label=True)
    data_of(tmp_path, marks=(TimedLabel(0, 2.4, "a"), TimedLabel(2.3, 2.5, "b")))
    assert not recwarn.list


def test_labels_that_count_from_the_first_frame_are_moved_to_the_containers_clock(tmp_path: Path) -> None:
    store = fake_store(tmp_path, 3)
    (sequence,) = noise_sequences([30], 3, start_seconds=8.33)
    videos = [
        TimedVideo(Path("late.mp4"), (TimedLabel(at, at + 1, "a"),), clock=clock)
        for at, clock in ((1.0, "first_frame"), (9.33, "container"))
    ]
    hashes = {Path("late.mp4"): put(store, "late", sequence)}
    targets = []
    for video in videos:
        data = SegmentationData(
            store, hashes, ("a",), train=[], validation=[video], settings=SegmentationDataSettings()
        )
        assert data.validation_videos[0].labels[0].start_seconds == pytest.approx(9.33)
        targets.append(data.validation_set.targets[0])
    assert targets[0].tolist() == targets[1].tolist() == [-1] * 10 + [0] * 10 + [-1] * 10


def test_a_video_without_a_frame_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"1\.mp4 holds no frame"):
        data_of(tmp_path, (30, 0))
