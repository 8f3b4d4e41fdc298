"""A table of segments: ``path,start_seconds,end_seconds,label[,group,fold,split]``.

Times are in the container's own clock. ``predict`` writes the same without ``path``: such a table is about
the video that it is named after.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source
from vidlstm.datasets.records import SPLIT_WORDS
from vidlstm.datasets.tables import Header, read_table, stretch
from vidlstm.errors import DatasetError, nearest

HEADER = Header(
    required=("start_seconds", "end_seconds", "label"),
    optional=("path", "group", "fold", "split", "probability"),
    synonyms={"file": "path", "filename": "path", "video": "path", "class": "label", "subset": "split"},
)
"""The columns of the format."""


def looks_like(source: Source) -> bool:
    """Whether the first row names times and labels."""
    return source.columns >= set(HEADER.required)


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields every video; a line with times and label empty says that nothing happens in it.

    Raises:
        DatasetError: a column, a number, a label, a split or a fold is missing or wrong, or a video has two.
    """
    videos: dict[str, LabelledVideo] = {}
    for line, row in read_table(source.path, HEADER):
        where = source.at(line)
        name = row.get("path", source.path.stem)
        if not name:
            raise DatasetError(f"{where}: empty path; write the video's path")
        said = (
            _whole(row.get("fold", ""), where),
            _split(row.get("split", ""), where),
            row.get("group") or None,
        )
        video = videos.setdefault(
            name, LabelledVideo((name,), where, [], "container", said[2], said[0], said[1])
        )
        if (video.fold, video.split, video.group) != said:
            raise DatasetError(
                f"{where}: another group, fold or split than in {video.where}; a video has one"
            )
        _add(video, row, where, how)
    yield from videos.values()


def _add(video: LabelledVideo, row: Mapping[str, str], where: str, how: Reading) -> None:
    start, end = stretch(row, "start_seconds", "end_seconds", where)
    if start is None and end is None and not row["label"]:
        return
    if start is None or end is None or not row["label"]:
        raise DatasetError(
            f"{where}: start_seconds, end_seconds and label must all be given, or none of them"
        )
    how.add(video, start, end, row["label"])


def _whole(text: str, where: str) -> int | None:
    try:
        value = float(text or 0)  # pandas writes 3.0 where a column has gaps
    except ValueError:
        value = math.nan
    if not value.is_integer() or value < 0:
        raise DatasetError(f"{where}: fold is {text!r}, not a whole number such as 0")
    return int(value) if text else None


def _split(text: str, where: str) -> str | None:
    if text and text.lower() not in SPLIT_WORDS:
        raise DatasetError(f"{where}: unknown split {text!r}{nearest(text.lower(), SPLIT_WORDS)}")
    return SPLIT_WORDS[text.lower()] if text else None
