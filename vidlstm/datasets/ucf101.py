"""UCF101 with its official lists (Soomro, Zamir, Shah: UCF101, CRCV-TR-12-01, 2012).

Videos lie in ``root/<Label>/v_<Label>_gNN_cNN.avi``, the lists in a folder ``ucfTrainTestlist``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from vidlstm.datasets.files import existing_folder, group_from_name
from vidlstm.datasets.lists import Listed, check_official_fold, find_clips, read_list
from vidlstm.datasets.records import ClipDataset
from vidlstm.errors import DatasetError, nearest


def load_ucf101(root: Path, annotations: Path, fold: int) -> ClipDataset:
    """Reads one of the official splits.

    Args:
        root: the folder ``UCF-101`` with one folder per class.
        annotations: the folder with ``classInd.txt``, ``trainlist01.txt`` and ``testlist01.txt``.
        fold: the official split, 1 to 3.

    Returns:
        Clips marked train or test, grouped by source; labels in the order of ``classInd.txt``.

    Raises:
        DatasetError: a list is missing or malformed, names an unknown class, or a clip is not there.
    """
    root = existing_folder(root, "`data.root`")
    annotations = existing_folder(annotations, "`data.annotations`")
    lists = (re.fullmatch(r"trainlist(\d+)\.txt", file.name) for file in annotations.iterdir())
    check_official_fold(annotations, fold, (int(found[1]) for found in lists if found))
    numbers = _class_numbers(annotations / "classInd.txt")
    listed = [
        clip
        for side in ("train", "test")
        for clip in _read_side(annotations / f"{side}list{fold:02d}.txt", side, numbers)
    ]
    labels = tuple(sorted(numbers, key=numbers.__getitem__))
    return ClipDataset(find_clips(root, listed), labels, official_fold=fold)


def _class_numbers(file: Path) -> dict[str, int]:
    """The label's number, from 1, of lines like ``1 ApplyEyeMakeup``."""
    numbers: dict[str, int] = {}
    for where, words in read_list(file):
        if len(words) != 2 or not words[0].isdigit():
            raise DatasetError(
                f"{where}: {' '.join(words)!r} is not '<number> <label>'; download the lists again"
            )
        if words[1] in numbers or int(words[0]) in numbers.values():
            raise DatasetError(f"{where}: {' '.join(words)!r} stands twice; download the lists again")
        numbers[words[1]] = int(words[0])
    return numbers


def _read_side(file: Path, side: str, numbers: dict[str, int]) -> Iterator[Listed]:
    """Lines like ``Archery/v_Archery_g08_c01.avi 3``; the test lists leave the number out."""
    for where, words in read_list(file):
        name = words[0]
        label = name.split("/")[0]
        if name.count("/") != 1 or ".." in name or len(words) > 2:
            raise DatasetError(f"{where}: {' '.join(words)!r} is not '<Label>/<video>.avi [number]'")
        if label not in numbers:
            raise DatasetError(f"{where}: unknown label {label!r}{nearest(label, numbers)}")
        if len(words) == 2 and words[1] != str(numbers[label]):
            raise DatasetError(
                f"{where}: class {words[1]}, but classInd.txt gives {label} the number {numbers[label]}"
            )
        yield Listed(name, label, side, group_from_name(name))
