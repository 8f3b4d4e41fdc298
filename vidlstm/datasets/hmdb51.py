"""HMDB51 with its official lists (Kuehne, Jhuang, Garrote, Poggio, Serre: HMDB, ICCV 2011).

Videos lie in ``root/<action>/<name>.avi``, the lists in a folder ``testTrainMulti_7030_splits``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from vidlstm.datasets.files import existing_folder
from vidlstm.datasets.lists import Listed, check_official_fold, find_clips, read_list
from vidlstm.datasets.records import ClipDataset
from vidlstm.errors import DatasetError

SIDES = {"0": None, "1": "train", "2": "test"}
"""The number behind a clip in the lists; 0 is used on neither side, 70 train and 30 test clips are left."""

_LIST = re.compile(r"(?P<action>.+)_test_split(?P<fold>\d+)\.txt")


def load_hmdb51(root: Path, annotations: Path, fold: int) -> ClipDataset:
    """Reads one of the official splits.

    Args:
        root: the folder with one folder per action.
        annotations: the folder with ``<action>_test_split<1-3>.txt``.
        fold: the official split, 1 to 3.

    Returns:
        Clips marked train or test, grouped by action and source film; labels sorted.

    Raises:
        DatasetError: a list is missing or malformed, or a clip is not there.
    """
    root = existing_folder(root, "`data.root`")
    annotations = existing_folder(annotations, "`data.annotations`")
    lists = [(file, found) for file in annotations.iterdir() if (found := _LIST.fullmatch(file.name))]
    check_official_fold(annotations, fold, (int(found["fold"]) for _, found in lists))
    actions = {found["action"]: file for file, found in lists if int(found["fold"]) == fold}
    labels = tuple(sorted(actions))
    listed = [clip for action in labels for clip in _read_action(actions[action], action)]
    return ClipDataset(find_clips(root, listed), labels, official_fold=fold)


def _read_action(file: Path, action: str) -> Iterator[Listed]:
    """Lines like ``likebeckam_run_f_cm_np1_ba_med_22.avi 2``."""
    for where, words in read_list(file):
        if len(words) != 2 or words[1] not in SIDES or "/" in words[0]:
            raise DatasetError(
                f"{where}: {' '.join(words)!r} is not '<video>.avi 0|1|2'; download the lists again"
            )
        name, side = words[0], SIDES[words[1]]
        if side is not None:
            yield Listed(f"{action}/{name}", action, side, source_group(action, name))


def source_group(action: str, name: str) -> str | None:
    """The action and the film a clip was cut from, which its name starts with.

    ``likebeckam_run_f_cm_np1_ba_med_22.avi``: source, action, visible body, camera motion, number of people,
    viewpoint, quality, number. The official splits keep a film on one side within an action, but not across
    actions, so the action is part of the group.
    """
    tags = r"_[a-z]+_[a-z]+_np\d+_[a-z]+_[a-z]+_\d+"
    found = re.fullmatch(rf"(?P<source>.+)_{re.escape(action)}{tags}", Path(name).stem)
    return f"{action}/{found['source']}" if found else None
