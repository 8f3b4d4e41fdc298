"""A table of clips: ``path,label[,start_seconds,end_seconds][,group][,fold][,split]``.

The header is required, columns may stand in any order, and every error names the file and the line.
"""

from __future__ import annotations

import csv
import math
import os
import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from vidlstm.datasets.files import (
    Presence,
    existing_folder,
    group_from_name,
    inside,
    listing,
)
from vidlstm.datasets.records import SPLIT_WORDS, ClipDataset, ClipRecord
from vidlstm.errors import DatasetError, nearest

REQUIRED = ("path", "label")
COLUMNS = (*REQUIRED, "start_seconds", "end_seconds", "group", "fold", "split")
"""The columns that mean something, in the order of the documentation."""

SYNONYMS = {
    "file": "path",
    "filename": "path",
    "video": "path",
    "class": "label",
    "start": "start_seconds",
    "start_time": "start_seconds",
    "time_start": "start_seconds",
    "end": "end_seconds",
    "end_time": "end_seconds",
    "time_end": "end_seconds",
    "subset": "split",
}
"""What other people call these columns. Ignoring a ``start`` would train on the wrong frames, so it is asked about."""

Row = tuple[int, dict[str, str]]


def load_csv(annotations: Path, root: Path | None = None, fold: int | None = None) -> ClipDataset:
    """Reads a table of clips.

    Args:
        annotations: the CSV file; UTF-8, commas, with a header.
        root: the folder that its paths start from; the folder of the CSV file where none is given.
        fold: the fold that will be held out; its column must then be there.

    Returns:
        Clips in the order of the file, labels sorted.

    Raises:
        DatasetError: a column, a number, a split or a video is missing or wrong, a path leads out of the
            root, or a clip stands twice.

    Warns:
        UserWarning: columns that mean nothing here.
    """
    root = existing_folder(annotations.parent if root is None else root, "--data.root")
    found: list[tuple[int, ClipRecord]] = []
    bounds = (os.path.normpath(root), os.path.realpath(root))
    for line, row in read_table(annotations, REQUIRED, COLUMNS, SYNONYMS):
        if fold is not None and "fold" not in row:
            raise DatasetError(f"{annotations} has no column 'fold'; add it or drop --data.fold")
        found.append((line, _record(row, f"{annotations}, line {line}", bounds)))
    _refuse_twice(annotations, found)
    _refuse_missing(annotations, root, found)
    records = tuple(record for _, record in found)
    if not records:
        raise DatasetError(f"{annotations} has a header and no clip below it")
    return ClipDataset(records, tuple(sorted({record.label for record in records})))


def read_table(
    file: Path, required: tuple[str, ...], known: tuple[str, ...], synonyms: dict[str, str]
) -> Iterator[Row]:
    """Yields ``(line, cells by column)``, the known columns only, cells stripped.

    Raises:
        DatasetError: the file cannot be read, a column is missing or misspelt, or a row is ragged.

    Warns:
        UserWarning: once, with the columns that are ignored.
    """
    rows = _raw_rows(file)
    line, header = next(rows, (1, []))
    header = [name.strip().lower() for name in header]
    _check_header(file, header, required, known, synonyms)
    wanted = [(name, index) for index, name in enumerate(header) if name in known]
    for line, cells in rows:
        if len(cells) != len(header):
            raise DatasetError(
                f"{file}, line {line}: {len(cells)} cells where the header has {len(header)}; "
                "put a value that holds a comma in double quotes"
            )
        yield line, {name: cells[index].strip() for name, index in wanted}


def _raw_rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    if not file.is_file():
        raise DatasetError(f"{file} is not there or not a file; point --data.annotations at the CSV file")
    line = 1
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield line, cells
                line = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file} is not UTF-8 ({error.reason}); save it as CSV UTF-8") from error
    except csv.Error as error:
        raise DatasetError(f"{file}, line {line}: {error}; check the double quotes") from error
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}") from error


