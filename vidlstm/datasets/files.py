"""Whether files are there, which folders are videos, and whether they stay inside the dataset's folder.

Nothing is opened here; a name and a directory entry are all that is looked at.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

from vidlstm import remote
from vidlstm.addresses import address, is_remote, why_no_address
from vidlstm.datasets.names import NOT_UTF8, nearest_name, plain, shown, writable
from vidlstm.errors import DatasetError
from vidlstm.media import IMAGE_SUFFIXES, are_frames, hidden, suffix_of

_UCF101 = re.compile(r"v_(?P<label>[^_]+)_g(?P<group>\d\d)_c\d\d")

Found = os.DirEntry[str] | remote.Entry


def listing(names: Iterable[str], limit: int = 10) -> str:
    """One name a line, the first ``limit`` of them, and how many more there are."""
    names = list(names)
    rest = [f"... and {len(names) - limit} more, {len(names)} in all"] if len(names) > limit else []
    return "".join(f"\n  {name}" for name in names[:limit] + rest)


def existing_folder(folder: Path, flag: str) -> Path:
    """The folder as an absolute path.

    Raises:
        DatasetError: it is not there, or is a file.
    """
    if is_remote(folder):
        if not is_directory(folder):
            raise DatasetError(f"{address(folder)} holds nothing; point {flag} at the folder")
        return folder
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "is not there"
        raise DatasetError(f"{folder} {what}; point {flag} at the folder")
    if not writable(str(folder)):
        raise DatasetError(f"{str(folder)!a}: {NOT_UTF8}")
    # Paths are folded as text later, which goes wrong for `link/..`; so links are followed here in that case.
    return folder.resolve() if ".." in folder.parts else folder.absolute()


def is_directory(path: Path) -> bool:
    """True for a folder, and for what has objects below it in a bucket.

    Raises:
        DatasetError: it is no address, or the bucket cannot be listed.
    """
    if not is_remote(path):
        return path.is_dir()
    if why := why_no_address(path):
        raise DatasetError(why)
    return bool(entries(path))


def entries(folder: str | Path) -> list[Found]:
    """What lies in a folder, on disk or in a bucket, sorted by name, without hidden files.

    Raises:
        DatasetError: the folder cannot be listed.
    """
    try:
        found = _listed(folder)
    except OSError as error:
        raise DatasetError(
            f"{address(folder)}: cannot be listed: {error.strerror}; check its permissions"
        ) from error
    return sorted((e for e in found if not hidden(e.name)), key=lambda e: e.name)


def _listed(folder: str | Path) -> list[Found]:
    if is_remote(folder):
        return [*remote.entries(folder)]
    with os.scandir(folder) as found:
        return [*found]


def matching(folder: Path, pattern: str) -> list[Path]:
    """What in a folder is like ``*.txt`` (in any case) or ``*/gt/gt.txt``, by name.

    Warns:
        UserWarning: what else lies there, where something is found.
    """
    tail = pattern.removeprefix("*")
    found: list[Path] = []
    others: list[Path] = []
    for entry in entries(folder) if folder.is_dir() else ():
        inside = Path(entry.path + tail if tail.startswith("/") else entry.path)
        alike = tail.startswith("/") or entry.name.lower().endswith(tail)
        (found if alike and inside.is_file() else others).append(inside)
    if found and others:
        names = listing(other.relative_to(folder).parts[0] for other in others)
        warnings.warn(f"{folder}: left out, not {pattern}:{names}", UserWarning, stacklevel=3)
    return found


def is_folder(entry: Found) -> bool:
    """True for a folder and a link to one; False for a link in a circle, at which ``is_dir`` raises."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: Found) -> bool:
    """True for a file and a link to one; False for a link in a circle, at which ``is_file`` raises."""
    try:
        return entry.is_file()
    except OSError:
        return False


def is_frame_folder(folder: str | Path) -> bool:
    """True for a folder of images, without folders and with few other files: a video as its frames."""
    found = entries(folder)
    images = [e.name for e in found if suffix_of(e.name) in IMAGE_SUFFIXES and is_file(e)]
    others = [e.name for e in found if e.name not in set(images)]
    return not any(map(is_folder, found)) and are_frames(len(images), others)


def identity(folder: str | Path) -> tuple[int, int]:
    """What stays the same however a folder is reached, so that a walk along links need not go in circles."""
    if is_remote(folder):
        return -1, hash(str(folder))
    status = os.stat(folder)  # noqa: PTH116 - called on many plain strings
    return status.st_dev, status.st_ino


