"""Kinetics-400, -600, -700 from their CSV files (Kay et al.: The Kinetics Human Action Video Dataset, 2017).

Downloaders lay the clips out in many ways, so the whole folder is walked once and clips are known by name:
``<youtube_id>_<start>_<end>`` is the clip itself, ``<youtube_id>`` the whole video it is a stretch of.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vidlstm.datasets.files import (
    entries,
    existing_folder,
    identity,
    is_file,
    is_folder,
    is_frame_folder,
    listing,
)
from vidlstm.datasets.names import plain, seen, writable
from vidlstm.datasets.records import SPLIT_WORDS, ClipDataset, ClipRecord
from vidlstm.datasets.tables import Header, has_columns, read_table, stretch
from vidlstm.errors import DatasetError, nearest
from vidlstm.media import VIDEO_SUFFIXES, suffix_of

HEADER = Header(
    required=("label", "youtube_id", "time_start", "time_end"),
    optional=("split", "is_cc"),
    synonyms={
        "video_id": "youtube_id",
        "start": "time_start",
        "start_time": "time_start",
        "start_seconds": "time_start",
        "end": "time_end",
        "end_time": "time_end",
        "end_seconds": "time_end",
        "subset": "split",
    },
    bounds=("time_start", "time_end"),
)
"""The columns of the format."""


@dataclass(frozen=True)
class _Clip:
    """One line of a CSV file."""

    label: str
    youtube_id: str
    start: float
    end: float
    split: str | None

    def stems(self) -> tuple[str, str]:
        """The file names, without ending, under which the trimmed clip may lie."""
        start, end = int(self.start), int(self.end)
        return f"{self.youtube_id}_{start:06d}_{end:06d}", f"{self.youtube_id}_{start}_{end}"


def load_kinetics(root: Path, annotations: Path) -> ClipDataset:
    """Reads those clips of one or more Kinetics CSV files that were downloaded.

    Args:
        root: the folder with the clips, at any depth; folders named like the label or the split decide
            between several files of one name.
        annotations: a CSV file, or a folder of them (train.csv, validate.csv).

    Returns:
        Clips in the order of the files, grouped by YouTube video; labels sorted.

    Raises:
        DatasetError: a file is malformed, or none of its clips is there.

    Warns:
        UserWarning: clips that were not downloaded, classes left out because none of theirs was, and files
            of an annotation folder that are no list of labelled clips.
    """
    root = existing_folder(root, "`data.root`")
    clips = dict.fromkeys(clip for file in _tables(annotations) for clip in _read(file))
    stems = {stem for clip in clips for stem in (*clip.stems(), clip.youtube_id)}
    videos: defaultdict[str, list[str]] = defaultdict(list)
    for stem, name in _walk(root, root, stems, {identity(root)}):
        videos[stem].append(name)
    found = {clip: record for clip in clips if (record := _find(clip, videos, root))}
    missing = [clip for clip in clips if clip not in found]
    if not found:
        raise DatasetError(
            f"none of the {len(missing)} clips of {annotations} is under {root}; check `data.root`. "
            f"Looked for names like:{listing(missing[0].stems() if missing else ())}"
        )
    labels = tuple(sorted({record.label for record in found.values()}))
    if missing:
        _warn_of_missing(missing, len(clips), root, sorted({clip.label for clip in clips} - set(labels)))
    return ClipDataset(tuple(found.values()), labels)


def _tables(annotations: Path) -> list[Path]:
    """The CSV files to read. The test lists of Kinetics-600 and -700 carry no labels and are left out."""
    if not annotations.is_dir():
        return [annotations]
    files = [Path(e.path) for e in entries(annotations) if suffix_of(e.name) == "csv"]
    tables = [file for file in files if has_columns(file, HEADER.required)]
    if not tables:
        raise DatasetError(
            f"{annotations} holds no CSV file with the columns {', '.join(HEADER.required)}; "
            "point `data.annotations` at the Kinetics CSV file or its folder"
        )
    if others := [file.name for file in files if file not in tables]:
        warnings.warn(
            f"{annotations}: left out, no labelled clips:{listing(others)}", UserWarning, stacklevel=3
        )
    return tables


def _read(file: Path) -> Iterator[_Clip]:
    for line, row in read_table(file, HEADER):
        where = f"{file}, line {line}"
        if empty := [column for column in HEADER.required if not seen(row[column])]:
            raise DatasetError(f"{where}: empty {', '.join(empty)}; download the CSV file again")
        start, end = stretch(row, "time_start", "time_end", where)
        split = plain(row.get("split", ""))
        if split and split not in SPLIT_WORDS:
            raise DatasetError(f"{where}: unknown split {split!r}{nearest(split, SPLIT_WORDS)}")
        yield _Clip(row["label"], row["youtube_id"], start or 0.0, end or 0.0, SPLIT_WORDS.get(split))


def _walk(
    root: Path, folder: str | Path, stems: set[str], seen: set[tuple[int, int]]
) -> Iterator[tuple[str, str]]:
    """Yields ``(stem, path relative to the root)`` of every video and frame folder that is wanted."""
    for entry in entries(folder):
        if is_folder(entry):
            if entry.name in stems and is_frame_folder(entry.path):
                yield entry.name, Path(entry.path).relative_to(root).as_posix()
            elif identity(entry.path) not in seen:
                seen.add(identity(entry.path))
                yield from _walk(root, entry.path, stems, seen)
        elif suffix_of(entry.name) in VIDEO_SUFFIXES and is_file(entry):
            stem = entry.name.rpartition(".")[0]
            if stem in stems and writable(entry.path):
                yield stem, Path(entry.path).relative_to(root).as_posix()


def _find(clip: _Clip, videos: Mapping[str, list[str]], root: Path) -> ClipRecord | None:
    """The trimmed clip if it is there, else the stretch of the whole video, else None."""
    for stem in (*clip.stems(), clip.youtube_id):
        if stem in videos:
            name = max(videos[stem], key=lambda name: _fits(clip, name))
            whole = stem == clip.youtube_id
            return ClipRecord(
                path=root / name,
                label=clip.label,
                start_seconds=clip.start if whole else None,
                end_seconds=clip.end if whole else None,
                group=clip.youtube_id,
                split=clip.split,
                name=name,
            )
    return None


def _fits(clip: _Clip, name: str) -> tuple[bool, bool]:
    """Whether a folder above the file is named like the label, and one like the split."""
    folders = {_plain(folder) for folder in Path(name).parent.parts}
    return _plain(clip.label) in folders, any(SPLIT_WORDS.get(folder) == clip.split for folder in folders)


def _plain(text: str) -> str:
    """``massaging person's head`` and ``massaging_person_s_head`` without what downloaders change."""
    return re.sub(r"[\W_]", "", text.lower())


def _warn_of_missing(missing: list[_Clip], total: int, root: Path, classes: list[str]) -> None:
    gone = f"; classes left out, none of their clips is there: {', '.join(classes)}" if classes else ""
    names = (f"{clip.youtube_id}, {clip.start:g} to {clip.end:g} s, {clip.label}" for clip in missing)
    warnings.warn(
        f"{len(missing)} of {total} clips are not under {root} and were left out{gone}:{listing(names)}",
        UserWarning,
        stacklevel=3,
    )
