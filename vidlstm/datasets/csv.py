"""A table of clips: ``path,label[,track_id][,start_seconds,end_seconds][,group][,fold][,split]``.

The header is required, columns may stand in any order, and every error names the file and the line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vidlstm.datasets.files import Presence, Root, group_from_name, listing
from vidlstm.datasets.names import plain, seen
from vidlstm.datasets.records import SPLIT_WORDS, ClipDataset, ClipRecord, check_fold
from vidlstm.datasets.tables import Header, existing_file, read_table, stretch
from vidlstm.errors import DatasetError, nearest

HEADER = Header(
    required=("path", "label"),
    optional=("track_id", "start_seconds", "end_seconds", "group", "fold", "split"),
    synonyms={
        "file": "path",
        "filename": "path",
        "video": "path",
        "class": "label",
        "track": "track_id",
        "start": "start_seconds",
        "start_time": "start_seconds",
        "time_start": "start_seconds",
        "end": "end_seconds",
        "end_time": "end_seconds",
        "time_end": "end_seconds",
        "subset": "split",
    },
)
"""The columns of the format."""


def load_csv(annotations: Path, root: Path | None = None, fold: int | None = None) -> ClipDataset:
    """Reads a table of clips.

    Args:
        annotations: the CSV file; UTF-8, commas, with a header.
        root: the folder that its paths start from; the folder of the CSV file where none is given.
        fold: the fold that will be held out, if one will; it must then be in the file.

    Returns:
        Clips in the order of the file, labels sorted.

    Raises:
        DatasetError: a column, a number, a split, a fold or a video is missing or wrong, a path leads out of
            the root, or a clip stands twice.

    Warns:
        UserWarning: columns that mean nothing here.
    """
    base = Root(existing_file(annotations).parent if root is None else root)
    found = [
        (line, _record(row, f"{annotations}, line {line}", base))
        for line, row in read_table(annotations, HEADER)
    ]
    if not found:
        raise DatasetError(f"{annotations} has a header and no clip below it; add one line per clip")
    if fold is not None:
        check_fold([record for _, record in found], fold)
    found = _on_disk(annotations, base.folder, found)
    _refuse_twice(annotations, found)
    records = tuple(record for _, record in found)
    return ClipDataset(records, tuple(sorted({record.label for record in records})))


def _record(row: Mapping[str, str], where: str, root: Root) -> ClipRecord:
    text, label = row["path"], row["label"]
    if not text or "\0" in text:
        raise DatasetError(
            f"{where}: {'a zero byte in the' if text else 'empty'} path; write the video's path"
        )
    located = root.locate(text)
    if located is None:
        raise DatasetError(
            f"{where}: {text!r} lies outside {root.folder}; move it there or change `data.root`"
        )
    if not seen(label):
        raise DatasetError(f"{where}: empty label for {text}; name its class or remove the line")
    path, name = located
    start, end = stretch(row, "start_seconds", "end_seconds", where)
    return ClipRecord(
        path=Path(path),
        label=label,
        start_seconds=start,
        end_seconds=end,
        group=(seen(row["group"]) or None) if "group" in row else group_from_name(text),
        fold=_whole(row.get("fold", ""), "fold", where),
        split=_split(row.get("split", ""), where),
        name=name,
        track_id=_whole(row.get("track_id", ""), "track_id", where),
    )


def _whole(text: str, column: str, where: str) -> int | None:
    if not text:
        return None
    try:
        value = float(text)  # pandas writes 3.0 where a column has gaps
    except ValueError:
        value = math.nan
    if not value.is_integer() or value < 0:
        raise DatasetError(f"{where}: {column} is {text!r}, not a whole number such as 0")
    return int(value)


def _split(text: str, where: str) -> str | None:
    word = plain(text)
    if word and word not in SPLIT_WORDS:
        raise DatasetError(f"{where}: unknown split {text!r}{nearest(word, SPLIT_WORDS)}")
    return SPLIT_WORDS[word] if word else None


def _refuse_twice(file: Path, found: list[tuple[int, ClipRecord]]) -> None:
    first: dict[tuple[object, ...], tuple[int, ClipRecord]] = {}
    for line, record in found:
        key = (str(record.path), record.track_id, record.start_seconds, record.end_seconds)
        earlier, other = first.setdefault(key, (line, record))
        if earlier != line and other.label == record.label:
            raise DatasetError(f"{file}: {record.name} stands twice, lines {earlier} and {line}; remove one")
        if earlier != line:
            raise DatasetError(
                f"{file}: {record.name} is {other.label!r} on line {earlier} and {record.label!r} on line "
                f"{line}; a clip has one label, remove one line"
            )


def _on_disk(file: Path, root: Path, found: list[tuple[int, ClipRecord]]) -> list[tuple[int, ClipRecord]]:
    """The clips with their paths as the disk spells them."""
    presence = Presence()
    paths = [presence.find(str(record.path)) for _, record in found]
    missing = [(line, record) for path, (line, record) in zip(paths, found, strict=True) if path is None]
    if missing:
        slashes = ", and write / instead of \\" if any("\\" in record.name for _, record in missing) else ""
        names = [f"line {line}: {presence.told(root, record.name)}" for line, record in missing[:10]]
        names += [record.name for _, record in missing[10:]]
        raise DatasetError(
            f"{file}: {len(missing)} of {len(found)} clips are neither a file nor a folder of frame images "
            f"under {root}; check `data.root`{slashes}:{listing(names)}"
        )
    presence.warn_of_spellings(file, root)
    return [
        (line, replace(record, path=Path(path)) if path != str(record.path) else record)
        for path, (line, record) in zip(paths, found, strict=True)
        if path is not None
    ]
