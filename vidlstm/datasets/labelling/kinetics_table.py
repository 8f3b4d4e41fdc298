"""A table in the style of Kinetics over long videos: ``label,youtube_id,time_start,time_end[,split]``.

Seconds are whole, starts rounded down and ends up, so that neighbours overlap by up to a second each.
"""

from __future__ import annotations

from collections.abc import Iterator

from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source
from vidlstm.datasets.records import SPLIT_WORDS
from vidlstm.datasets.tables import Header, read_table, stretch
from vidlstm.errors import DatasetError, nearest

HEADER = Header(required=("label", "youtube_id", "time_start", "time_end"), optional=("split", "is_cc"))


def looks_like(source: Source) -> bool:
    """Whether the first row names its columns."""
    return source.columns >= set(HEADER.required)


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields every video by its id.

    Raises:
        DatasetError: a column, a time or a split is missing or wrong, or a video is on two sides.
    """
    videos: dict[str, LabelledVideo] = {}
    for line, row in read_table(source.path, HEADER):
        where, word = source.at(line), row.get("split", "").lower()
        if word and word not in SPLIT_WORDS:
            raise DatasetError(f"{where}: unknown split {word!r}{nearest(word, SPLIT_WORDS)}")
        split, name = SPLIT_WORDS.get(word), row["youtube_id"]
        video = videos.setdefault(name, LabelledVideo((name,), where, split=split))
        if video.split != split:
            raise DatasetError(f"{where}: another split than in {video.where}; a video has one")
        start, end = stretch(row, "time_start", "time_end", where)
        if start is None or end is None:
            raise DatasetError(f"{where}: time_start and time_end must both be given")
        how.add(video, start, end, row["label"])
    yield from videos.values()
