"""Long videos follow the rules of clips: whole groups, folds, sides that the annotations give."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidlstm.datasets.timed import TimedDataset, TimedLabel, TimedVideo
from vidlstm.datasets.timed_splits import split_videos
from vidlstm.errors import DatasetError


def video(name: str, labels: str = "ab", **about) -> TimedVideo:
    marks = tuple(TimedLabel(i, i + 1, label) for i, label in enumerate(labels))
    return TimedVideo(Path(name), marks, **about)


def split(*videos: TimedVideo, fold=None, fraction=0.25, seed=0):
    dataset = TimedDataset(videos, ("a", "b"))
    found = split_videos(dataset, fold=fold, validation_fraction=fraction, seed=seed)
    return [[v.name for v in side] for side in (found.train, found.validation, found.test)]


def test_a_fold_is_held_out() -> None:
    videos = [video(str(n), fold=n % 3) for n in range(6)]
    assert split(*videos, fold=1) == [["0", "2", "3", "5"], ["1", "4"], []]
    with pytest.raises(DatasetError, match="there is no fold 9"):
        split(*videos, fold=9)


def test_the_sides_that_are_given_are_taken() -> None:
    videos = [video(side, split=side) for side in ("train", "validation", "test")]
    assert split(*videos) == [["train"], ["validation"], ["test"]]


@pytest.mark.parametrize("seed", range(5))
def test_videos_of_one_group_stay_together(seed: int) -> None:
    train, validation, _ = split(*[video(f"{n}", group=f"g{n // 2}") for n in range(8)], seed=seed)
    assert {int(n) // 2 for n in train}.isdisjoint({int(n) // 2 for n in validation})
    assert len(validation) == 2


def test_rare_labels_do_not_hold_out_half_of_the_time() -> None:
    """Long videos have the rare labels c and d; single draws hold out 0.28 to 0.46 of these seconds."""
    rare = {7: "c", 9: "c", 3: "d", 8: "d"}
    videos = tuple(video(str(n), "ab" * (2 * n + 2) + rare.get(n, "")) for n in range(10))
    dataset = TimedDataset(videos, tuple("abcd"))
    for seed in range(5):
        held = split_videos(dataset, fold=None, validation_fraction=0.2, seed=seed).validation
        said = [at.label for v in held for at in v.labels]
        assert len(said) < 0.3 * sum(len(v.labels) for v in videos)
        assert set(said) == set("abcd")


def test_a_class_must_be_trained_on() -> None:
    with pytest.raises(DatasetError, match="no training clip: b"):
        split(video("0", "a", fold=0), video("1", "b", fold=1), fold=1)


def test_a_video_without_labels_has_a_side_and_empties_no_class() -> None:
    videos = [video("0", fold=0), video("1", fold=1), video("2", "", fold=1)]
    assert split(*videos, fold=1) == [["0"], ["1", "2"], []]
