"""Official split lists: text files with one clip a line. Shared by UCF101 and HMDB51."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vidlstm.datasets.files import Presence, listing
from vidlstm.datasets.records import ClipRecord
from vidlstm.datasets.text import read_lines
from vidlstm.errors import DatasetError


@dataclass(frozen=True)
class Listed:
    """One clip of an official list, before anyone looked whether it was downloaded.

    Attributes:
        name: its path relative to the root, with the ending of the original release.
        label: its class.
        split: ``train`` or ``test``.
        group: the source video it was cut from.
    """

    name: str
    label: str
    split: str
    group: str | None


def read_list(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields ``("file, line N", words)`` of every line that is not empty.

    Raises:
        DatasetError: the file is not there, not readable or not UTF-8.
    """
    remedy = "point `data.annotations` at the folder with the official lists"
    for line, content in read_lines(file, remedy=remedy):
        yield f"{file}, line {line}", content.split()


def check_official_fold(annotations: Path, fold: int, there: Iterable[int]) -> None:
    """Raises unless the lists of this official split lie in the folder.

    Raises:
        DatasetError: they do not; the message names the splits there are.
    """
    numbers = sorted(set(there))
    if not numbers:
        raise DatasetError(
            f"{annotations} holds no official split list; point `data.annotations` at their folder"
        )
    if fold not in numbers:
        can_be = ", ".join(map(str, numbers))
        raise DatasetError(f"{annotations} holds no official split {fold}; `data.fold` can be {can_be}")


def find_clips(root: Path, listed: Iterable[Listed]) -> tuple[ClipRecord, ...]:
    """Looks the listed clips up below the root, as video files or as folders of frames.

    An official split is comparable with published numbers only as a whole, so no clip may be missing.

    Raises:
        DatasetError: some are missing; the message lists the first ten and how many.
    """
    presence, records, missing = Presence(), [], []
    for clip in listed:
        path = presence.find(*_places(root, clip.name))
        if path is None:
            missing.append(clip)
        else:
            records.append(
                ClipRecord(Path(path), clip.label, group=clip.group, split=clip.split, name=clip.name)
            )
    if missing:
        names = [presence.told(root, clip.name) for clip in missing[:10]] + [c.name for c in missing[10:]]
        raise DatasetError(
            f"{len(missing)} of {len(missing) + len(records)} listed clips are not under {root}; check "
            f"`data.root`, or list the clips you have in a CSV (`data.format csv`):{listing(names)}"
        )
    presence.warn_of_spellings(root, root)
    return tuple(records)


def _places(root: Path, name: str) -> tuple[str, str]:
    """Where a clip may lie: the file, or the folder of its frames, whose name has no ending."""
    path = str(root / name)
    return path, os.path.splitext(path)[0]  # noqa: PTH122
