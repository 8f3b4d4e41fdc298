"""Draws the labelled clips: MP4 files and one table, in the ``csv`` layout of ``vidlstm.datasets``."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np

from vidlstm.demo.actions import ACTIONS
from vidlstm.demo.takes import Take, random_take
from vidlstm.files import write_csv
from vidlstm.video.writer import VideoWriter

SPLIT_SHARES = {"validation": 0.1, "test": 0.2}
"""The share of the figures in each split; the others are trained on."""

COLUMNS = ("path", "label", "group", "split")


def draw_dataset(
    out: Path,
    *,
    seed: int = 0,
    figures: int = 36,
    clips_per_figure_and_action: int = 1,
    fps: float = 10.0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draws clips of every action by every figure.

    Args:
        out: the folder; ``out/clips/*.mp4`` and ``out/clips.csv`` are written, older ones replaced.
        seed: another seed gives other figures, rooms, cameras and timings.
        figures: how many people; at least 3, so that every split has one.
        clips_per_figure_and_action: takes of each action by each figure.
        fps: frames per second.
        progress: called with (clips drawn, clips in all) after each.

    Returns:
        ``out/clips.csv``: path (below ``out``), label, group (the figure), split (train, validation, test).

    Raises:
        VideoError: a clip cannot be written.
        ValueError: fewer than 3 figures or less than one clip.
    """
    if figures < 3 or clips_per_figure_and_action < 1:
        raise ValueError("at least 3 figures and 1 clip of each action are needed")
    splits = _splits(figures, seed)
    rows, takes = [], []
    for figure in range(figures):
        for action, number in product(ACTIONS, range(clips_per_figure_and_action)):
            group = f"figure_{figure:02d}"
            rows.append((f"clips/{group}_{action}_{number}.mp4", action, group, splits[figure]))
            takes.append(random_take(seed, figure_seed(seed, figure), action, number, fps=fps))
    # Threads, because drawing and encoding happen in OpenCV and x264, outside Python's lock.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        written = pool.map(write_take, takes, [out / row[0] for row in rows])
        for done, _ in enumerate(written, 1):
            if progress:
                progress(done, len(takes))
    table = out / "clips.csv"
    write_csv(COLUMNS, rows, table)
    return table


def figure_seed(seed: int, figure: int) -> int:
    """The number that a figure and its room are drawn from; no two seeds share one."""
    return seed * 1000 + figure


def write_take(take: Take, path: Path) -> None:
    """Draws a take into an MP4 file.

    Raises:
        VideoError: it cannot be written.
    """
    with VideoWriter(path, fps=take.fps, height=take.film.height, width=take.film.width) as writer:
        for frame in take.frames():
            writer.write(frame)


def _splits(figures: int, seed: int) -> list[str]:
    """A split for each figure, in an order that the seed shuffles."""
    counts = {name: max(1, round(share * figures)) for name, share in SPLIT_SHARES.items()}
    names = [name for name, count in counts.items() for _ in range(count)]
    names += ["train"] * (figures - len(names))
    order = np.random.default_rng([seed, 6]).permutation(figures)
    return [names[i] for i in order]
