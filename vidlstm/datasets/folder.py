"""One folder per class: ``root/<label>/*.mp4`` or ``root/{train,val,test}/<label>/*.mp4``.

A folder below a class that holds only images is one video, frame by frame.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vidlstm.datasets.files import (
    Found,
    entries,
    existing_folder,
    group_from_name,
    identity,
    is_file,
    is_folder,
    is_frame_folder,
    listing,
)
from vidlstm.datasets.names import NOT_UTF8, plain, writable
from vidlstm.datasets.records import SPLIT_WORDS, ClipDataset, ClipRecord
from vidlstm.errors import DatasetError
from vidlstm.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES, suffix_of


def load_folder(root: Path) -> ClipDataset:
    """Reads a dataset from its folders alone.

    Args:
        root: holds one folder per class, or ``train``, ``val`` and ``test`` with those inside.

    Returns:
        Clips in the order of their names, labels sorted. UCF101's file names tell their group.

    Raises:
        DatasetError: no class folder, a class folder without a video, or a root that mixes both layouts.

    Warns:
        UserWarning: what was left out: files below a class that are no video, videos outside every class,
            and names that are not UTF-8.
    """
    scan = _Scan(existing_folder(root, "`data.root`"))
    tops = _tops(scan.root)
    if tops[0][0] is not None:
        scan.add_loose(scan.root)
    for side, top in tops:
        scan.add_classes(top, side)
    scan.tell()
    return ClipDataset(tuple(scan.records), tuple(sorted({record.label for record in scan.records})))


def _tops(root: Path) -> list[tuple[str | None, Path]]:
    """The folders that hold class folders, with the side of the split each stands for."""
    folders = _folders(root)
    sides = [e for e in folders if plain(e.name) in SPLIT_WORDS and _holds_classes(e.path)]
    if not sides:
        return [(None, root)]
    if others := [e.name for e in folders if e not in sides]:
        raise DatasetError(
            f"{root} holds the splits {', '.join(e.name for e in sides)} and, beside them, "
            f"{', '.join(others)}; keep either split folders or class folders in `data.root`"
        )
    return [(SPLIT_WORDS[plain(e.name)], Path(e.path)) for e in sides]


def _folders(folder: Path) -> list[Found]:
    found = [e for e in entries(folder) if is_folder(e)]
    if not found:
        raise DatasetError(f"{folder} holds no class folder; `data.root` wants <root>/<label>/<video>")
    return found


def _holds_classes(folder: str) -> bool:
    """True for a ``train`` that is a side of a split, not a class of railway videos.

    A side holds no video itself, but folders (its classes) with videos or further folders in them.
    """
    found = entries(folder)
    if any(suffix_of(e.name) in VIDEO_SUFFIXES for e in found):
        return False
    below = [inner for e in found if is_folder(e) for inner in entries(e.path)]
    return any(is_folder(inner) or suffix_of(inner.name) in VIDEO_SUFFIXES for inner in below)


@dataclass
class _Scan:
    """Walks class folders and collects what it finds."""

    root: Path
    records: list[ClipRecord] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    unwritable: list[str] = field(default_factory=list)

    def add_classes(self, top: Path, side: str | None) -> None:
        folders = _folders(top)
        self.add_loose(top)
        closed = {identity(self.root), identity(top)} | {identity(e.path) for e in folders}
        for folder in folders:
            left = len(self.left_out)
            videos = [self._name(path) for path in self._videos(folder.path, set(closed))]
            if not videos:
                raise DatasetError(f"empty class: {folder.path} holds no video{_hint(self.left_out[left:])}")
            for name in videos:
                group = group_from_name(name)
                self.records.append(
                    ClipRecord(self.root / name, folder.name, group=group, split=side, name=name)
                )

    def add_loose(self, folder: Path) -> None:
        """Notes the videos that lie beside class folders."""
        loose = [e for e in entries(folder) if not is_folder(e) and suffix_of(e.name) in VIDEO_SUFFIXES]
        self.unlabelled += [self._name(e.path) for e in loose]

    def tell(self) -> None:
        """Warns of what was left out."""
        for what, names in (
            ("not a video", self.left_out),
            ("in no class folder", self.unlabelled),
            (NOT_UTF8, self.unwritable),
        ):
            if names:
                warnings.warn(f"{self.root}: left out, {what}:{listing(names)}", UserWarning, stacklevel=3)

    def _name(self, path: str) -> str:
        return Path(path).relative_to(self.root).as_posix()

    def _videos(self, folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
        """Yields videos and frame folders; ``seen`` stops links that lead back up or to another class."""
        for entry in entries(folder):
            if not writable(entry.name):
                self.unwritable.append(ascii(self._name(entry.path)))
            elif is_folder(entry):
                if is_frame_folder(entry.path):
                    yield entry.path
                elif identity(entry.path) not in seen:
                    seen.add(identity(entry.path))
                    yield from self._videos(entry.path, seen)
            elif is_file(entry) and suffix_of(entry.name) in VIDEO_SUFFIXES:
                yield entry.path
            else:
                self.left_out.append(self._name(entry.path))


def _hint(left_out: list[str]) -> str:
    if any(suffix_of(name) in IMAGE_SUFFIXES for name in left_out):
        return "; frames want one folder per video: <label>/<video>/0001.jpg"
    return "; add videos or remove the folder" + (f"; not a video:{listing(left_out)}" if left_out else "")
