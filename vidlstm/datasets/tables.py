"""Reads tables with a header strictly: what is misspelt or ragged is an error with its line, not a guess."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from vidlstm.datasets.names import plain, shown
from vidlstm.datasets.text import read_text
from vidlstm.datasets.time_columns import bound_of
from vidlstm.errors import DatasetError


@dataclass(frozen=True)
class Header:
    """The columns a table may have.

    Attributes:
        required: must be there.
        optional: may be there; anything else is ignored with a warning.
        synonyms: what other people call these columns. Ignoring a ``start`` would train on the wrong frames,
            so such a column is an error that names the right one.
        bounds: the columns of a clip's start and end in seconds. A column that bounds clips under any other
            name is an error where these are absent.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    synonyms: Mapping[str, str] = field(default_factory=dict)
    bounds: tuple[str, str] = ("start_seconds", "end_seconds")

    @property
    def known(self) -> tuple[str, ...]:
        """Every column that means something."""
        return (*self.required, *self.optional)


def read_table(file: Path, header: Header) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields ``(line, stripped cells by column)``, the known columns only. Empty lines are skipped.

    Raises:
        DatasetError: the file cannot be read, a column is missing or misspelt, or a row is ragged.

    Warns:
        UserWarning: once, with the columns that are ignored.
    """
    rows = _rows(file)
    written = next(rows, (1, []))[1]
    columns = [plain(name) for name in written]
    if len(written) == 1 and any(mark in written[0] for mark in ";\t|"):
        raise DatasetError(f"{file}, line 1: the columns are not separated by commas; save it with commas")
    _check_columns(file, columns, header)
    _refuse_other_bounds(file, written, columns, header)
    _warn_of_ignored(file, columns, header)
    wanted = [(name, index) for index, name in enumerate(columns) if name in header.known]
    for line, cells in rows:
        if len(cells) != len(columns):
            raise DatasetError(
                f"{file}, line {line}: {len(cells)} cells where the header has {len(columns)}; "
                "put a value that holds a comma in double quotes"
            )
        yield line, {name: cells[index].strip() for name, index in wanted}


def existing_file(file: Path) -> Path:
    """The file itself.

    Raises:
        DatasetError: it is not there, or is a folder.
    """
    if not file.is_file():
        what = "is a folder, not a file" if file.exists() else "is not there"
        raise DatasetError(f"{file} {what}; point `data.annotations` at the CSV file")
    return file


def has_columns(file: Path, names: tuple[str, ...]) -> bool:
    """True where the first line of a table names all of these columns."""
    columns = {plain(name) for name in next(_rows(file), (1, []))[1]}
    return columns.issuperset(names)


def seconds(text: str, column: str, where: str) -> float | None:
    """A time in seconds, or None for an empty cell.

    Raises:
        DatasetError: it is no number, negative or not finite.
    """
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise DatasetError(f"{where}: {column} is {text!r}, not a number of seconds such as 12.5") from None
    if not 0 <= value < float("inf"):
        raise DatasetError(f"{where}: {column} is {text}; it must be finite and not negative")
    return value


def stretch(
    row: Mapping[str, str], start_column: str, end_column: str, where: str
) -> tuple[float | None, float | None]:
    """The start and the end of a clip in seconds.

    Raises:
        DatasetError: one of them is unreadable, or the clip ends before it starts.
    """
    start, end = (seconds(row.get(column, ""), column, where) for column in (start_column, end_column))
    if end is not None and end <= (start or 0.0):
        raise DatasetError(
            f"{where}: {end_column} {end:g} is not after {start_column} {start or 0:g}; swap them?"
        )
    return start, end


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields every row that is not empty with the line it starts on."""
    line = 1
    text = read_text(existing_file(file))
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise DatasetError(f"{file}, line {line}: {error}; check the double quotes") from error


def _check_columns(file: Path, columns: list[str], header: Header) -> None:
    where = f"{file}, line 1"
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise DatasetError(f"{where}: column {', '.join(twice)} stands twice; rename one")
    absent = [name for name in header.known if name not in columns]
    extra = [name for name in columns if name not in header.known]
    for name in extra:
        if meant := _meant(name, absent, header.synonyms):
            raise DatasetError(f"{where}: unknown column {name!r}; did you mean {meant!r}? Rename it")
    if missing := [name for name in header.required if name in absent]:
        raise DatasetError(
            f"{where}: column {', '.join(missing)} is missing; the first line must be a header with "
            f"{', '.join(header.required)} and any of {', '.join(header.optional)}"
        )


def _refuse_other_bounds(file: Path, written: list[str], columns: list[str], header: Header) -> None:
    """Refuses ``startTime`` or ``stop_frame`` where no known column bounds the clips."""
    unknown = [name for name, known in zip(written, columns, strict=True) if known not in header.known]
    found = {name: bound for name in unknown if (bound := bound_of(name))}
    starts = header.bounds[0] in columns or "start" in found.values()
    for name, bound in found.items():
        needed = header.bounds[bound != "start"]
        if needed not in columns and (bound != "length" or starts):  # a length alone is that of the video
            raise DatasetError(
                f"{file}, line 1: column {shown(name.strip())} seems to hold the {bound} of clips; "
                f"give it in seconds as {needed!r}, or remove it"
            )


def _warn_of_ignored(file: Path, columns: list[str], header: Header) -> None:
    if extra := [name for name in columns if name not in header.known]:
        warnings.warn(f"{file}: columns ignored: {', '.join(map(shown, extra))}", UserWarning, stacklevel=3)


def _meant(name: str, absent: list[str], synonyms: Mapping[str, str]) -> str | None:
    """The known column that an unknown one is likely to be, among those the table lacks."""
    if synonyms.get(name) in absent:
        return synonyms[name]
    return next(iter(get_close_matches(name, absent, n=1, cutoff=0.75)), None)
