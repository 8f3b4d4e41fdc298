"""ETH/UCY pedestrians in the layout of the Social-GAN split: leave one scene out.

``ROOT/<scene>/{train,val,test}/*.txt``, each line ``frame id x y`` in metres, 0.4 seconds and 10 frame
numbers from one step to the next. Pellegrini et al. 2009, "You'll never walk alone"; Lerner et al. 2007,
"Crowds by example"; the split is that of Gupta et al. 2018, "Social GAN".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidlstm.datasets.tracks import Gaps, TrackTable, make_table, read_numbers
from vidlstm.errors import DatasetError, nearest

if TYPE_CHECKING:
    from pathlib import Path

SCENES = ("eth", "hotel", "univ", "zara1", "zara2")
SPLITS = ("train", "val", "test")
FRAME_STEP = 10
SECONDS_PER_STEP = 0.4


def read_ethucy_file(path: Path, *, gaps: Gaps = "error") -> TrackTable:
    """Reads one file of lines ``frame id x y``.

    Raises:
        DatasetError: a bad row; the message holds the file and the line.
    """
    rows, lines = read_numbers(path, columns=4)
    return make_table(
        path, rows, lines, unit="metres", frame_step=FRAME_STEP, seconds_per_step=SECONDS_PER_STEP, gaps=gaps
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
    files = sorted((root / scene / split).glob("*.txt"))
    if not files:
        raise DatasetError(
            f"{root / scene / split}: no .txt files; root must hold <scene>/{{train,val,test}}/*.txt"
        )
    return [read_ethucy_file(path, gaps=gaps) for path in files]
