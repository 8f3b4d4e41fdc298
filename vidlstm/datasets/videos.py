"""Videos named on a command line or in a call: files, and folders that are searched for them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidlstm.addresses import address
from vidlstm.datasets.files import entries, identity, is_directory, is_folder, is_frame_folder, listing
from vidlstm.datasets.names import NOT_UTF8, writable
from vidlstm.errors import DatasetError
from vidlstm.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES, suffix_of


def find_videos(paths: Sequence[Path]) -> list[Path]:
    """Videos named by paths: files as they are, folders searched to the bottom, through links too.

    A folder of images with few other files, or with no video among them, is one video.

    Raises:
        DatasetError: a path is not there, a folder holds no video, or a path is not UTF-8.

    Warns:
        UserWarning: what was left out: files whose ending is not that of a video, names that are not UTF-8.
    """
    search = _Search()
    found: list[Path] = []
    for path in paths:
        if not writable(str(path)):
            raise DatasetError(f"{str(path)!a}: {NOT_UTF8}")
        if not is_directory(path):
            found.append(path)
            continue
        inside = search.inside(path)
        if not inside:
            endings = ", ".join(sorted(VIDEO_SUFFIXES))
            raise DatasetError(f"{address(path)} holds no video{search.told()}; known endings are {endings}")
        found += inside
    if told := search.told():
        warnings.warn(f"left out{told}", UserWarning, stacklevel=2)
    return found


@dataclass
class _Search:
    """What folders hold, and what of it is left out."""

    endings: Counter[str] = field(default_factory=Counter)
    unwritable: list[str] = field(default_factory=list)

    def inside(self, top: Path) -> list[Path]:
        """The videos in a folder, by name; what is linked is searched once."""
        return self._videos(top, {identity(top)})

    def _videos(self, folder: Path, seen: set[tuple[int, int]]) -> list[Path]:
        if is_frame_folder(folder):
            return [folder]
        children = entries(folder)
        good = [child for child in children if writable(child.name)]
        self.unwritable += [ascii(child.path) for child in children if not writable(child.name)]
        found: dict[str, list[Path]] = {}
        for child in sorted((c for c in good if is_folder(c)), key=lambda c: c.is_symlink()):
            # Real folders first: a link to one of them adds nothing.
            if identity(child.path) not in seen:
                seen.add(identity(child.path))
                found[child.name] = self._videos(Path(child.path), seen)
        files = [child for child in good if not is_folder(child)]
        found |= {f.name: [Path(f.path)] for f in files if suffix_of(f.name) in VIDEO_SUFFIXES}
        videos = [video for name in sorted(found) for video in found[name]]
        others = Counter(suffix_of(f.name) for f in files if suffix_of(f.name) not in VIDEO_SUFFIXES)
        if not videos and IMAGE_SUFFIXES.intersection(others):
            videos = [folder]
            others = Counter({ending: n for ending, n in others.items() if ending not in IMAGE_SUFFIXES})
        self.endings += others
        return videos

    def told(self) -> str:
        """What was left out so far, to follow "left out"; empty where nothing was."""
        parts = []
        if self.endings:
            kinds = ", ".join(f"{n} .{e}" if e else f"{n} without" for e, n in sorted(self.endings.items()))
            parts.append(f"{self.endings.total()} files whose ending is not that of a video ({kinds})")
        if self.unwritable:
            parts.append(f"{len(self.unwritable)} files or folders, {NOT_UTF8}:{listing(self.unwritable)}")
        return f": {'; '.join(parts)}" if parts else ""
