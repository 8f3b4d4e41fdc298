"""Names of outputs: one for each video, and none that is a file which was read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

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


def safe(name: str) -> str:
    """The name with letters, digits, dots and dashes alone, for a part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name) or "video"


def check_inputs(files: Iterable[Path], inputs: Collection[str | Path]) -> None:
    """Looks for files to be written that are there and were read, under whatever name.

    Raises:
        OutputError: there is one.
    """
    there = {file: known for file in files if (known := _identity(file)) is not None}
    read = {_identity(path) for path in inputs} if there else set()
    for file, known in there.items():
        if known in read:
            raise OutputError(f"{file}: is an input and would be overwritten; choose another `out`")


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Device and number of a file; None where there is none, or no such name can be."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
