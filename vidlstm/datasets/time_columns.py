"""What the name of a column says of time: tables of other tools bound their clips under many names."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Bound: TypeAlias = Literal["start", "end", "length"]

WHOLE: dict[str, Bound] = {"in": "start", "out": "end", "t0": "start", "t1": "end"}
"""Names that say it as a whole."""

WORDS: dict[str, Bound] = {
    **dict.fromkeys("start starts begin begins beginning onset from tstart tbegin".split(), "start"),  # noqa: SIM905
    **dict.fromkeys("end ends ending stop stops finish offset until to tend tstop".split(), "end"),  # noqa: SIM905
    **dict.fromkeys("duration length dur".split(), "length"),  # noqa: SIM905
}
"""Words that say it, where every other word of the name is a unit or what is bounded."""

PLACES: dict[str, Bound] = {"first": "start", "initial": "start", "last": "end", "final": "end"}
"""Words that say it beside a unit: a ``first_frame``, not a ``first_name``."""

UNITS = frozenset(
    "t time timestamp timecode temporal sec secs second seconds s ms msec millisecond milliseconds "  # noqa: SIM905
    "frame frames".split()
)
BOUNDED = frozenset("clip segment action event video annotation idx index no number in".split())  # noqa: SIM905

_UNIT_ENDING = re.compile(r"(?<=[a-z]{2})(timestamp|time|frame|seconds|second|secs|sec|ms)$")


def bound_of(column: str) -> Bound | None:
    """Whether the name of a column says that it holds the start, the end or the length of a clip.

    >>> [bound_of(name) for name in ("startTime", "stop_frame", "t_end", "duration", "gender")]
    ['start', 'end', 'end', 'length', None]
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.strip()).lower()
    words = re.findall(r"[a-z]+", spaced)
    telling = {_UNIT_ENDING.sub("", word) for word in words if word not in UNITS} - BOUNDED
    if spaced in WHOLE or len(telling) != 1:
        return WHOLE.get(spaced)
    (word,) = telling
    return WORDS.get(word) or (PLACES.get(word) if UNITS.intersection(words) else None)
