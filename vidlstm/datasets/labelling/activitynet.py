"""ActivityNet JSON: seconds; videos by an id, which may not be their file's name.

The layout of ``activity_net.v1-3.json`` (http://activity-net.org/download.html).
"""

from __future__ import annotations

from collections.abc import Iterator

from vidlstm.datasets.labelling.json_values import JsonValue
from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source
from vidlstm.datasets.records import SPLIT_WORDS
from vidlstm.errors import DatasetError, nearest


def looks_like(root: JsonValue) -> bool:
    """Whether it is a database of videos with annotations."""
    database = root.value.get("database") if isinstance(root.value, dict) else None
    return (
        isinstance(database, dict)
        and bool(database)
        and all(isinstance(video, dict) and "annotations" in video for video in database.values())
    )


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields every video; those for testing whose annotations are kept secret are left out."""
    for name, said in source.json["database"].items():
        split = _split(said)
        annotations = list(said["annotations"])
        if split == "test" and not annotations:
            how.leave_out("videos for testing whose annotations are not given")
            continue
        address = said["url"].text() if "url" in said else ""
        names = (name, f"v_{name}", *filter(None, [address]))
        video = LabelledVideo(names, said.where, split=split)
        duration = said["duration"].number() if "duration" in said else float("inf")
        for annotation in annotations:
            ends = [end.number() for end in annotation["segment"]]
            if len(ends) != 2:
                raise annotation["segment"].wrong("a list of start and end")
            how.add(video, ends[0], min(ends[1], duration), annotation["label"].text())
        yield video


def _split(said: JsonValue) -> str | None:
    if "subset" not in said:
        return None
    word = said["subset"].text().lower()
    if word not in SPLIT_WORDS:
        raise DatasetError(f"{said.where}: unknown subset {word[:40]!r}{nearest(word[:40], SPLIT_WORDS)}")
    return SPLIT_WORDS[word]
