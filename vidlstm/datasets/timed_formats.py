"""Files of timed labels, read by name: the one door for whoever needs a :class:`TimedDataset`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from vidlstm.datasets.files import Presence, Root, listing
from vidlstm.datasets.records import SPLIT_WORDS
from vidlstm.datasets.tables import Header, existing_file, read_table, stretch
from vidlstm.datasets.timed import TimedDataset, TimedLabel, TimedVideo
from vidlstm.errors import DatasetError, nearest

HEADER = Header(
    required=("path", "start_seconds", "end_seconds", "label"),
    optional=("group", "fold", "split"),
    synonyms={"video": "path", "start": "start_seconds", "end": "end_seconds", "class": "label"},
)


def load_timed(
    annotations: Path,
    *,
    videos: Path | None,
    format: str = "auto",
    labelled_fps: float | None = None,
    fold: int | None = None,
) -> TimedDataset:
    """Reads a CSV of segments: ``path,start_seconds,end_seconds,label[,group,fold,split]``.

    Args:
        annotations: the file.
        videos: the folder that paths start from; None is the folder of the file.
        format: auto or csv.
        labelled_fps: of formats that count frames.
        fold: the fold that will be held out.

    Raises:
        DatasetError: a column, a number or a video is missing or wrong.
    """
    del labelled_fps, fold
    if format not in ("auto", "csv"):
        raise DatasetError(f"no format of timed labels is {format!r}{nearest(format, ('auto', 'csv'))}")
    root = Root(existing_file(annotations).parent if videos is None else videos)
    labels: dict[str, list[TimedLabel]] = defaultdict(list)
    about: dict[str, tuple[Path, str | None, int | None, str | None]] = {}
    for line, row in read_table(annotations, HEADER):
        where = f"{annotations}, line {line}"
        located = root.locate(row["path"]) if row["path"] else None
        if located is None or "\0" in row["path"]:
            raise DatasetError(f"{where}: {row['path']!r} is no video under {root.folder}")
        start, end = stretch(row, "start_seconds", "end_seconds", where)
        if start is None or end is None or not row["label"]:
            raise DatasetError(f"{where}: start_seconds, end_seconds and label must all be given")
        split, number = row.get("split", ""), row.get("fold", "")
        if (split and split not in SPLIT_WORDS) or (number and not number.isdecimal()):
            raise DatasetError(f"{where}: split {split!r} or fold {number!r} is not known")
        mine = Path(located[0]), row.get("group") or None, int(number) if number else None
        said = (*mine, SPLIT_WORDS.get(split))
        if about.setdefault(located[1], said) != said:
            raise DatasetError(f"{where}: {located[1]} has another group, fold or split further up")
        labels[located[1]].append(TimedLabel(start, end, row["label"]))
    presence = Presence()
    if missing := [name for name, (path, *_) in about.items() if not presence.has(str(path))]:
        raise DatasetError(f"{annotations}: videos are not under {root.folder}:{listing(missing)}")
    found = tuple(
        TimedVideo(path, tuple(labels[name]), group, number, split, name)
        for name, (path, group, number, split) in about.items()
    )
    return TimedDataset(found, tuple(sorted({one.label for all_of in labels.values() for one in all_of})))
