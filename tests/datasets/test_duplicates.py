"""The same video under several names, by the hashes that its features are stored under."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from vidlstm.datasets import ClipRecord
from vidlstm.datasets.duplicates import warn_of_same_videos


def clip(name: str, label: str = "a", **fields: float) -> ClipRecord:
    return ClipRecord(Path("/d") / name, label, name=name, **fields)  # type: ignore[arg-type]


def told(train: list[ClipRecord], validation: list[ClipRecord]) -> list[str]:
    """What is said where a video's name begins with its hash."""
    hashes = {record.path: record.name[0] for record in (*train, *validation)}
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warn_of_same_videos({"train": train, "validation": validation}, hashes)
    return [str(w.message) for w in found]


def test_a_video_on_both_sides() -> None:
    (text,) = told([clip("x1"), clip("y1")], [clip("x2"), clip("z1")])
    assert "1 videos are there twice" in text and "both sides" in text
    assert "x1 (train, a) = x2 (validation, a)" in text and "y1" not in text


def test_a_video_in_two_classes() -> None:
    (text,) = told([clip("x1", "a"), clip("x2", "b"), clip("x3", "b"), clip("y1")], [])
    assert "more than one class" in text
    assert "x1 (train, a) = x2 (train, b) = x3 (train, b)" in text


def test_both_are_told_apart() -> None:
    assert len(told([clip("x1", "a"), clip("y1", "b")], [clip("x2", "b"), clip("y2", "b")])) == 2


@pytest.mark.parametrize(
    "clips",
    [
        [clip("x1"), clip("x2")],
        [clip("x1", "a", end_seconds=1), clip("x2", "b", start_seconds=1)],
        [clip("x1", "a", track_id=1), clip("x2", "b", track_id=2)],
        [clip("x1", "a", end_seconds=1), clip("x1", "b", start_seconds=1)],
    ],
)
def test_what_contradicts_nothing_is_not_told(clips: list[ClipRecord]) -> None:
    assert not told(clips, [clip("y1")])


def test_one_file_on_both_sides_was_told_when_it_was_split() -> None:
    assert not told([clip("x1", end_seconds=1)], [clip("x1", start_seconds=1)])


def test_many_are_counted() -> None:
    names = [chr(ord("A") + i) for i in range(15)]
    (text,) = told([clip(f"{n}1") for n in names], [clip(f"{n}2") for n in names])
    assert "15 videos" in text and "and 5 more" in text


def test_a_video_without_a_hash_is_left_alone() -> None:
    warn_of_same_videos({"train": [clip("x1"), clip("x2")]}, {})
