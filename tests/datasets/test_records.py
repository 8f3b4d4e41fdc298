"""Records and datasets check themselves."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from vidlstm.datasets import ClipDataset, ClipRecord
from vidlstm.datasets.files import listing
from vidlstm.errors import DatasetError

A, B = ClipRecord(Path("/d/a.mp4"), "run"), ClipRecord(Path("/d/b.mp4"), "jump", name="b.mp4")


def test_the_name_defaults_to_the_path() -> None:
    assert (A.name, B.name) == ("/d/a.mp4", "b.mp4")


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        A.label = "jump"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": ""}, "a clip needs a label"),
        ({"start_seconds": -1.0}, "no clip from -1.0 to None s"),
        ({"start_seconds": 3.0, "end_seconds": 3.0}, "no clip from 3.0 to 3.0 s"),
        ({"end_seconds": 0.0}, "no clip from None to 0.0 s"),
        ({"end_seconds": float("nan")}, "no clip from None to nan s"),
        ({"split": "val"}, "split must be one of"),
    ],
)
def test_a_record_refuses(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClipRecord(**{"path": Path("/d/a.mp4"), "label": "run", **fields})


@pytest.mark.parametrize(
    ("records", "labels", "message"),
    [
        ((), ("run",), r"holds no clip; check `data\.root`"),
        ((A, B), ("run", "jump", "run"), "stand twice in the list of classes: run"),
        ((A, B), ("run",), "unknown label; the classes are run:\n  b.mp4: 'jump'"),
        ((A, B), ("jump", "run", "fly"), "empty class, no clip: fly"),
    ],
)
def test_a_dataset_refuses(records: tuple[ClipRecord, ...], labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        ClipDataset(records, labels)


def test_a_dataset_prints_counts() -> None:
    records = tuple(
        ClipRecord(Path(f"/d/{i}.mp4"), "run", group=f"g{i // 2}", fold=i % 3, split=("train", "test")[i % 2])
        for i in range(6)
    )
    assert repr(ClipDataset(records, ("run",))) == (
        "ClipDataset(6 clips, 1 labels, 3 groups, 3 folds, 3 train, 3 test)"
    )


def test_a_listing_stops_at_ten() -> None:
    assert listing(["a", "b"]) == "\n  a\n  b"
    lines = listing(str(i) for i in range(25)).splitlines()
    assert lines[1:11] == [f"  {i}" for i in range(10)]
    assert lines[11:] == ["  ... and 15 more, 25 in all"]
