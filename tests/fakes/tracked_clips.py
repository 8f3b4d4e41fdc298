"""Small clips, two things to follow in each, boxes for both in MOT text, and a table made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.fakes.people import row, write_table
from tests.fakes.videos import DrawnVideo, write_video
from vidlstm.cli.main import main

LABELS = ("a", "b")
DISC, SQUARE = 1, 2
"""The numbers of the two things in every clip: one moves, one stays."""


def write_boxes(path: Path, drawn: DrawnVideo, *, ids: tuple[int, int] = (DISC, SQUARE)) -> Path:
    """MOT text with identities: the disc's box, then the square's, in every frame."""
    r = drawn.radius_pixels
    x1, y1, x2, y2 = drawn.square_pixels
    lines = []
    for frame, (x, y) in enumerate(drawn.centres_pixels, start=1):
        lines.append(f"{frame},{ids[0]},{x - r:.2f},{y - r:.2f},{2 * r:.2f},{2 * r:.2f},0.9,-1,-1,-1")
        lines.append(f"{frame},{ids[1]},{x1},{y1},{x2 - x1},{y2 - y1},0.9,-1,-1,-1")
    path.write_text("\n".join(lines) + "\n")
    return path


def make_clips(root: Path, count: int = 8, *, frames: int = 12) -> tuple[list[Path], list[Path]]:
    """``root/a/0.mp4``, ``root/b/1.mp4`` and so on, and beside the root their boxes."""
    clips, boxes = [], []
    for i in range(count):
        clips.append(root / LABELS[i % 2] / f"{i}.mp4")
        drawn = write_video(clips[-1], frames=frames + i, seed=i)
        boxes.append(write_boxes(root.parent / f"boxes{i}.txt", drawn))
    return clips, boxes


def track(clips: list[Path], boxes: list[Path], out: Path) -> Path:
    """The table of ``vidlstm track``, with its ledger."""
    argv = ["track", *map(str, clips), "--boxes", *map(str, boxes), "--out", str(out)]
    assert main(argv) == 0
    return out


def write_poses(
    table: Path, clips: list[Path], busy: Callable[[Path, int], bool], *, frames: int = 12, fps: float = 10.0
) -> Path:
    """A table from elsewhere: two people with joints in each clip, some with busy hands."""
    rows = []
    for n, clip in enumerate(clips):
        for frame in range(frames):
            for person, left in ((1, 5.0), (2, 50.0)):
                box = (left, 10.0, left + 20, 55.0)
                raised = 0.4 * np.sin(frame + n) if busy(clip, person) else 0.0
                rows.append(row(frame, person, box, video=clip, fps=fps, raised=raised))
    return write_table(table, rows)
