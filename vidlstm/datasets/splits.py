"""Who trains, who validates: whole groups at a time, because clips cut from one source look alike.

A random split over such clips measures how well the network remembers a background.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from vidlstm.datasets.files import listing
from vidlstm.datasets.records import SPLITS, ClipDataset, ClipRecord, check_fold
from vidlstm.errors import DatasetError

Bundle = tuple[ClipRecord, ...]
"""Clips that must stay on one side."""


@dataclass(frozen=True, eq=False)
class Split:
    """The three sides; every clip in one of them, each side sorted by name."""

    train: tuple[ClipRecord, ...]
    validation: tuple[ClipRecord, ...]
    test: tuple[ClipRecord, ...] = ()

    def __repr__(self) -> str:
        return f"Split({', '.join(f'{len(getattr(self, side))} {side}' for side in SPLITS)})"


def split_records(dataset: ClipDataset, *, fold: int | None, validation_fraction: float, seed: int) -> Split:
    """Splits a dataset into training, validation and test clips.

    In this order: a ``fold`` is held out; or the annotations' own ``split`` is taken, with groups held out
    of its training side where it has no validation side; or groups are held out of everything. Clips that
    the annotations mark as test never train. The result does not depend on the order of the records.

    Args:
        dataset: the clips.
        fold: the fold to validate on. For UCF101 and HMDB51 the number that the dataset was loaded with.
        validation_fraction: the share of clips to hold out where nothing else says, in [0, 1).
        seed: decides which groups are held out.

    Raises:
        DatasetError: there is no such fold, a class has no training clip, or nothing can be held out.

    Warns:
        UserWarning: one source stands on both sides of a given split, or a class is absent from validation.
    """
    if not 0 <= validation_fraction < 1:
        raise DatasetError(f"`data.validation_fraction` must be in [0, 1), not {validation_fraction}")
    records = sorted(dataset.records, key=_order)
    sides = _given_sides(dataset, records, fold)
    _warn_of_leaks(sides)
    if not sides["validation"] and validation_fraction > 0:
        sides["train"], sides["validation"] = hold_out(sides["train"], validation_fraction, seed)
    _check_classes(dataset.labels, sides)
    return Split(**{side: tuple(sides[side]) for side in SPLITS})


def _order(record: ClipRecord) -> tuple[str, str, int, float, float, str, str]:
    end = float("inf") if record.end_seconds is None else record.end_seconds
    track = -1 if record.track_id is None else record.track_id
    start = record.start_seconds or 0.0
    return record.name, str(record.path), track, start, end, record.label, record.group or ""


def _given_sides(
    dataset: ClipDataset, records: list[ClipRecord], fold: int | None
) -> dict[str, list[ClipRecord]]:
    """The sides that the annotations give; everything is training where they say nothing."""
    sides: dict[str, list[ClipRecord]] = {side: [] for side in SPLITS}
    if dataset.official_fold is not None and fold not in (None, dataset.official_fold):
        raise DatasetError(f"these clips are official split {dataset.official_fold}; `data.fold` says {fold}")
    if dataset.official_fold is None and fold is not None:
        check_fold(records, fold)
        for record in records:
            held_out = "validation" if record.fold == fold else "train"
            sides["test" if record.split == "test" else held_out].append(record)
        return sides
    unmarked = [record.name for record in records if record.split is None]
    if 0 < len(unmarked) < len(records):
        raise DatasetError(
            f"clips without a split beside clips with one; fill the column:{listing(unmarked)}"
        )
    for record in records:
        sides[record.split or "train"].append(record)
    if not sides["train"]:
        raise DatasetError(
            "no clip is marked train; the column 'split' must name training clips too (evaluate takes test "
            "clips alone with `side all`)"
        )
    return sides


def bundles(records: Iterable[ClipRecord]) -> list[Bundle]:
    """Clips that share a group or a file, directly or through others, in the order of their first clip."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    records = list(records)
    for record in records:
        if record.group is not None:
            parent[root(("group", record.group))] = root(("file", str(record.path)))
    together = defaultdict(list)
    for record in records:
        together[root(("file", str(record.path)))].append(record)
    return [tuple(bundle) for bundle in together.values()]


