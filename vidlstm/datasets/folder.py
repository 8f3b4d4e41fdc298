"""One folder per class: ``root/<label>/*.mp4`` or ``root/{train,val,test}/<label>/*.mp4``.

A folder below a class that holds only images is one video, frame by frame.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vidlstm.datasets.files import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    entries,
    existing_folder,
    group_from_name,
    is_frame_folder,
    listing,
    suffix_of,
)
from vidlstm.datasets.records import SPLIT_WORDS, ClipDataset, ClipRecord
from vidlstm.errors import DatasetError


def load_folder(root: Path) -> ClipDataset:
    """Reads a dataset from its folders alone.

    Args:
        root: holds one folder per class, or ``train``, ``val`` and ``test`` with those inside.

    Returns:
        Clips in the order of their names, labels sorted.

    Raises:
        DatasetError: no class folder, a class folder without a video, or a root that mixes both layouts.

    Warns:
        UserWarning: files that are no video and were left out.
    """
    root = existing_folder(root, "--data.root")
    found = _Scan(root)
    sides = _split_folders(root)
    for side, top in sides:
        for entry in _class_folders(top):
            found.add_class(entry, side)
    if found.left_out:
        warnings.warn(f"{root}: left out, not a video:{listing(found.left_out)}", UserWarning, stacklevel=2)
    labels = tuple(sorted({record.label for record in found.records}))
    return ClipDataset(tuple(found.records), labels)


def _split_folders(root: Path) -> list[tuple[str | None, Path]]:
    """The folders that hold class folders, with the side of the split each stands for."""
    folders = _class_folders(root)
    sides = [e for e in folders if e.name.lower() in SPLIT_WORDS and _holds_classes(e.path)]
    if not sides:
        return [(None, root)]
    if others := [e.name for e in folders if e not in sides]:
        raise DatasetError(
            f"{root} holds the splits {', '.join(e.name for e in sides)} and, beside them, {', '.join(others)}; "
            "keep either split folders or class folders in --data.root"
        )
    return [(SPLIT_WORDS[e.name.lower()], Path(e.path)) for e in sides]


def _class_folders(folder: Path) -> list[os.DirEntry[str]]:
    found = [e for e in entries(folder) if e.is_dir()]
    if not found:
        raise DatasetError(f"{folder} holds no class folder; --data.root wants <root>/<label>/<video>")
    return found


def _holds_classes(folder: str) -> bool:
    """True for a ``train`` that is a side of a split, not a class of railway videos."""
    found = entries(folder)
    if any(suffix_of(e.name) in VIDEO_SUFFIXES for e in found):
        return False
    below = [inner for e in found if e.is_dir() for inner in entries(e.path)]
    return any(inner.is_dir() or suffix_of(inner.name) in VIDEO_SUFFIXES for inner in below)


@dataclass
class _Scan:
    """Walks class folders and collects what it finds."""

    root: Path
    records: list[ClipRecord] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add_class(self, folder: os.DirEntry[str], side: str | None) -> None:
        before, left = len(self.records), len(self.left_out)
        seen = {
            _identity(self.root),
            *(_identity(e.path) for e in entries(Path(folder.path).parent) if e.is_dir()),
        }
        for path in self._videos(folder.path, seen):
            name = Path(path).relative_to(self.root).as_posix()
            self.records.append(
                ClipRecord(Path(path), folder.name, group=group_from_name(name), split=side, name=name)
            )
        if len(self.records) == before:
            raise DatasetError(f"empty class: {folder.path} holds no video{_hint(self.left_out[left:])}")

    def _videos(self, folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
        for entry in entries(folder):
            if entry.is_dir():
                yield from self._below(entry.path, seen)
            elif entry.is_file() and suffix_of(entry.name) in VIDEO_SUFFIXES:
                yield entry.path
            else:
                self.left_out.append(Path(entry.path).relative_to(self.root).as_posix())

    def _below(self, folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
        if is_frame_folder(folder):
            yield folder
        elif _identity(folder) not in seen:  # a link may lead back up, or to another class
            seen.add(_identity(folder))
            yield from self._videos(folder, seen)


def _identity(folder: str | Path) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116 - also called on plain strings
    return status.st_dev, status.st_ino


def _hint(left_out: list[str]) -> str:
    if any(suffix_of(name) in IMAGE_SUFFIXES for name in left_out):
        return "; frames want one folder per video: <label>/<video>/0001.jpg"
    return "; add videos or remove the folder" + (f"; not a video:{listing(left_out)}" if left_out else "")
