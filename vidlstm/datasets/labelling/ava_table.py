"""AVA: no header, one row a second and person: ``video,second,x1,y1,x2,y2,action,person``.

A label holds around its second: from half a second before it to half a second after. Actions are numbers from
1, named in a ``.pbtxt`` beside the table (https://research.google.com/ava/download.html).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from vidlstm.datasets.files import entries, is_file
from vidlstm.datasets.labelling.cvat import stretches
from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Row, Source
from vidlstm.errors import DatasetError
from vidlstm.media import suffix_of

_ITEM = re.compile(r"(?:item|label)\s*\{([^{}]*)\}")
_NAME = re.compile(r"name:\s*\"([^\"\n]+)\"")
_NUMBER = re.compile(r"(?:label_)?id:\s*(\d{1,6})\b")


def looks_like(source: Source) -> bool:
    """Whether the first row is a second, a box and an action."""
    cells = source.rows[0][1] if source.rows else ()
    return len(cells) in (7, 8) and all(re.fullmatch(r"\d+(\.\d+)?", cell) for cell in cells[1:])


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields every video.

    Raises:
        DatasetError: a row is not of this kind, or an action has no name.
    """
    names = _actions(source.path)
    seconds: defaultdict[str, defaultdict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for row in source.rows:
        second, action = _numbers(row, source)
        if action not in names:
            raise DatasetError(
                f"{source.at(row[0])}: action {action} has no name in the .pbtxt beside the file"
            )
        seconds[row[1][0]][action].add(second)
    for name, actions in seconds.items():
        video = LabelledVideo((name,), str(source.path))
        for action, found in actions.items():
            for first, end in stretches(found):
                how.add(video, first - 0.5, end - 0.5, names[action])
        yield video


def _numbers(row: Row, source: Source) -> tuple[int, int]:
    line, cells = row
    if len(cells) not in (7, 8) or not all(re.fullmatch(r"\d{1,9}(\.0*)?", cells[i]) for i in (1, 6)):
        raise DatasetError(
            f"{source.at(line)}: video, second, four numbers of a box and an action are wanted"
        )
    return int(float(cells[1])), int(float(cells[6]))


def _actions(table: Path) -> dict[int, str]:
    lists = [Path(e.path) for e in entries(table.parent) if suffix_of(e.name) == "pbtxt" and is_file(e)]
    if len(lists) != 1:
        raise DatasetError(
            f"{table}: one .pbtxt with the names of the actions must lie beside it, not {len(lists)}"
        )
    found = {}
    for item in _ITEM.findall(Source(lists[0]).text):
        name, number = _NAME.search(item), _NUMBER.search(item)
        if name and number:
            found[int(number[1])] = name[1]
    return found