def _check_header(
    file: Path, header: list[str], required: tuple[str, ...], known: tuple[str, ...], synonyms: dict[str, str]
) -> None:
    where = f"{file}, line 1"
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise DatasetError(f"{where}: columns are separated by something else; save it with commas")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise DatasetError(f"{where}: column {', '.join(twice)} stands twice")
    absent = [name for name in known if name not in header]
    extra = [name for name in header if name not in known]
    for name in extra:
        if meant := _meant(name, absent, synonyms):
            raise DatasetError(
                f"{where}: unknown column {name!r}; did you mean {meant!r}? Rename it, either way"
            )
    if missing := [name for name in required if name in absent]:
        raise DatasetError(
            f"{where}: column {', '.join(missing)} is missing; the first line must be the header, "
            f"with {', '.join(required)} and any of {', '.join(n for n in known if n not in required)}"
        )
    if extra:
        warnings.warn(f"{file}: columns ignored: {', '.join(map(repr, extra))}", UserWarning, stacklevel=2)


def _meant(name: str, absent: list[str], synonyms: dict[str, str]) -> str | None:
    """The known column that an unknown one is likely to be, among those the header lacks."""
    if synonyms.get(name) in absent:
        return synonyms[name]
    return next(iter(get_close_matches(name, absent, n=1, cutoff=0.75)), None)


def _record(row: dict[str, str], where: str, bounds: tuple[str, str]) -> ClipRecord:
    name = row["path"]
    if not name:
        raise DatasetError(f"{where}: empty path")
    path = inside(bounds[0], name, bounds[1])
    if path is None:
        raise DatasetError(f"{where}: {name!r} lies outside {bounds[0]}; move it there or change --data.root")
    if not row["label"]:
        raise DatasetError(f"{where}: empty label for {name}")
    start, end = (_seconds(row.get(column, ""), column, where) for column in ("start_seconds", "end_seconds"))
    if end is not None and end <= (start or 0.0):
        raise DatasetError(f"{where}: end_seconds {end:g} is not after start_seconds {start or 0:g}")
    return ClipRecord(
        path=Path(path),
        label=row["label"],
        start_seconds=start,
        end_seconds=end,
        group=row.get("group") or (None if "group" in row else group_from_name(name)),
        fold=_fold(row.get("fold", ""), where),
        split=_split(row.get("split", ""), where),
        name=Path(path).relative_to(bounds[0] if path.startswith(bounds[0]) else bounds[1]).as_posix()
        if os.path.isabs(name)  # noqa: PTH117 - as written is right for a relative one
        else name,
    )


def _seconds(text: str, column: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise DatasetError(f"{where}: {column} is {text!r}, not a number of seconds such as 12.5") from None
    if not math.isfinite(value) or value < 0:
        raise DatasetError(f"{where}: {column} is {text}; it must be finite and not negative")
    return value


def _fold(text: str, where: str) -> int | None:
    if not text:
        return None
    try:
        value = float(text)  # pandas writes 3.0 where a column has gaps
    except ValueError:
        value = math.nan
    if not value.is_integer() or value < 0:
        raise DatasetError(f"{where}: fold is {text!r}, not a whole number such as 0")
    return int(value)


def _split(text: str, where: str) -> str | None:
    if not text:
        return None
    if text.lower() not in SPLIT_WORDS:
        raise DatasetError(f"{where}: unknown split {text!r}{nearest(text.lower(), SPLIT_WORDS)}")
    return SPLIT_WORDS[text.lower()]


def _refuse_twice(file: Path, found: list[tuple[int, ClipRecord]]) -> None:
    first: dict[tuple[Path, float | None, float | None], tuple[int, ClipRecord]] = {}
    for line, record in found:
        key = (record.path, record.start_seconds, record.end_seconds)
        earlier, other = first.setdefault(key, (line, record))
        if earlier != line and other.label == record.label:
            raise DatasetError(
                f"{file}: {record.name} stands twice, on lines {earlier} and {line}; remove one"
            )
        if earlier != line:
            raise DatasetError(
                f"{file}: {record.name} is {other.label!r} on line {earlier} and {record.label!r} on line {line}; "
                "a clip has one label"
            )


def _refuse_missing(file: Path, root: Path, found: list[tuple[int, ClipRecord]]) -> None:
    presence = Presence()
    missing = [f"line {line}: {record.name}" for line, record in found if not presence.has(str(record.path))]
    if missing:
        slashes = "; write / instead of \\" if any("\\" in name for name in missing) else ""
        raise DatasetError(
            f"{file}: {len(missing)} of {len(found)} videos are not under {root}; "
            f"check --data.root{slashes}:{listing(missing)}"
        )
