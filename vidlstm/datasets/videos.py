"""Videos named on a command line or in a call: files, and folders that are searched for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidlstm.datasets.files import entries, is_folder, is_frame_folder
from vidlstm.errors import DatasetError
from vidlstm.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES, suffix_of


def find_videos(paths: Sequence[Path]) -> list[Path]:
    """Videos named by paths: files as they are, folders searched to the bottom.

    A folder of images with few other files, or with no video among them, is one video.

    Raises:
        DatasetError: a path is not there, or a folder holds no video.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = _videos_in(path)
        if not inside:
            raise DatasetError(
                f"{path} holds no video; known endings are {', '.join(sorted(VIDEO_SUFFIXES))}"
            )
        found += inside
    return found


def _videos_in(folder: Path) -> list[Path]:
    if is_frame_folder(folder):
        return [folder]
    children = entries(folder)
    videos: list[Path] = []
    for child in children:
        if is_folder(child):
            if not child.is_symlink():  # links may run in a circle
                videos += _videos_in(Path(child.path))
        elif suffix_of(child.name) in VIDEO_SUFFIXES:
            videos.append(Path(child.path))
    if not videos and any(suffix_of(child.name) in IMAGE_SUFFIXES for child in children):
        return [folder]
    return videos
