"""The same video under several names: known by the hash of its bytes, which the features are stored under."""

from __future__ import annotations

import warnings
from collections import defaultdict
from typing import TYPE_CHECKING

from vidlstm.datasets.files import listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from vidlstm.datasets.records import ClipRecord


def warn_of_same_videos(sides: Mapping[str, Sequence[ClipRecord]], hashes: Mapping[Path, str]) -> None:
    """Warns of videos that are the same byte for byte and yet stand on two sides, or in two classes.

    A warning, as for clips of one source on two sides: published datasets and their official splits hold such
    videos, and would otherwise be of no use. It costs nothing: whoever has the features has the hashes.

    Args:
        sides: the clips of each side by its name.
        hashes: video to the hash of its bytes, or of its frames.
    """
    found: defaultdict[str, list[tuple[str, ClipRecord]]] = defaultdict(list)
    for side, records in sides.items():
        for record in records:
            if record.path in hashes:
                found[hashes[record.path]].append((side, record))
    several = [same for same in found.values() if len({record.path for _, record in same}) > 1]
    _warn(
        [same for same in several if len({side for side, _ in same}) > 1],
        "on both sides of the split, so results will look better than they are; give them one group or side",
    )
    _warn(
        [same for same in (_of_two_classes(clips) for clips in several) if same],
        "in more than one class, so that one label of each is wrong; keep one of them",
    )


def _of_two_classes(same: list[tuple[str, ClipRecord]]) -> list[tuple[str, ClipRecord]]:
    """Of clips of one video those that are the same stretch, and the same object, with different labels."""
    labels: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)
    for _, record in same:
        labels[_stretch(record)].add(record.label)
    return [(side, record) for side, record in same if len(labels[_stretch(record)]) > 1]


def _stretch(record: ClipRecord) -> tuple[object, ...]:
    return record.start_seconds, record.end_seconds, record.track_id


def _warn(groups: Iterable[list[tuple[str, ClipRecord]]], what: str) -> None:
    lines = [
        " = ".join(dict.fromkeys(f"{record.name} ({side}, {record.label})" for side, record in same))
        for same in groups
    ]
    if lines:
        warnings.warn(
            f"{len(lines)} videos are there twice, the same byte for byte, {what}:{listing(lines)}",
            UserWarning,
            stacklevel=4,
        )
