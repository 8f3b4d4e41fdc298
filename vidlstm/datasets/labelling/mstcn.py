"""The folders of MS-TCN and its heirs: one label a line and frame, the rate nowhere.

::

    groundTruth/VIDEO.txt       a label a line, one line a frame
    mapping.txt                 number and label a line: the order of the classes
    splits/train.split1.bundle  names in groundTruth, one a line

Frames called ``background`` are gaps (https://github.com/yabufarha/ms-tcn).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from vidlstm.datasets.files import entries, is_file
from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source
from vidlstm.datasets.lists import check_official_fold
from vidlstm.errors import DatasetError
from vidlstm.media import suffix_of

BACKGROUND = "background"

_BUNDLE = re.compile(r"(train|test)\.split([1-9]\d?)\.bundle")


def looks_like(folder: Path) -> bool:
    """Whether a folder has the labels of frames in it."""
    return (folder / "groundTruth").is_dir()


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields every video below ``groundTruth``.

    With `data.fold`, or where there is a single split, videos have the side that its lists give them. Else
    each has as its fold the number of the split that tests it.
    """
    how.fold_used = True
    folder = source.path
    how.order = _order(folder)
    sides = _sides(folder / "splits", how)
    fps = how.rate(str(folder), "the rate of the videos, or of the features, that were labelled")
    for entry in entries(folder / "groundTruth"):
        if suffix_of(entry.name) != "txt" or not is_file(entry):
            continue
        path = Path(entry.path)
        split, fold = sides.get(path.stem, (None, None))
        video = LabelledVideo((path.stem,), str(path), split=split, fold=fold)
        frame = 0
        for label, run in groupby(_frames(path, how.order)):
            first, frame = frame, frame + sum(1 for _ in run)
            if label != BACKGROUND:
                how.add_frames(video, (first, frame), fps, label)
        yield video


def _frames(path: Path, order: tuple[str, ...]) -> Iterator[str]:
    known = {BACKGROUND, *order}
    for line, text in enumerate(Source(path).text.rstrip().split("\n"), start=1):
        label = text.strip()
        if not label or (order and label not in known):
            raise DatasetError(
                f"{path}, line {line}: label {label[:40]!r} is not in mapping.txt; one a frame is wanted"
            )
        yield label


def _order(folder: Path) -> tuple[str, ...]:
    """The classes in the order of ``mapping.txt``, without the background; none where it is not there."""
    file, found = folder / "mapping.txt", {}
    if not file.is_file():
        return ()
    for line, text in enumerate(Source(file).text.splitlines(), start=1):
        number, _, label = text.strip().partition(" ")
        if not text.strip():
            continue
        if not re.fullmatch(r"\d{1,6}", number) or not label.strip() or label.strip() in found:
            raise DatasetError(
                f"{file}, line {line}: a number and a label of its own are wanted, such as 3 walk"
            )
        found[label.strip()] = int(number)
    return tuple(label for label in sorted(found, key=found.__getitem__) if label != BACKGROUND)


def _sides(folder: Path, how: Reading) -> dict[str, tuple[str | None, int | None]]:
    """Name of a video to its side and fold."""
    lists = [
        (found, Path(e.path))
        for e in (entries(folder) if folder.is_dir() else [])
        if (found := _BUNDLE.fullmatch(e.name))
    ]
    numbers = {int(found[2]) for found, _ in lists}
    if how.fold is not None:
        check_official_fold(folder, how.fold, numbers)
    asked = how.fold if how.fold is not None else min(numbers) if len(numbers) == 1 else None
    sides: dict[str, tuple[str | None, int | None]] = {}
    tests: defaultdict[str, set[int]] = defaultdict(set)
    for found, path in lists:
        for name in filter(None, map(str.strip, Source(path).text.splitlines())):
            stem = name.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".txt")
            if int(found[2]) == asked:
                if stem in sides and sides[stem][0] != found[1]:
                    raise DatasetError(f"{path}: {stem} is for training and for testing in split {asked}")
                sides[stem] = found[1], None
            elif found[1] == "test":
                tests[stem].add(int(found[2]))
    if asked is not None:
        return sides
    return {stem: (None, min(folds)) for stem, folds in tests.items() if len(folds) == 1}
