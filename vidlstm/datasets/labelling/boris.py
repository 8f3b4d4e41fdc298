"""BORIS, exported events: tabular (a row a START and a STOP) or aggregated (a row a state); tabs or commas.

Times run in the observation: its ``Time offset`` is in them and is taken away. BORIS ends a state 1 ms before
the next begins; such a gap is closed (https://boris.readthedocs.io, Export events).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source
from vidlstm.datasets.timed import TimedLabel
from vidlstm.errors import DatasetError

SHARED = frozenset(("observation id", "behavior", "media file name", "time offset (s)"))
TABULAR = SHARED | {"time", "behavior type"}
AGGREGATED = SHARED | {"start (s)", "stop (s)"}

GAP_SECONDS = 0.0011
"""The gap that BORIS leaves between states that touch, and what rounding may add."""

Line = tuple[str, Mapping[str, str]]
"""``"file, line N"``, and the cells by column in lower case."""


def looks_like(source: Source) -> bool:
    """Whether the first row names the columns of either export."""
    return source.columns >= TABULAR or source.columns >= AGGREGATED


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields a video an observation."""
    columns = [cell.lower() for cell in source.rows[0][1]]
    observations: defaultdict[str, list[Line]] = defaultdict(list)
    for line, cells in source.rows[1:]:
        if len(cells) != len(columns):
            raise DatasetError(f"{source.at(line)}: {len(cells)} cells where the header has {len(columns)}")
        row = dict(zip(columns, cells, strict=True))
        observations[row["observation id"]].append((source.at(line), row))
    for lines in observations.values():
        video = LabelledVideo((_medium(lines),), lines[0][0])
        states = _paired(lines, how) if source.columns >= TABULAR else _whole(lines, how)
        for start, stop, label in states:
            how.add(video, start, stop, label)
        video.labels = _closed(video.labels)
        yield video


def _medium(lines: list[Line]) -> str:
    names = dict.fromkeys(row["media file name"] for _, row in lines)
    if len(names) > 1:
        raise DatasetError(
            f"{lines[0][0]}: the observation plays {len(names)} files one after the other, and its times run "
            "through; make an observation for each video"
        )
    return next(iter(names))


State = tuple[float, float, str]


def _whole(lines: list[Line], how: Reading) -> Iterator[State]:
    for where, row in lines:
        if row.get("behavior type", "STATE").upper() == "POINT":
            how.leave_out("events without length (POINT)")
            continue
        start, stop = (_seconds(row, column, where) for column in ("start (s)", "stop (s)"))
        yield start, stop, row["behavior"]


def _paired(lines: list[Line], how: Reading) -> Iterator[State]:
    """Every START with the next STOP of the same subject, behaviour and modifiers."""
    begun: dict[tuple[str, ...], float] = {}
    lost = "states with a START or a STOP alone"
    for where, row in sorted(lines, key=lambda line: _seconds(line[1], "time", line[0])):
        who = tuple(v for k, v in row.items() if k in ("subject", "behavior") or k.startswith("modifier"))
        time, kind = _seconds(row, "time", where), row["behavior type"].upper()
        if kind == "START":
            how.leave_out(lost, who in begun)
            begun[who] = time
        elif kind == "STOP" and who in begun:
            yield begun.pop(who), time, row["behavior"]
        elif kind in ("STOP", "POINT"):
            how.leave_out(lost if kind == "STOP" else "events without length (POINT)")
        else:
            raise DatasetError(f"{where}: behavior type {kind[:40]!r}; START, STOP or POINT is wanted")
    how.leave_out(lost, len(begun))


def _seconds(row: Mapping[str, str], column: str, where: str) -> float:
    """A time in the video: seconds or ``hh:mm:ss.mmm``, without the offset of the observation."""
    return _clock(row[column], column, where) - _clock(
        row["time offset (s)"] or "0", "time offset (s)", where
    )


def _clock(text: str, column: str, where: str) -> float:
    seconds = 0.0
    try:
        for part in text.removeprefix("-").split(":"):
            seconds = 60 * seconds + float(part)
    except ValueError:
        seconds = float("nan")
    if not 0 <= seconds < 1e9:
        raise DatasetError(f"{where}: {column} is {text[:40]!r}, not a number of seconds such as 12.5")
    return -seconds if text.startswith("-") else seconds


def _closed(labels: list[TimedLabel]) -> list[TimedLabel]:
    """Labels that reach to the next one where BORIS took a millisecond away."""
    starts = sorted(label.start_seconds for label in labels)
    closed = []
    for label in labels:
        following = bisect_right(starts, label.end_seconds)
        near = following < len(starts) and starts[following] - label.end_seconds <= GAP_SECONDS
        closed.append(replace(label, end_seconds=starts[following]) if near else label)
    return closed
