"""Which video a tool means: paths of another machine, addresses, upload prefixes, ids without endings."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from vidlstm.datasets.files import existing_folder
from vidlstm.datasets.videos import find_videos

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^/]*", re.IGNORECASE)
_LOCAL_FILES = re.compile(r".*/local-files/\?d=")
"""Label Studio's address of a file on its own disk."""

_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of an uploaded file."""


class VideoFiles:
    """The videos there are, by all that a labelling tool may call them.

    Attributes:
        folder: what names in messages and tables start from.
        paths: the videos, absolute.
    """

    def __init__(self, videos: Path | Sequence[Path]) -> None:
        """Lists the videos.

        Args:
            videos: the folder they lie in, however deep; or the files themselves.

        Raises:
            DatasetError: the folder is not there, or holds no video.
        """
        if isinstance(videos, Path):
            self.folder = existing_folder(videos, "`data.root`")
            self.paths = find_videos([self.folder])
        else:
            self.paths = [path.absolute() for path in videos]
            self.folder = Path(os.path.commonpath([path.parent for path in self.paths])) if videos else Path()
        self._exact = {self.name_of(path): path for path in self.paths}
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[Path]] = defaultdict(list)
        for path in self.paths:
            self._by_name[_plain(path.name)].append(path)
            self._by_stem[_plain(path.stem)].append(path)

    def name_of(self, path: Path) -> str:
        """The path from the folder, with slashes."""
        return path.relative_to(self.folder).as_posix()

    def find(self, names: Iterable[str]) -> list[Path]:
        """The video that a tool means: one, none, or several that it may be.

        Args:
            names: what the tool calls it, the most telling first.
        """
        for name in names:
            parts = _parts(name)
            if exact := self._exact.get(name.replace("\\", "/").removeprefix("./")):
                return [exact]
            for found in filter(None, self._candidates(parts)):
                return _nearest(found, parts)
        return []

    def _candidates(self, parts: tuple[str, ...]) -> Iterator[list[Path]]:
        """Videos of the same file name, with and without a prefix and an ending; the surest first."""
        last = parts[-1] if parts else ""
        spellings = list(
            dict.fromkeys((last, _UPLOAD.sub("", last, count=1) if _UPLOAD.match(last) else last))
        )
        for spelling in spellings:
            yield self._by_name.get(spelling, [])
        for spelling in spellings:
            yield self._by_stem.get(spelling, [])
        for spelling in spellings:
            yield self._by_stem.get(PurePosixPath(spelling).stem, [])


def _plain(text: str) -> str:
    """The text as names are compared: in one form of Unicode (a Mac writes another), without case."""
    return unicodedata.normalize("NFC", text).casefold()


def _parts(name: str) -> tuple[str, ...]:
    """The folders and the file of a path or address, as they are compared.

    >>> _parts("file:///C:/My%20Videos/A.MP4")
    ('c:', 'my videos', 'a.mp4')
    """
    if address := _ADDRESS.match(name) or _LOCAL_FILES.match(name):
        name = unquote(re.split(r"[?#]", name[address.end() :], maxsplit=1)[0])
    return tuple(part for part in re.split(r"[/\\]+", _plain(name)) if part not in ("", ".", ".."))


def _nearest(found: list[Path], parts: tuple[str, ...]) -> list[Path]:
    """Of videos with one name, those whose folders agree longest with what the tool says."""

    def agree(path: Path) -> int:
        theirs = [_plain(part) for part in path.parent.parts]
        pairs = zip(reversed(theirs), reversed(parts[:-1]), strict=False)
        return next(
            (n for n, (one, other) in enumerate(pairs) if one != other), min(len(theirs), len(parts) - 1)
        )

    most = max(map(agree, found))
    return [path for path in found if agree(path) == most]