def hold_out(
    records: list[ClipRecord], fraction: float, seed: int
) -> tuple[list[ClipRecord], list[ClipRecord]]:
    """Holds whole bundles out, so that every label gives about the same share of its clips.

    Bundles are visited in a random order; one is held out when that brings the shares of its labels closer to
    ``fraction`` and leaves each of them a training clip. Labels that got nothing then give their smallest
    bundle, so a label of few bundles may give more than its share.

    Args:
        records: clips in an order that does not depend on the input's, such as ``split_records`` makes.
        fraction: the share to hold out, in (0, 1).
        seed: of the random order.

    Returns:
        The clips kept and the clips held out, both in the order they came.

    Raises:
        DatasetError: no bundle can be held out without emptying a class.
    """
    order = bundles(records)
    random.Random(seed).shuffle(order)
    total = Counter(record.label for record in records)
    labels = [Counter(record.label for record in bundle) for bundle in order]
    held: Counter[str] = Counter()
    chosen: set[int] = set()
    smallest_first = sorted(range(len(order)), key=lambda i: len(order[i]))
    for visit, wanted in ((range(len(order)), _improves), (smallest_first, _is_first)):
        for i in visit:
            if (
                i not in chosen
                and _spares(total, held, labels[i])
                and wanted(total, held, labels[i], fraction)
            ):
                chosen.add(i)
                held += labels[i]
    if not chosen:
        raise DatasetError(
            "nothing can be held out: every class comes from a single group or file; "
            "add clips from other sources, or say yourself what is held out, with a split or a fold"
        )
    out = {id(record) for i in chosen for record in order[i]}
    return [r for r in records if id(r) not in out], [r for r in records if id(r) in out]


def _spares(total: Counter[str], held: Counter[str], counts: Counter[str]) -> bool:
    """True where every label keeps a training clip."""
    return all(held[label] + count < total[label] for label, count in counts.items())


def _improves(total: Counter[str], held: Counter[str], counts: Counter[str], fraction: float) -> bool:
    """True where the labels' shares come closer to the fraction, summed over labels, in squares."""
    change = 0.0
    for label, count in counts.items():
        before, after = held[label] / total[label], (held[label] + count) / total[label]
        change += (after - fraction) ** 2 - (before - fraction) ** 2
    return change < 0


def _is_first(total: Counter[str], held: Counter[str], counts: Counter[str], fraction: float) -> bool:
    """True where one of the labels has no held-out clip yet."""
    return any(not held[label] for label in counts)


def _warn_of_leaks(sides: dict[str, list[ClipRecord]]) -> None:
    side_of = {id(record): side for side in SPLITS for record in sides[side]}
    torn = [
        f"{record.name} ({side_of[id(record)]}{', group ' + record.group if record.group else ''})"
        for bundle in bundles(record for side in SPLITS for record in sides[side])
        if len({side_of[id(record)] for record in bundle}) > 1
        for record in bundle
    ]
    if torn:
        warnings.warn(
            f"{len(torn)} clips share a source with clips on another side of the given split, so results "
            f"will look better than they are; give such clips one fold or one split:{listing(torn)}",
            UserWarning,
            stacklevel=3,
        )


def _check_classes(labels: tuple[str, ...], sides: dict[str, list[ClipRecord]]) -> None:
    trained, validated = ({record.label for record in sides[side]} for side in ("train", "validation"))
    if empty := [label for label in labels if label not in trained]:
        raise DatasetError(
            f"empty class, no training clip: {', '.join(empty)}; add clips, hold out less "
            "(`data.validation_fraction`), or take another `data.fold`"
        )
    absent = [label for label in labels if label not in validated]
    if validated and absent:
        warnings.warn(f"no validation clip of class {', '.join(absent)}", UserWarning, stacklevel=3)
