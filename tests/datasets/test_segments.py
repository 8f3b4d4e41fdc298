"""Tables of segments: what predict and the demo write is read, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidlstm.datasets.segments import read_segments
from vidlstm.errors import DatasetError
from vidlstm.structures import Segment


def table(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "truth.csv"
    file.write_text(text)
    return file


def test_segments_come_in_time_order(tmp_path: Path) -> None:
    file = table(tmp_path, "start_seconds,end_seconds,label,probability\n2,3.5,b,0.5\n0,2,a,0.9\n")
    assert read_segments(file) == (Segment(0, 2, "a", 1.0), Segment(2, 3.5, "b", 1.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start_seconds,end_seconds,label\n0,2,a\n3,2,b\n", "line 3: end_seconds 2 is not after"),
        ("start_seconds,end_seconds,label\nzero,2,a\n", "line 2: start_seconds is 'zero'"),
        ("start_seconds,end_seconds,label\n0,,a\n", "line 2: start_seconds, end_seconds and label"),
        ("start_seconds,end_seconds,label\n0,1,\n", "line 2: start_seconds, end_seconds and label"),
        ("start,end_seconds,label\n0,1,a\n", "did you mean 'start_seconds'"),
        ("end_seconds,label\n1,a\n", "column start_seconds is missing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_segments(table(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv: no such table of segments"):
        read_segments(tmp_path / "none.csv")
