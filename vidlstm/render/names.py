"""Names of outputs: one for each video."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

_WAYS = (
    lambda path: path.name,
    lambda path: f"{path.parent.name}_{path.name}",
    lambda path: "_".join(path.relative_to(path.anchor).parts),
)


def output_stems(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for the outputs of each video: its stem; two of one stem keep their endings or folders apart.

    Raises:
        SettingsError: two videos cannot be told apart by folders and name.
    """
    stems = {path: path.stem for path in paths}
    for rename in _WAYS:
        counts = [stem.casefold() for stem in stems.values()]
        stems = {p: rename(p) if counts.count(s.casefold()) > 1 else s for p, s in stems.items()}
    if len({s.casefold() for s in stems.values()}) < len(stems):
        raise SettingsError(
            "two videos have one folder name and file name; predict them into different `out`"
        )
    return stems


def with_ending(stem: Path, ending: str) -> Path:
    """``out/clip.v2`` and ``.json`` to ``out/clip.v2.json``; a dot in the stem stays."""
    return stem.with_name(f"{stem.name}{ending}")


def short_names(names: Sequence[str], most_bytes: int = 80) -> list[str]:
    """Names for parts of file names and topics, each another: safe, no longer than so many bytes of UTF-8.

    >>> short_names(["rtsp://camera/1", "/data/../x.mp4", "/data/x.mp4", "."])
    ['rtsp_camera_1', 'data_x.mp4', 'data_x.mp4_2', 'video']
    """
    short: dict[str, str] = {}
    for name in names:
        # The end tells most: addresses and paths begin alike.
        end = re.sub(r"_[._]+", "_", safe(name)).encode()[-most_bytes:].decode(errors="ignore")
        stem = end.strip("._-") or "video"
        ways = (stem, *(f"{stem}_{number}" for number in range(2, len(names) + 1)))
        found = next(way for way in ways if way.casefold() not in short)
        short[found.casefold()] = found
    return list(short.values())


def safe(name: str) -> str:
    """The name with letters, digits, dots and dashes alone, for a part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name) or "video"