def group_from_name(name: str) -> str | None:
    """The source that a file name tells of: UCF101 cuts ``v_Archery_g08_c01`` to ``c07`` from one video.

    The 25 groups of UCF101 are numbered anew in every class, so the label is part of the group.
    """
    found = _UCF101.fullmatch(Path(name).stem)
    return f"{found['label']}_g{found['group']}" if found else None


class Root:
    """The folder of a dataset, which its annotations must not lead out of."""

    def __init__(self, folder: Path) -> None:
        self.folder = existing_folder(folder, "`data.root`")
        both = (str(self.folder), os.path.realpath(self.folder))  # an absolute path may be written either way
        self._starts = tuple(start.rstrip(os.sep) + os.sep for start in both)

    def locate(self, text: str) -> tuple[str, str] | None:
        """``(absolute path, name for messages)`` of what the annotations write, or None outside the root."""
        path = os.path.normpath(os.path.join(self._starts[0], text))  # noqa: PTH118 - Path keeps `..`
        for start in self._starts:
            if path.startswith(start):
                return path, path[len(start) :] if text.startswith(os.sep) else text
        return None


class Presence:
    """Tells whether a video is there, listing every folder once instead of asking for every file.

    A million calls to ``stat`` on a network disk take hours; a million names in some hundred listings do not.

    Attributes:
        respelt: names that were found in another spelling, and that spelling.
    """

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, bool]] = {}
        self._alike: dict[str, dict[str, list[str]]] = {}
        self.respelt: dict[str, str] = {}

    def has(self, path: str) -> bool:
        """True for a file and for a folder of frame images. ``path`` is absolute."""
        folder, name = os.path.split(path)
        is_folder = self._names(folder).get(name)
        if is_folder is None:  # a file system that ignores case finds it under another spelling
            video = Path(path)
            return video.is_file() or (video.is_dir() and is_frame_folder(video))
        return not is_folder or is_frame_folder(path)

    def find(self, *candidates: str) -> str | None:
        """The first of some paths that is there, as it is or in another spelling; None where none is."""
        for path in candidates:
            if self.has(path):
                return path
        for path in candidates:
            if (other := self._other_spelling(path)) and self.has(other):
                self.respelt[path] = other
                return other
        return None

    def nearest(self, path: str) -> str | None:
        """What is there and nearest to the first part of a path that is not there; None where nothing is."""
        folder, name = os.path.split(path)
        if not name:
            return None
        if not self._is_listed(folder):
            other = self._other_spelling(folder)
            if other is None:
                return self.nearest(folder)
            folder = other
        near = nearest_name(name, self._names(folder))
        return os.path.join(folder, near) if near and near != name else None  # noqa: PTH118

    def told(self, root: Path, name: str) -> str:
        """The name of what is not there, and beside it the nearest that is."""
        near = self.nearest(os.path.normpath(root / name))
        return f"{name}; there is {shown(os.path.relpath(near, root))}" if near else name

    def warn_of_spellings(self, source: Path, root: Path) -> None:
        """Says which names were found in another spelling."""
        if self.respelt:
            names = [
                f"{shown(os.path.relpath(name, root))} is {shown(os.path.relpath(other, root))}"
                for name, other in self.respelt.items()
            ]
            warnings.warn(
                f"{source}: {len(names)} names are spelt otherwise on disk (case, accents or invisible "
                f"characters) and were found all the same:{listing(names)}",
                UserWarning,
                stacklevel=4,
            )

    def _other_spelling(self, path: str) -> str | None:
        """The path as the disk spells it, where one entry alone of each folder on the way is alike."""
        folder, name = os.path.split(path)
        if not name or name in self._names(folder):
            return path
        if not self._is_listed(folder):
            known = self._other_spelling(folder)
            if known is None or known == folder:
                return None
            folder = known
        found = self._alike_in(folder).get(plain(name), [])
        return os.path.join(folder, found[0]) if len(found) == 1 else None  # noqa: PTH118

    def _is_listed(self, folder: str) -> bool:
        return bool(self._names(folder))

    def _alike_in(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._alike:
            self._alike[folder] = {}
            for name in self._names(folder):
                self._alike[folder].setdefault(plain(name), []).append(name)
        return self._alike[folder]

    def _names(self, folder: str) -> dict[str, bool]:
        if folder not in self._folders:
            try:
                found = _listed(folder)
                self._folders[folder] = {e.name: is_folder(e) for e in found if is_folder(e) or is_file(e)}
            except OSError:  # not there, or not listable: every file is then asked for by itself
                self._folders[folder] = {}
        return self._folders[folder]
