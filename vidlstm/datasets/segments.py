"""A table of what happens when in one video: ``start_seconds,end_seconds,label``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidlstm.datasets.names import seen
from vidlstm.datasets.tables import Header, read_table, stretch
from vidlstm.errors import DatasetError
from vidlstm.structures import Segment

if TYPE_CHECKING:
    from pathlib import Path

HEADER = Header(
    required=("start_seconds", "end_seconds", "label"),
    optional=("probability",),
    synonyms={"start": "start_seconds", "end": "end_seconds", "class": "label"},
)
"""The columns of the CSV file that ``predict`` writes; a truth needs no probability."""


def read_segments(file: Path) -> tuple[Segment, ...]:
    """Reads segments, and puts them in time order.

    Raises:
        DatasetError: the file, a column, a number or a label is missing or wrong; names file and line.
    """
    if not file.is_file():
        raise DatasetError(f"{file}: no such table of segments ({', '.join(HEADER.required)})")
    segments = []
    for line, row in read_table(file, HEADER):
        where = f"{file}, line {line}"
        start, end = stretch(row, "start_seconds", "end_seconds", where)
        if start is None or end is None or not seen(row["label"]):
            raise DatasetError(f"{where}: start_seconds, end_seconds and label must all be given")
        segments.append(Segment(start, end, row["label"], 1.0))
    return tuple(sorted(segments, key=lambda segment: segment.start_seconds))
