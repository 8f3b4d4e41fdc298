"""Which files are videos, frames or features, by their names: the one list, for datasets and readers."""

from __future__ import annotations

import os
import re
from pathlib import Path

from vidlstm.errors import VideoError

VIDEO_SUFFIXES = frozenset(
    [
        "3g2",
        "3gp",
        "apng",
        "asf",
        "avi",
        "divx",
        "dv",
        "f4v",
        "flv",
        "gif",
        "h264",
        "h265",
        "hevc",
        "ivf",
        "m2t",
        "m2ts",
        "m2v",
        "m4v",
        "mj2",
        "mjpeg",
        "mjpg",
        "mkv",
        "mov",
        "mp4",
        "mpe",
        "mpeg",
        "mpg",
        "mts",
        "mxf",
        "nut",
        "obu",
        "ogv",
        "qt",
        "rm",
        "rmvb",
        "ts",
        "vob",
        "webm",
        "wmv",
        "wtv",
        "y4m",
    ]
)
"""File name endings, in lower case, that are taken for a video."""

IMAGE_SUFFIXES = frozenset(("bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"))
"""File name endings, in lower case, that are taken for a frame."""

FEATURE_SUFFIXES = frozenset(("npy", "npz", "parquet", "safetensors"))
"""File name endings, in lower case, of features that were made elsewhere."""

LITTER = frozenset(("thumbs.db", "desktop.ini", "__macosx"))
"""What file managers leave behind, in lower case; ignored like hidden files."""

NO_PICTURES = frozenset(("flow", "depth", "mask", "x", "y"))
"""Words in the names of what is computed from pictures and kept beside them."""

FOREIGN_SHARE = 0.1
"""So many other files, or one, may lie beside the frames of a folder."""

FRAMES_BESIDE_A_VIDEO = 10
"""Fewer images beside a video are taken for its posters."""


def hidden(name: str) -> bool:
    """True for names that no dataset means: dot files and what file managers leave behind."""
    return name.startswith(".") or name.lower() in LITTER


def suffix_of(name: str) -> str:
    """The ending of a file name in lower case, without its dot; empty where there is none."""
    stem, _, suffix = name.rpartition(".")
    return suffix.lower() if stem else ""


def are_frames(images: int, others: list[str]) -> bool:
    """Whether a folder with so many images, and other files of these names, is a video as its frames."""
    if any(suffix_of(name) in VIDEO_SUFFIXES for name in others) and images < FRAMES_BESIDE_A_VIDEO:
        return False
    return images > len(others) and len(others) <= max(1, FOREIGN_SHARE * images)


def frames_in(folder: Path) -> tuple[list[str], list[str]]:
    """The names of a folder's frames, in the order of their numbers, and what beside them is left out.

    A folder that TSN or denseflow wrote holds three sequences, of which the first is the video::

        img_00001.jpg ... img_00020.jpg   flow_x_00001.jpg ...   flow_y_00001.jpg ...

    Returns:
        img2 before img10; and of each other sequence its pattern (``flow_x_*``) and how many it has.

    Raises:
        OSError: the folder cannot be listed.
        VideoError: ``unreadable``, where names say that it holds several videos.
    """
    with os.scandir(folder) as found:
        names = [e.name for e in found if suffix_of(e.name) in IMAGE_SUFFIXES and not hidden(e.name)]
        names = [name for name in names if (folder / name).is_file()]
    sequences = _sequences(names)
    told = [f"{pattern or 'others'} ({len(of)})" for pattern, of in sorted(sequences.items())]
    chosen = _videos_among(sequences)
    if len(chosen) > 1:
        raise VideoError(
            folder,
            reason="unreadable",
            detail=f"its names tell of {len(told)} sequences of images: {', '.join(told)}; "
            "keep one in a folder",
        )
    frames = sequences[chosen[0]] if chosen else []
    left_out = [text for text, pattern in zip(told, sorted(sequences), strict=True) if pattern not in chosen]
    return frames, left_out


def _sequences(names: list[str]) -> dict[str, list[str]]:
    """Pattern of a name, with ``*`` for numbers, to its files; what has no number is one sequence, ``""``."""
    found: dict[str, list[str]] = {}
    endings = {name.rpartition(".")[0]: suffix_of(name) for name in names}
    twice = len(endings) < len(names)  # 1.jpg and 1.png
    for name in sorted(names, key=_natural):
        stem = name.rpartition(".")[0]
        pattern = re.sub("[0-9]+", "*", stem) if re.search("[0-9]", stem) else ""
        found.setdefault(f"{pattern}.{suffix_of(name)}" if twice else pattern, []).append(name)
    # Where no two names are alike, they tell of no sequence but that of the alphabet.
    return {"": names and sorted(names, key=_natural)} if len(found) == len(names) else found


def _videos_among(sequences: dict[str, list[str]]) -> list[str]:
    """The patterns of what may be the video: where others remain, nothing computed and nothing stray."""
    chosen = sorted(sequences)
    for unlikely in (
        {name for name in chosen if not NO_PICTURES.isdisjoint(re.findall("[a-z]+", name.lower()))},
        {name for name in chosen if len(sequences[name]) == 1},
        {name for name in chosen if "*" not in name},
    ):
        chosen = [name for name in chosen if name not in unlikely] or chosen
    return chosen


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return [(0, int(digits), "") if digits else (1, 0, text) for digits, text in parts], name
