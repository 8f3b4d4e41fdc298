"""ETH/UCY pedestrians in the layout of the Social-GAN split: leave one scene out.

``ROOT/<scene>/{train,val,test}/*.txt``, each line ``frame id x y`` in metres, 0.4 seconds and 10 frame
numbers from one step to the next; 6 in ETH as first published, at 15 frames a second. Pellegrini et al. 2009,
"You'll never walk alone"; Lerner et al. 2007, "Crowds by example"; the split is that of Gupta et al. 2018,
"Social GAN".
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from vidlstm.datasets.files import matching
from vidlstm.datasets.tracks import Gaps, TrackTable, make_table, on_step, read_numbers, step_of
from vidlstm.errors import DatasetError, nearest

if TYPE_CHECKING:
    from pathlib import Path

SCENES = ("eth", "hotel", "univ", "zara1", "zara2")
SPLITS = ("train", "val", "test")
FRAME_STEP, FIRST_FRAME_STEP = 10, 6
SECONDS_PER_STEP = 0.4


def read_ethucy_file(path: Path, *, gaps: Gaps = "error") -> TrackTable:
    """Reads one file of lines ``frame id x y``.

    The step is the one by which most rows of a track follow each other.

    Raises:
        DatasetError: a bad row (the message holds the file and the line), or a step of unknown length.

    Warns:
        UserWarning: a step of 6 frames is taken as 0.4 seconds, or rows between the steps are left out.
    """
    rows, lines = read_numbers(path, columns=4)
    step = step_of(rows[:, 0], rows[:, 1]) or FRAME_STEP
    _check_step(path, step)
    kept = on_step(path, rows[:, 0], step)
    return make_table(
        path,
        rows[kept],
        lines[kept],
        unit="metres",
        frame_step=step,
        seconds_per_step=SECONDS_PER_STEP,
        gaps=gaps,
    )


def _check_step(path: Path, step: int) -> None:
    if step == FIRST_FRAME_STEP:
        warnings.warn(
            f"{path}: its steps of {step} frames are taken as {SECONDS_PER_STEP} s, as in ETH at 15 a second",
            UserWarning,
            stacklevel=3,
        )
    elif step != FRAME_STEP:
        raise DatasetError(
            f"{path}: its tracks go by steps of {step} frames; in ETH/UCY a step of {SECONDS_PER_STEP} s is "
            f"{FRAME_STEP} frames, or {FIRST_FRAME_STEP} as first published, so how long these are is not "
            f"known: keep a row every {SECONDS_PER_STEP} s and number the frames by {FRAME_STEP}"
        )


def read_ethucy(root: Path, *, scene: str, split: str, gaps: Gaps = "error") -> list[TrackTable]:
    """The recordings of one split of one held-out scene, by file name.

    Args:
        root: the folder that holds one folder per scene.
        scene: the scene held out, one of ``SCENES``; its train and val files come from the other scenes.
        split: one of ``SPLITS``.
        gaps: see :func:`~vidlstm.datasets.tracks.make_table`.

    Raises:
        DatasetError: the folder is missing or empty, or a row is bad.
        ValueError: no such scene or split.
    """
    if scene not in SCENES:
        raise ValueError(f"no ETH/UCY scene is called {scene!r}{nearest(scene, SCENES)}")
    if split not in SPLITS:
        raise ValueError(f"no split is called {split!r}{nearest(split, SPLITS)}")
    files = matching(root / scene / split, "*.txt")
    if not files:
        raise DatasetError(
            f"{root / scene / split}: no .txt files; root must hold <scene>/{{train,val,test}}/*.txt"
        )
    return [read_ethucy_file(path, gaps=gaps) for path in files]
